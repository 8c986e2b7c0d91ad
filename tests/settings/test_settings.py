"""From config and method to checked, frozen settings."""

import dataclasses
import json

import pytest
from ml_collections import ConfigDict

from configs.default import get_config
from reno_tf import methods, settings
from reno_tf.attacks import AttackRef
from reno_tf.errors import UserError
from reno_tf.evaluation.suite import QUICK, SUITES
from reno_tf.methods import METHODS
from reno_tf.settings import fields


def _read(method="renofeation", *, preset="pixel", **changes):
    """`changes`: section__key=value; a recipe's or method's key need not be there before."""
    config = get_config()
    for key, value in changes.items():
        *sections, leaf = key.split("__")
        owner = config
        for section in sections:
            owner = owner[section]
        owner[leaf] = value
    return settings.read(config, method, preset=preset)


class _Loaded:
    """As much of a data set as the steps depend on."""

    def __init__(self, train, validation=0):
        self.train, self.validation = range(train), range(validation)


def _read_passes(method, images, passes, **changes):
    config = get_config()
    config.recipes.random.passes = passes
    config.update_from_flattened_dict(changes)
    return settings.read(config, method, dataset=_Loaded(*images))


@pytest.mark.parametrize(
    ("method", "images", "changes", "steps"),
    [
        ("retraining", 3000, {}, 1500),  # 16 passes over 3000 images, 32 a step
        ("retraining", 3001, {}, 1550),  # up to a whole interval
        ("retraining", 100, {}, 600),  # never less than the method's own
        ("retraining", 3000, {"batch_size": 64}, 750),
        ("retraining", 3000, {"steps.train": 50}, 50),
        ("retraining", 3000, {"steps.passes": 32.0}, 3000),
        ("retraining", 3000, {"steps.passes": 0.0}, 600),
        ("finetune", 3000, {}, 600),  # another start's recipe
    ],
)
def test_a_training_goes_through_its_images_often_enough(method, images, changes, steps):
    assert _read_passes(method, (images,), 16.0, **changes).schedule.steps == steps


def test_the_attackers_student_goes_through_the_attackers_images():
    run_settings = _read_passes("retraining", (3000, 4000), 16.0, **{"attack.preset": "surrogate"})
    assert (run_settings.schedule.steps, run_settings.surrogate.schedule.steps) == (1500, 2000)


def test_passes_are_a_number_of_at_least_0():
    with pytest.raises(UserError, match=r"config.steps.passes must be at least 0, not -1"):
        _read_passes("retraining", (3000,), 16.0, **{"steps.passes": -1.0})
    with pytest.raises(UserError, match=r"config.recipes.\*.passes must be a number or None, not 'many'"):
        _read_passes("retraining", (3000,), "many")


def _phases(run_settings):
    return run_settings.method.phases(run_settings.schedule)


# By where a method starts: learning rate, that of averaging, weight decay.
_DECLARED = {"teacher": (0.005, 0.0025, 1e-4), "random": (0.01, 0.005, 5e-3)}


@pytest.mark.parametrize("name", METHODS)
def test_a_run_has_what_its_method_declares(name):
    method, run_settings = METHODS[name], _read(name)
    learning_rate, averaging_rate, weight_decay = _DECLARED[method.start]
    if name == "weight_variance":
        learning_rate, averaging_rate = 0.001, 0.0005
    if name == "vaccination":
        learning_rate, averaging_rate = 0.01, 0.005
    factor = 2 if name == "delta_adversarial" else 1
    assert run_settings.schedule == dataclasses.replace(method.schedule, steps=factor * 600)
    assert (run_settings.schedule.learning_rate, run_settings.schedule.momentum) == (learning_rate, 0.9)
    assert run_settings.schedule.swa == (name == "renofeation")
    assert run_settings.training.dropout == method.dropout == (0.1 if name == "renofeation" else 0)
    assert run_settings.method == method() and run_settings.method.weight_decay == (
        0 if name == "l2sp" else weight_decay
    )
    assert (run_settings.attack.epsilon, run_settings.attack.step_size, run_settings.attack.steps) == (0.1, 0.01, 40)
    averaged = _phases(_read(name, swa=True))
    assert [(phase.steps, phase.learning_rate) for phase in averaged] == [
        (factor * 600, learning_rate),
        (200, averaging_rate),
    ]


