"""One evaluation: several attacks, their worst case, the controls; on a linear network."""

import dataclasses
import functools
import weakref

import numpy as np
import pytest
from conftest import tiny
from toys import CLASSES, linear_teacher

from configs.default import get_config
from reno_tf import attacks, models, reporting, settings
from reno_tf.data import Dataset, Split
from reno_tf.errors import UserError
from reno_tf.evaluation import measure, predict, suite, surrogate
from reno_tf.training import Transfer, students


def _settings(method="finetune", **changes):
    config = get_config()
    config.attack.update({"steps": 4, "step_size": 0.1, "epsilon": 0.3, "batch_size": 8, "own_images": 5})
    config.attack.update(changes)
    config.curve.update({"images": 8, "factors": (2.0,)})
    config.steps.update({"train": 2, "swa": 2, "swa_period": 1})
    config.update({"batch_size": 4, "interval": 1})
    return settings.read(config, method)


@pytest.fixture(scope="module")
def student():
    return linear_teacher(seed=4)


@pytest.fixture(scope="module")
def dataset(student):
    rng = np.random.default_rng(0)

    def split(count):
        images = rng.integers(0, 256, [count, 4, 4, 3]).astype(np.uint8)
        return Split(images, predict(student, images.astype(np.float32) / 255))  # All are right.

    return Dataset("toy", ["a", "b", "c"], split(6), split(9), split(12))


def _target(chosen, dataset, student, **others):
    networks = {"teacher": linear_teacher(), "student": student}
    known = {name: (model, models.sha256(models.save(model))) for name, model in networks.items()}
    return suite.target(chosen, dataset, known | others)


def _measure(chosen, dataset, student, **options):
    return measure.measure(chosen, _target(chosen, dataset, student), dataset, undefended=True, **options)


def _crafters(chosen, target):
    """{name: attack} of everything that the settings run."""
    found = {}
    for name in chosen.attack.names:
        entry = attacks.ATTACKS[name]
        model = target.networks[entry.network][0]
        others = {"own": target.own_images, "attacked": target.images, None: None}[entry.others]
        for label, attack in entry.attacks(model, **chosen.attack.changes).items():
            found[f"{name} {label}".strip()] = attack.on(model, chosen.attack.budget, others=others)
    return found


def test_a_suite_is_as_strong_as_its_worst_case_and_the_white_box_does_not_count(tmp_path, dataset, student):
    names = ("pixel", "neurons", "universal", "white_box")
    chosen = _settings(preset="suite", suite=names, neurons=(0, 5), cache=str(tmp_path))
    measured = _measure(chosen, dataset, student)
    images, labels = dataset.test.floats(), dataset.test.labels
    hits = {
        name: np.asarray(student(attack(images))["logits"]).argmax(1) != labels
        for name, attack in _crafters(chosen, _target(chosen, dataset, student)).items()
    }
    assert list(hits) == ["pixel", "neurons neuron 0", "neurons neuron 5", "universal", "white_box"]
    results, rows = measured.results, {row["name"]: row for row in measured.results["suite"]}
    for name, hit in hits.items():
        assert rows[name]["attack_success_rate"] == pytest.approx(hit.mean()), name
        assert ("outside the threat model" in (rows[name]["outside"] or "")) == (name == "white_box")
    both = hits["neurons neuron 0"] | hits["neurons neuron 5"]
    assert rows["neurons, worst case of 2"]["attack_success_rate"] == pytest.approx(both.mean())
    assert results["attack_success_rate"] == pytest.approx((hits["pixel"] | both | hits["universal"]).mean())
    assert results["attack"]["preset"] == "suite" and results["attack"]["neuron"] == 0
    assert results["num_attacked"] == 12 and results["clean_accuracy"] == 1


def test_the_controls_of_an_evaluation(tmp_path, dataset, student):
    chosen = _settings(cache=str(tmp_path))
    measured = _measure(chosen, dataset, student)
    assert measured.results["suite"] == []
    assert [point["epsilon"] for point in measured.curve] == pytest.approx([0, 0.3, 0.6])
    assert [point["num_images"] for point in measured.curve] == [8, 12, 8]
    assert measured.curve[0]["attack_success_rate"] == 0 and measured.curve[0]["noise_success_rate"] == 0
    attack = attacks.penultimate_pgd(linear_teacher(), epsilon=0.3, step_size=0.1, steps=4)
    images = dataset.test.floats()[:8]
    nowhere = attack.within(attacks.Budget(epsilon=0.3, step_size=0.1, steps=0))
    expected = [np.mean(attack.loss(x)) for x in (nowhere(images), attack(images))]
    assert len(measured.convergence) == 5
    np.testing.assert_allclose([measured.convergence[0], measured.convergence[-1]], expected, rtol=1e-5)
    names = ["converged", "zero epsilon", "stronger than noise", "rises with epsilon", "large epsilon"]
    assert [row["name"] for row in measured.results["checks"]] == names