def test_what_the_config_gives_wins_over_recipe_method_and_attack():
    recipe = {"recipes__teacher__learning_rate": 0.2, "recipes__teacher__train": 50}
    changes = {"optimizer__learning_rate": 0.3, "dropout": 0.2, "swa": True, "attack__epsilon": 0.05}
    run_settings = _read("delta_adversarial", **changes, **recipe)
    assert run_settings.schedule.learning_rate == 0.3 and run_settings.schedule.momentum == 0.9
    assert run_settings.schedule.steps == 100  # Twice the recipe's, for adversarial training.
    assert (
        run_settings.training.dropout == 0.2
        and run_settings.schedule.swa is True
        and run_settings.attack.epsilon == 0.05
    )
    assert run_settings.attack.step_size == 0.005  # A tenth of epsilon, as the registry has it.
    assert _read("delta_adversarial", steps__train=50).schedule.steps == 50  # What is asked for is not doubled.
    without = _read(dropout=0.0, swa=False)
    assert without.schedule.swa is False and without.training.dropout == 0


def test_the_averaging_rate_is_half_of_the_learning_rate_that_is_used():
    def rate(**changes):
        return _phases(_read(**changes))[1].learning_rate

    assert rate(optimizer__learning_rate=0.3) == rate(recipes__random__learning_rate=0.3) == 0.15
    assert rate(recipes__random__swa_learning_rate=0.2) == 0.2
    assert rate(recipes__random__swa_learning_rate=0.2, optimizer__swa_learning_rate=0.7) == 0.7


def test_coefficients_reach_the_method():
    assert _read("l2sp", method__anchor_weight=0.7).method == methods.L2SP(anchor_weight=0.7)
    method = _read("delta_adversarial", method__attack_steps=5, method__feature_weight=2).method
    assert method == methods.DeltaAdversarial(attack_steps=5, feature_weight=2.0)
    assert isinstance(method.feature_weight, float)


def test_a_recipes_coefficient_is_taken_by_the_methods_that_have_it():
    recipe = {"recipes__teacher__feature_weight": 3.0, "recipes__teacher__weight_decay": 0.5}
    assert _read("delta", **recipe).method == methods.Delta(feature_weight=3.0, weight_decay=0.5)
    assert _read("finetune", **recipe).method == methods.Finetune(weight_decay=0.5)
    assert _read("l2sp", **recipe).method == methods.L2SP()
    assert _read("renofeation", **recipe).method == methods.Renofeation()  # It starts elsewhere.
    assert _read("delta", **recipe, method__feature_weight=4.0).method.feature_weight == 4.0


def _tried(**changes) -> list[str]:
    return [str(reference) for reference in _read(**changes).suite().attacks]


def test_presets_bring_their_own_budget():
    assert _read(attack__preset="paper").attack.epsilon == 0.4
    assert _read(attack__preset="suite").attack.epsilon == 0.1
    assert _read(attack__preset="suite", attack__suite=("paper", "pixel")).attack.epsilon == 0.4
    assert _tried(attack__preset="suite", attack__suite=("guide", "l2")) == ["guide", "l2"]
    assert _tried(attack__preset="paper") == ["paper", "disruption"]
    assert _tried(attack__preset="disruption") == ["disruption"]
    assert _tried(attack__core=("bsr stage2",)) == ["pixel", "bsr stage2"]
    assert _read(preset="suite").attack.preset == "suite"
    quick = _read(attack__preset="quick", attack__epsilon=0.02)
    assert quick.suite().attacks == QUICK and quick.suite().headline_images == quick.attack.images
    assert quick.suite().chosen == 3 and _read().suite().chosen == 0
    assert (quick.attack.steps, quick.attack.step_size) == (9, pytest.approx(0.4 * 0.02))
    assert quick.suite().curve == () and _read().suite().curve
    assert _read(preset="suite", attack__preset="paper").attack.preset == "paper"


@pytest.mark.parametrize(("preset", "name"), [("pixel", "core"), *((name, name) for name in SUITES if name != "core")])
def test_a_suite_by_its_name_is_what_the_command_line_tries(preset, name):
    said = _read(attack__preset=preset).suite()
    assert dataclasses.replace(said, name=name) == SUITES[name]()  # "pixel" is the headline's name.


def test_the_surrogate_is_trained_without_the_defenders_coefficients():
    changes = {"attack__preset": "surrogate", "method__feature_weight": 7.0, "optimizer__learning_rate": 0.3}
    run_settings = _read(**changes)
    assert run_settings.method.feature_weight == 7.0 and run_settings.surrogate.method == methods.Renofeation()
    assert run_settings.surrogate.schedule == run_settings.schedule and run_settings.surrogate.surrogate is None
    other = _read(**changes, attack__surrogate="retraining")
    assert other.surrogate.method == methods.Retraining() and not other.surrogate.schedule.swa
    assert _read(preset="suite").surrogate and _read().surrogate is None
    alone = _read(attack__preset="surrogate", attack__surrogate="finetune").surrogate
    averaged = _read(attack__preset="ensemble", attack__surrogate="finetune").surrogate
    assert not alone.schedule.swa and averaged.schedule == dataclasses.replace(alone.schedule, swa=True)


def test_an_attacker_who_copies_the_defence_has_its_method_and_coefficients():
    copied = _read("delta", attack__preset="adaptive", method__feature_weight=7.0)
    for copy in (copied.sibling, copied.twin):
        assert copy.method == methods.Delta(feature_weight=7.0) and copy.schedule == copied.schedule
    assert copied.surrogate is None and _read().sibling is _read().twin is None
    config = get_config()
    config.attack.preset = "adaptive"
    audited = settings.read(config, copied=False)  # How the model was made is not known.
    assert audited.sibling is audited.twin is None
    names = {str(reference) for reference in audited.suite().attacks}
    assert {"sibling", "sibling_disruption", "twin", "twins"} < names


def _leaves(value):
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)
    else:
        yield value


def test_settings_hold_plain_values_that_cannot_be_changed():
    run_settings = _read(attack__preset="suite", attack__suite=("pixel", "surrogate", "sibling", "twin"))
    leaves = list(_leaves(run_settings))
    assert len(leaves) > 60 and all(type(value) in (bool, int, float, str, type(None)) for value in leaves)
    names = [field.name for field in dataclasses.fields(run_settings) if field.name not in ("seed", "has_recipe")]
    parts = [run_settings, *(getattr(run_settings, name) for name in names)]
    assert len(parts) == 11
    for section in parts:
        name = dataclasses.fields(section)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(section, name, getattr(section, name))


def test_the_config_is_only_read():
    config = get_config()
    before = config.to_yaml()
    settings.read(config, "delta", preset="suite")
    assert config.to_yaml() == before and not config.method


def test_json_has_all_that_makes_the_run():
    content = json.loads(json.dumps(_read("delta", attack__preset="surrogate").as_json(), allow_nan=False))
    assert content["format"] == settings.FORMAT == 4
    coefficients = {"weight_decay": 1e-4, "head_decay": 0.01, "feature_weight": 0.5, "feature_scale": "absolute"}
    assert content["method"] == {"name": "delta", **coefficients}
    assert content["networks"]["student"] == "resnet18_cifar" and content["schedule"]["steps"] == 600
    assert "surrogate" not in content  # It follows from the rest.


@pytest.mark.parametrize(
    "changes",
    [
        {"method__feature_weight": 0.51},
        {"method__head_decay": 0.0},
        {"recipes__teacher__momentum": 0.0},
        {"seed": 1},
        {"data__shots": 3},
        {"model__tap": "after_dropout"},
        {"dropout": 0.1},
        {"curve__images": 3},
        {"attack__steps": 3},
    ],
    ids=str,
)
def test_the_identity_differs_where_the_runs_differ(changes):
    changed, usual = _read("delta", **changes), _read("delta")
    assert changed.identity() != usual.identity() == _read("delta").identity()
    assert changed.key != usual.key == _read("delta").key