def test_the_exposure_is_each_attacks_success_at_several_epsilon(dataset, student):
    chosen = _settings(preset="suite", suite=("pixel", "neurons"), neurons=(0, 5), cache="")
    chosen = dataclasses.replace(chosen, report=dataclasses.replace(chosen.report, curve_factors=(0.5, 2.0)))
    rows = _measure(chosen, dataset, student, exposure=True).exposure
    assert [row["name"] for row in rows] == ["pixel", "neurons"]
    crafters, labels = _crafters(chosen, _target(chosen, dataset, student)), dataset.test.labels[:8]
    for row, names in zip(rows, (["pixel"], ["neurons neuron 0", "neurons neuron 5"]), strict=True):
        assert list(row["rates"]) == ["0.15", "0.3"]
        for factor, rate in zip((0.5, 1.0), row["rates"].values(), strict=True):
            found = [attack.within(attack.budget.scaled(factor)) for name, attack in crafters.items() if name in names]
            wrong = [predict(student, attack(dataset.test.floats()[:8]).numpy()) != labels for attack in found]
            assert rate == pytest.approx(np.any(wrong, axis=0).mean())
    assert _measure(chosen, dataset, student).exposure == []


def test_one_attack_is_in_memory_at_a_time_and_the_cache_keeps_its_limit(tmp_path, dataset, student, monkeypatch):
    alive, most, sizes, make = weakref.WeakSet(), [], [], attacks.Crafter.__init__

    def count(crafter, *arguments, **options):
        alive.add(crafter)
        most.append(len(alive))
        sizes.append(sum(path.stat().st_size for path in tmp_path.glob("*.npy")))
        make(crafter, *arguments, **options)

    monkeypatch.setattr(attacks.Crafter, "__init__", count)
    names = ("pixel", "neurons", "stages", "joint", "disruption", "guide", "universal", "universal_lift")
    limit = 2.5 * (128 + 12 * 4 * 4 * 3 * 4 + 32)  # Bytes of a set, with its header and checksum.
    chosen = _settings(preset="suite", suite=names, cache=str(tmp_path), cache_limit=limit / 1e9)
    assert len(_measure(chosen, dataset, student).results["suite"]) == 14
    assert len(most) == 12 and max(most) == 1
    assert 0.5 * limit < max(sizes) <= limit


def test_the_next_student_costs_its_forward_passes_only(tmp_path, dataset, student, monkeypatch):
    chosen = _settings(cache=str(tmp_path), preset="suite", suite=("pixel", "universal", "guide"))
    first = _measure(chosen, dataset, student)
    for kind in (attacks.PGD.crafter, attacks.Universal.crafter):
        monkeypatch.setattr(kind, "_attack", lambda *_: pytest.fail("crafted again"))
        monkeypatch.setattr(kind, "trace", lambda *_: pytest.fail("traced again"))
    _measure(chosen, dataset, linear_teacher(seed=5))
    again = _measure(chosen, dataset, student)
    assert again.results | {"seconds": None} == first.results | {"seconds": None}
    assert again.curve == first.curve


@pytest.mark.parametrize("preset", ["universal", "l2", "white_box", "stages"])
def test_any_attack_can_be_the_only_one(dataset, student, preset):
    chosen = _settings(preset=preset, cache="")
    measured = _measure(chosen, dataset, student)
    assert measured.curve[0]["epsilon"] == 0 and measured.curve[0]["attack_success_rate"] == 0
    assert len(measured.results["suite"]) == (3 if preset == "stages" else 0)  # two stages and their worst case
    assert all(row["outside"] is None for row in measured.results["suite"])
    attack, asr = measured.results["attack"], measured.results["attack_success_rate"]
    assert attack["source"] == ("student" if preset == "white_box" else "teacher")
    assert (attack["outside"] is not None) == (preset in ("l2", "white_box"))
    first, *_ = _crafters(chosen, _target(chosen, dataset, student)).values()
    hit = np.asarray(student(first(dataset.test.floats()))["logits"]).argmax(1) != dataset.test.labels
    assert asr == pytest.approx(hit.mean()) if preset != "stages" else asr >= hit.mean()


def test_a_report_says_which_model_was_attacked(tmp_path, dataset, student):
    teacher, chosen = {"name": "toy/weights", "sha256": "0" * 64}, _settings(preset="white_box", cache="")
    measured = _measure(chosen, dataset, student)
    facts = {"method": "finetune", "seed": 0, "split": "test", "teacher": teacher, "dataset": dataset.facts()}
    facts["audit"] = {"exposure": [{"name": "white_box", "outside": "", "rates": {"0.1": 0.5}}], "comparison": []}
    facts["audit"] |= {"input_range": "0..1", "asked": {}, "label_order": [0, 1, 2], "image_size": [4, 4]}
    results = facts | measured.results
    pieces = {"curve": measured.curve, "convergence": measured.convergence, "config": chosen.as_json()}
    pieces["examples"] = reporting.Examples.choose(
        dataset.test, measured.shown, dataset.class_names, **measured.answers
    )
    for source, told in {
        "student": "the attack on the student itself, which the attacker does not have turns",
        "teacher": "the attack through toy/weights, the public teacher turns",
        "surrogate": "the attack through a student of the attacker's own, made from toy/weights turns",
    }.items():
        results["attack"]["source"] = source
        reporting.write(tmp_path, results=results, history=[], seen=None, command="", **pieces)
        assert told in (tmp_path / "report.md").read_text(), source
    assert "(outside the threat model: it has the student)" in (tmp_path / "report.md").read_text()


def _surrogate_settings(**changes):
    config = get_config()
    config.attack.update({"preset": "surrogate", "surrogate": "finetune"})
    config.steps.train = 2
    config.update({"batch_size": 4, "interval": 1, **changes})
    return settings.read(config).surrogate


@pytest.fixture
def toy_students(monkeypatch):
    """Untrained students are linear networks."""

    def build(chosen, num_classes):
        assert num_classes == CLASSES
        return linear_teacher(seed=chosen.seed)

    monkeypatch.setattr(students, "build_student", build)


def _teacher():
    model = linear_teacher()
    return model, models.sha256(models.save(model))


def test_the_surrogate_is_trained_once_and_on_the_attackers_images_alone(
    tmp_path, dataset, student, monkeypatch, toy_students
):
    chosen, teacher = _surrogate_settings(), _teacher()
    train = functools.partial(surrogate.train_once, chosen, tmp_path)
    model, digest = train(dataset, teacher)
    assert digest == models.sha256(models.save(model)) != models.sha256(models.save(student))

    def fail(*_):
        raise RuntimeError("trained again")

    monkeypatch.setattr(Transfer, "train_step", fail)
    others = Dataset("toy", dataset.class_names, dataset.test, dataset.validation, dataset.train)
    assert train(others, teacher)[1] == digest
    attacked = _settings(preset="surrogate", surrogate="finetune", cache="")
    target = _target(attacked, dataset, student, surrogate=(model, digest))
    (outcome,) = suite.run(attacked.attack, target)
    assert outcome.network == "surrogate" and outcome.outside is None
    with pytest.raises(RuntimeError, match="trained again"):
        train(Dataset("toy", dataset.class_names, dataset.train, dataset.test, dataset.train), teacher)


def test_the_surrogate_of_a_folder_that_cannot_be_written_is_not_kept(dataset, monkeypatch, toy_students):
    warnings = []
    monkeypatch.setattr(surrogate.logging, "warning", lambda text, *values: warnings.append(text % values))
    model, digest = surrogate.train_once(_surrogate_settings(), "/proc", dataset, _teacher())
    assert digest == models.sha256(models.save(model))
    assert len(warnings) == 1 and warnings[0].startswith("/proc: ") and "is not kept" in warnings[0]


def test_the_surrogate_of_a_mixed_run_is_attacked_in_float32(tmp_path, dataset, images, monkeypatch):
    def build(chosen, num_classes):
        return tiny(num_classes=num_classes, precision=chosen.training.precision)

    monkeypatch.setattr(students, "build_student", build)
    teacher = tiny()
    known = (teacher, models.sha256(models.save(teacher)))
    model, _ = surrogate.train_once(_surrogate_settings(precision="mixed_bfloat16"), tmp_path, dataset, known)
    assert not models.is_mixed(model)
    (attack,) = attacks.build(
        "surrogate", model, attacks.Budget(steps=1)
    ).values()  # Freezes it, and checks that it can.
    assert (attack(images) != images).numpy().any()


def test_what_cannot_be_done_is_said_before_the_training(dataset):
    teacher = linear_teacher()
    with pytest.raises(UserError, match="neuron must be from 0 to 5, not 16"):
        suite.check(_settings(neuron=16), teacher, dataset)
    with pytest.raises(UserError, match="the surrogate learns from the validation split"):
        empty = Dataset("toy", dataset.class_names, dataset.train, dataset.test.take([]), dataset.test)
        suite.check(_settings(preset="surrogate"), teacher, empty)


def test_the_attackers_own_images_are_not_the_attacked(dataset, student):
    target = _target(_settings(), dataset, student)
    validation = {image.tobytes() for image in dataset.validation.floats()}
    assert len(target.own_images) == 5 and {image.tobytes() for image in target.own_images} <= validation