@pytest.mark.parametrize(
    "changes",
    [
        {"attack__batch_size": 50},
        {"attack__cache": "elsewhere"},
        {"attack__cache_limit": 1.0},
        {"data__tfds_dir": "elsewhere"},
        {"data__cache": True},
        {"data__max_pixels": 1000},
        {"watch__images": 5},
    ],
    ids=str,
)
def test_what_changes_no_number_makes_no_other_run(changes):
    assert _read("delta", **changes).identity() == _read("delta").identity()


def test_a_field_that_came_later_leaves_all_runs_what_they_are():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Later(settings.Attack):
        temperature: float = fields.bounded(neutral=1.0)

    usual = _read("delta")
    later = {value: Later(**vars(usual.attack), temperature=value) for value in (1.0, 2.0)}
    keys = {value: dataclasses.replace(usual, attack=attack).key for value, attack in later.items()}
    assert keys[1.0] == usual.key != keys[2.0]


def test_a_coefficient_that_came_later_leaves_runs_what_they_were_and_readable(monkeypatch):
    usual = _read("delta")
    content = json.loads(json.dumps(usual.as_json()))

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Later(methods.Delta):
        name = "delta"
        sharpness: float = dataclasses.field(default=0.0, metadata={"neutral": 0.0})

    monkeypatch.setitem(methods.METHODS, "delta", Later)
    assert _read("delta").key == usual.key != _read("delta", method__sharpness=1.0).key
    assert settings.restore(content).method == Later()


def test_a_config_json_without_a_setting_that_came_later_is_read():
    usual = _read("delta")
    content = json.loads(json.dumps(usual.as_json()))
    attack = {key: value for key, value in content["attack"].items() if key != "images"}

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Later(settings.Attack):
        images: int = fields.bounded(least=0, neutral=400)

    assert fields.restored(Later, attack, "attack").images == 400
    with pytest.raises(KeyError):
        fields.restored(settings.Attack, attack, "attack")


def test_what_the_surrogate_is_made_by_identifies_a_run():
    plain = _read("delta", preset="suite")
    other = _read("delta", preset="suite", recipes__random__learning_rate=0.5)
    assert other.surrogate.schedule != plain.surrogate.schedule and other.key != plain.key
    assert other.method == plain.method and other.schedule == plain.schedule
    assert "surrogate" not in plain.identity()  # It follows from the rest: committed runs keep their keys.


def test_an_attack_that_the_whole_suite_gains_leaves_all_runs_what_they_are(monkeypatch):
    run_settings = _read(attack__preset="suite")
    attacks, key = run_settings.suite().attacks, run_settings.key
    monkeypatch.setattr(settings.types, "WHOLE", (*settings.types.WHOLE, AttackRef("cleverhans")))
    assert run_settings.suite().attacks == (*attacks, AttackRef("cleverhans")) and run_settings.key == key


@pytest.mark.parametrize("seed", [-1, 2**31, 2**40])
@pytest.mark.parametrize("key", ["seed", "attack__seed"])
def test_a_seed_is_one_that_every_generator_takes(key, seed):
    with pytest.raises(UserError, match="seed must be"):
        _read(**{key: seed})


@pytest.mark.parametrize(
    ("preset", "option", "value"),
    [("disruption", "neuron", 7), ("universal", "restarts", 5), ("disruption", "target_scale", 5.0)],
)
def test_an_option_that_the_attack_does_not_have_is_refused(preset, option, value):
    with pytest.raises(UserError, match=f"{preset} does not have the option {option}; these do: .*pixel"):
        _read(**{"attack__preset": preset, f"attack__{option}": value})
    assert _read(**{f"attack__{option}": value}).suite().options == {option: value}
    assert _read(**{"attack__preset": "suite", f"attack__{option}": value})


@pytest.mark.parametrize("name", METHODS)
def test_json_gives_the_settings_back(name):
    run_settings = _read(name, preset="suite", attack__epsilon=0.05, seed=3, data__shots=7, swa=True)
    content = json.loads(json.dumps(run_settings.as_json()))
    assert settings.restore(content) == dataclasses.replace(run_settings, surrogate=None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "not of format 4"),
        ({"method": None}, "does not hold a run's settings"),
        ({"method": {"name": "none"}}, "unknown method 'none'"),
        ({"method": {"name": "delta"}}, "does not hold a run's settings"),
        ({"schedule": {"steps": 1, "foo": 2}}, "does not hold a run's settings"),
        ({"data": {}}, "does not hold a run's settings"),
        ({"attack": {"preset": "pixel"}}, "does not hold a run's settings"),
        ({"seed": "x"}, "config.json.seed must be a whole number"),
    ],
)
def test_other_json_gives_none(change, message):
    with pytest.raises(UserError, match=message):
        settings.restore({**json.loads(json.dumps(_read("delta").as_json())), **change})
    with pytest.raises(UserError, match="not of format 4"):
        settings.restore([1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attack__preset": "pixels"}, "unknown attack preset 'pixels'; did you mean pixel.* choose one of: "),
        ({"attack__preset": "quik"}, "unknown attack preset 'quik'; did you mean quick"),
        ({"data__name": "cats"}, "unknown config.data.name 'cats'; choose one of: "),
        (
            {"model__backbone": "vgg"},
            "unknown config.model.backbone 'vgg'; did you mean keras_vgg16 or keras_vgg19.* choose",
        ),
        ({"model__student": "vgg"}, "unknown config.model.student 'vgg'"),
        ({"model__taps": ("a",)}, "config.model.taps goes with the backbones keras_"),
        ({"model__batch_norm_momentum": 1.0}, "config.model.batch_norm_momentum must be in"),
        ({"model__tap": "between"}, "choose one of: after_dropout, before_dropout"),
        ({"distribution": "all"}, "unknown config.distribution 'all'; choose one of: mirrored, multi_worker, none"),
        ({"split": "train"}, "unknown config.split 'train'; choose one of: test, validation"),
        ({"split": "validation", "data__validation_per_class": 0}, "needs config.data.validation_per_class"),
        ({"attack__suite": ("pixels",)}, "unknown attack 'pixels'; did you mean pixel"),
        ({"attack__core": ("disruptions stage1",)}, "unknown attack 'disruptions'; did you mean disruption"),
        ({"attack__suite": (), "attack__preset": "suite"}, "a suite needs an attack .config.attack.suite"),
        ({"attack__images": -1}, "config.attack.images must be at least 0, not -1"),
        ({"attack__surrogate": "distil"}, "unknown config.attack.surrogate 'distil'; choose one of: "),
        ({"attack__restarts": 0}, "config.attack.restarts must be at least 1, not 0"),
        ({"attack__cache_limit": -1.0}, "config.attack.cache_limit must be at least 0, not -1.0"),
        ({"attack__seed": -1}, "config.attack.seed must be at least 0, not -1"),
        ({"attack__seed": 2**31}, "config.attack.seed must be below 2147483648"),
        ({"attack__neurons": (0, -1)}, "config.attack.neurons must be at least 0, not -1"),
        ({"curve__factors": (0.5, -2.0)}, "config.curve.factors must be at least 0, not -2.0"),
        ({"curve__factors": (float("nan"),)}, "config.curve.factors must be a finite number, not nan"),
        ({"data__size": 0}, r"config.data.size must be in \[1, 8192\), not 0"),
        ({"data__max_pixels": 0}, "config.data.max_pixels must be at least 1, not 0"),
        ({"attack__epsilon": 8.0}, r"config.attack.epsilon counts \[0, 1\] pixels.* at most 1.*8 of 255 is 0.0314$"),
        ({"attack__epsilon": 8}, "config.attack.epsilon counts"),
        ({"attack__epsilon": 300.0}, "config.attack.epsilon counts .*not 300$"),
        ({"attack__step_size": 2.0}, "config.attack.step_size counts .*; 2 of 255 is 0.0078$"),
        ({"attack__epsilon": 8.0, "attack__preset": "suite"}, "config.attack.epsilon counts .*0, 1"),
        ({"attack__epsilon": 8.0, "attack__preset": "quick"}, "config.attack.epsilon counts .*0, 1"),
        (
            {"attack__epsilon": 8.0, "attack__preset": "reference"},
            "counts pixels after the mean/std .*at most 4.4, not 8$",
        ),
        ({"attack__epsilon": 8.0, "attack__preset": "l2"}, "counts the length of noise .*at most 1.73, not 8$"),
        ({"seed": 2**31}, "config.seed must be below 2147483648"),
        ({"steps__train": 0}, "config.steps.train must be at least 1, not 0"),
        ({"steps__train": 10**30}, "config.steps.train must be below"),
        ({"attack__steps": -1}, "config.attack.steps must be at least 0, not -1"),
        ({"attack__epsilon": float("nan")}, "config.attack.epsilon must be a finite number, not nan"),
        ({"steps__train": -5}, "config.steps.train must be at least 1, not -5"),
        ({"interval": 7}, r"the interval \(7\) must divide the 600 steps of the phase train"),
        ({"dropout": 1.5}, r"config.dropout must be in \[0, 1\), not 1.5"),
        ({"optimizer__momentum": 1.0}, r"config.optimizer.momentum must be in \[0, 1\), not 1.0"),
        ({"optimizer__learning_rate": -0.1}, "config.optimizer.learning_rate must be at least 0, not -0.1"),
        ({"optimizer__learning_rate": float("nan")}, "config.optimizer.learning_rate must be a finite number, not nan"),
        ({"optimizer__swa_learning_rate": float("inf")}, "config.optimizer.swa_learning_rate must be a finite number"),
        ({"steps__swa_period": 10**6}, "config.steps.swa_period must be from 1 to config.steps.swa"),
        ({"seed": -1}, "config.seed must be at least 0, not -1"),
        (
            {"method__foo": 1},
            "renofeation has no coefficient foo .*; choose one of: ",
        ),
        ({"method__anchor_weight": 1.0}, "renofeation has no coefficient anchor_weight"),
        ({"method__feature_weight": "abc"}, "config.method.feature_weight must be a number, not 'abc'"),
        ({"method__feature_weight": True}, "config.method.feature_weight must be a number, not True"),
        ({"method__feature_weight": None}, "config.method.feature_weight must be a number, not None"),
        ({"method__feature_weight": float("nan")}, "config.method.feature_weight must be a finite number, not nan"),
        ({"method__feature_weight": -1}, "feature_weight must not be negative, not -1.0"),
        (
            {"recipes__random__learning_rat": 1.0},
            "unknown key in config.recipes.random 'learning_rat'; did you mean learning_rate",
        ),
        ({"recipes__random__learning_rate": "abc"}, "config.recipes.random.learning_rate must be a number, not 'abc'"),
        ({"recipes__random__learning_rate": True}, "config.recipes.random.learning_rate must be a number, not True"),
        ({"recipes__random__train": 2.5}, "config.recipes.random.train must be a whole number, not 2.5"),
        ({"recipes__random__feature_weight": ()}, r"config.recipes.random.feature_weight must be a number, not \(\)"),
    ],
)
def test_mistakes_name_the_key_and_the_choices(changes, message):
    with pytest.raises(UserError, match=message) as refused:
        _read(**changes)
    assert "\n" not in str(refused.value)


_ANY = (-1, 0, 0.0, -1.0, 1e30, 10**30, 2**31, 255, float("nan"), float("inf"), -float("inf"), "x", True, (), (-1.0,))


def _keys(config, prefix=""):
    for key, value in config.items():
        yield from _keys(value, f"{prefix}{key}.") if hasattr(value, "items") else [prefix + key]


@pytest.mark.parametrize("key", list(_keys(get_config())))
def test_any_number_is_taken_or_refused_by_its_key(key):
    """By its own key, so that nothing is begun which ends later: a seed of -1 did after the training."""
    for value in _ANY:
        config = get_config().unlock()
        *sections, leaf = key.split(".")
        owner = config
        for section in sections:
            owner = owner[section]
        with owner.ignore_type():
            owner[leaf] = value
        read = {"watch": settings.read_watch, "pretrain": settings.read_pretrain}.get(key.split(".")[0], settings.read)
        try:
            read(config)
        except UserError as error:
            assert "\n" not in str(error) and (leaf in str(error) or "interval" in str(error)), error


@pytest.mark.parametrize("epsilon", [1.0, 8 / 255, 0.0])
def test_a_budget_in_pixels_may_be_the_whole_range(epsilon):
    assert _read(attack__epsilon=epsilon).attack.epsilon == epsilon
    assert _read(attack__epsilon=4.0, attack__preset="reference").attack.step_size == 0.4
    assert _read(attack__epsilon=1.7, attack__preset="l2").attack.epsilon == 1.7


@pytest.mark.parametrize("name", ["inoculation", "pubdef"])
def test_where_a_method_starts_may_be_a_coefficient_and_decides_the_recipe(name):
    recipes = {"recipes__teacher__learning_rate": 0.25, "recipes__random__learning_rate": 0.5}
    for start, rate in (("teacher", 0.25), ("random", 0.5)):
        run_settings = _read(name, method__start=start, **recipes)
        assert (run_settings.method.start, run_settings.schedule.learning_rate) == (start, rate)
    with pytest.raises(UserError, match="unknown config.method.start 'randm'; did you mean random"):
        _read(name, method__start="randm")
    with pytest.raises(UserError, match="config.method.start must be text, not 3"):
        _read(name, method__start=3)
    with pytest.raises(UserError, match="delta has no coefficient start"):
        _read("delta", method__start="random")
    with pytest.raises(UserError, match="unknown key in config.recipes.teacher 'start'"):
        _read(name, recipes__teacher__start="random")


def test_half_a_batch_has_an_image():
    with pytest.raises(UserError, match="^pubdef needs config.batch_size of at least 2, not 1$"):
        _read("pubdef", batch_size=1)
    assert _read("pubdef", batch_size=2).training.batch_size == _read("delta", batch_size=1).training.batch_size + 1


def test_a_run_from_before_inoculation_had_options_is_the_same_run():
    run_settings = _read("inoculation")
    content = run_settings.as_json()
    later = {"start", "fades"}
    assert later <= content["method"].keys() and not later & run_settings.identity()["method"].keys()
    del content["method"]["start"], content["method"]["fades"]
    assert settings.restore(content).method == run_settings.method


@pytest.mark.parametrize("method", ["inoculation", "delta_adversarial", "vaccination", "pubdef"])
def test_a_methods_budget_is_in_pixels_too(method):
    with pytest.raises(UserError, match=f"{method}: epsilon counts .*; 8 of 255 is 0.0314"):
        _read(method, method__epsilon=8)


def test_a_phase_may_be_shorter_than_the_interval():
    assert [phase.interval(600) for phase in _phases(_read(interval=600))] == [600, 200]


def test_l2sp_has_no_weight_decay_to_set():
    with pytest.raises(UserError, match="l2sp has no coefficient weight_decay .*anchor_weight"):
        _read("l2sp", method__weight_decay=0.1)
    with pytest.raises(UserError, match=r"config.method.attack_steps must be a whole number, not 2.5"):
        _read("delta_adversarial", method__attack_steps=2.5)


def test_sections_that_other_modes_read():
    config = get_config()
    assert settings.read_networks(config).student == "resnet18_cifar"
    assert settings.read_data(config) == _read().data
    assert settings.read_pretrain(config).steps == 3000
    config.pretrain.steps = 0
    with pytest.raises(UserError, match="config.pretrain.steps must be at least 1, not 0"):
        settings.read_pretrain(config)
    with pytest.raises(UserError, match="no config key config.data.sise; did you mean size"):
        settings.read_data(ConfigDict({"data": {**config.data, "sise": 3}}))


def test_a_recipe_may_change_the_schedule_and_any_coefficient():
    schedule = {"learning_rate", "momentum", "swa_learning_rate", "train", "swa", "swa_period", "passes"}
    coefficients = {field.name for method in METHODS.values() for field in dataclasses.fields(method)}
    assert set(settings.recipe_keys()) == schedule | coefficients - {"start"}
    assert coefficients > {"weight_decay", "feature_weight", "anchor_weight", "epsilon", "attacked", "mask_steps"}
