"""From the paper's tables to runs: each once, with the settings that the table is about."""

import itertools

import pytest

from configs import reproduce
from reno_tf import methods, settings
from reno_tf.commands.reproducing import planning
from reno_tf.commands.reproducing.planning import Plan
from reno_tf.errors import UserError
from reno_tf.reproduction.artefacts import ARTEFACTS, Artefact, Row


def _plan(name, scale="embedded", **changes):
    config = reproduce.get_config(f"{name},{scale}")
    config.reproduce.update(changes)
    return Plan(config)


def _settings(planned):
    return settings.read(planned.config, planned.method)


def _names(plan):
    return [str(row.run("DATA", 0)) for row in plan.rows]


def test_tables_share_their_runs():
    together = _names(_plan("all"))
    assert len(together) == len(set(together))
    alone = {name for artefact in reproduce.ARTEFACTS for name in _names(_plan(artefact))}
    assert set(together) == alone
    assert "delta-resnet18-DATA-0" in set(_names(_plan("table2"))) & set(_names(_plan("table4")))
    # Figure 3's last row of DELTA-R is Renofeation itself.
    assert "renofeation-resnet18-DATA-0" in _names(_plan("figure3"))


def test_a_row_that_a_claim_rests_on_has_all_its_seeds():
    plan = _plan("all", seeds=5, few_seeds=2)
    seeds = {str(row.run("DATA", 0)): len(plan.seeds(row)) for row in plan.rows}
    assert seeds["retraining-resnet18-DATA-0"] == 5
    assert seeds["delta@0.33-resnet18-DATA-0"] == seeds["delta_r+swa-resnet18-DATA-0"] == 5
    assert seeds["delta@0.66-resnet18-DATA-0"] == seeds["retraining@0.33-resnet18-DATA-0"] == 2
    assert seeds["delta-mobilenetv2-DATA-0"] == seeds["remos-resnet18-DATA-0"] == 2
    assert seeds["delta_adversarial-resnet18-DATA-0"] == 5  # Table 6 alone would have the few.


def test_of_two_rows_of_one_run_the_one_with_all_its_seeds_counts(monkeypatch):
    plan = _plan("table2")
    for rests in ((True, False), (False, True)):
        rows = tuple(Row(label="DELTA", method="delta", network="resnet18", few=few) for few in rests)
        monkeypatch.setitem(planning.ARTEFACTS, "table2", lambda _, rows=rows: Artefact(title="", rows=rows))
        assert [row.few for row in plan.rows] == [False]


@pytest.mark.parametrize("scale", ["embedded", "paper"])
def test_every_run_can_be_read(scale):
    plan = _plan("all", scale)
    for row in plan.rows:
        for data in plan.recipe.data:
            run_settings = _settings(plan.run(row, data, 3, {}))
            assert (run_settings.seed, run_settings.data.name, run_settings.report.split) == (3, data, "test")
            assert run_settings.method.name == row.method
    held_out = {"embedded": 20, "paper": 5}[scale]
    for _, planned in plan.trials():
        run_settings = _settings(planned)
        assert (run_settings.report.split, run_settings.data.validation_per_class) == ("validation", held_out)
    # The paper trains on all training images.
    assert scale == "embedded" or plan.run(plan.rows[0], "birds", 0, {}).config.data.validation_per_class == 0


def test_transfer_is_attacked_by_who_copies_the_method():
    plan = _plan("defences", "transfer")
    for row, data in itertools.product(plan.rows, ("trashnet", "signs", "solar")):
        planned = plan.run(row, data, 0, {})
        run_settings = _settings(planned)
        assert run_settings.sibling and run_settings.sibling.method == run_settings.method
        assert (run_settings.data.size, run_settings.attack.epsilon) == (64, 0.02)
        planned.config.data.dir = "where/archives/lie"
        assert _settings(planned).key == run_settings.key


def test_photographs_have_every_method_in_three_seeds():
    plan = _plan("methods", "photos")
    assert {row.method for row in plan.rows} == set(methods.METHODS) and not plan.trials() and not plan.weights()
    for row in plan.rows:
        run_settings = _settings(plan.run(row, "solar", 2, {}))
        assert list(plan.seeds(row)) == [0, 1, 2] and run_settings.networks.weights == "imagenet"
        assert (run_settings.data.name, run_settings.data.size, run_settings.attack.epsilon) == ("solar", 128, 0.02)
        assert getattr(run_settings.method, "feature_scale", "relative") == "relative"
        assert getattr(run_settings.method, "epsilon", 0.02) == 0.02
        factor = run_settings.method.step_factor
        assert run_settings.schedule.steps == factor * (400 if run_settings.method.start == "teacher" else 800)


def test_a_rows_changes_reach_the_run():
    plan = _plan("all", "paper")
    rows = {str(row.run("birds", 0)): row for row in plan.rows}

    def settings_of(name):
        return _settings(plan.run(rows[f"{name}-birds-0"], "birds", 0, {}))

    assert settings_of("delta@0.33-resnet18").data.fraction == 0.33
    assert settings_of("delta_r+dropout-resnet18").training.dropout == 0.1
    assert settings_of("delta_r+swa-resnet18").schedule.swa and not settings_of("delta_r-resnet18").schedule.swa
    assert settings_of("delta@lambda=10-resnet18").method.feature_weight == 10
    assert settings_of("renofeation-mobilenetv2").networks.backbone == "mobilenet_v2"
    assert settings_of("renofeation-resnet18").method.feature_weight == 1  # The paper's, for birds.
    assert settings_of("delta-resnet18").schedule.learning_rate == 0.01


def test_a_rows_coefficient_wins_over_the_one_that_was_chosen():
    plan = _plan("figure4", tuned=("delta",))
    all_settings = [_settings(plan.run(row, "greek", 0, {"feature_weight": 7.0})) for row in plan.rows]
    assert [one.method.feature_weight for one in all_settings] == [0.05, 0.5, 5.0, 50.0]


def test_the_grid_is_the_papers_and_its_choice_goes_to_the_methods_that_take_it():
    plan = _plan("table2")
    tried = [values for values, planned in plan.trials() if planned.data == "greek"]
    assert len(tried) == 8 and {"learning_rate": 0.005, "momentum": 0.0, "weight_decay": 1e-4} in tried
    assert len(plan.weights()) == 4
    assert not _plan("table7").trials() and not _plan("table7").weights()  # Random starts are not tuned.
    rows = {row.method: row for row in plan.rows}
    choice = {"learning_rate": 0.007, "weight_decay": 0.03, "feature_weight": 0.25}
    for name, learning_rate, weight_decay in (
        ("finetune", 0.007, 0.03),
        ("delta", 0.007, 0.03),
        ("l2sp", 0.007, 0.0),  # Its anchor takes the place of weight decay.
        ("retraining", 0.01, 5e-3),
    ):
        run_settings = _settings(plan.run(rows[name], "greek", 0, choice))
        assert (run_settings.schedule.learning_rate, run_settings.method.weight_decay) == (
            learning_rate,
            weight_decay,
        ), name
    assert _settings(plan.run(rows["delta"], "greek", 0, choice)).method.feature_weight == 0.25
    values, planned = plan.trials()[0]
    trial = _settings(planned)
    assert values == {
        "learning_rate": trial.schedule.learning_rate,
        "momentum": trial.schedule.momentum,
        "weight_decay": trial.method.weight_decay,
    }


def test_weights_are_averaged_at_half_the_learning_rate():
    plan = _plan("all")
    rows = {str(row.run("greek", 0)): row for row in plan.rows}
    choice = {"learning_rate": 0.008}
    for name, rate in {
        "delta+swa": 0.004,
        "delta_adversarial+dropout+swa": 0.004,
        "delta_r+swa": 0.005,  # half of 0.01: random starts are not tuned
        "renofeation": 0.005,
    }.items():
        run_settings = _settings(plan.run(rows[f"{name}-resnet18-greek-0"], "greek", 0, choice))
        assert run_settings.method.phases(run_settings.schedule)[1].learning_rate == rate, name


def test_adversarial_training_is_at_the_attacks_budget():
    plan = _plan("table6")
    rows = {row.method: row for row in plan.rows}
    for data, epsilon in (("digits", 0.1), ("greek", 0.025)):
        run_settings = _settings(plan.run(rows["delta_adversarial"], data, 0, {}))
        assert run_settings.method.epsilon == run_settings.attack.epsilon == epsilon
        plain = _settings(plan.run(rows["delta"], data, 0, {}))
        assert plain.method == methods.Delta()  # It has no use for it.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"artefacts": ("table9",)}, "unknown name in config.reproduce.artefacts 'table9'"),
        ({"seed": 3}, "no config key config.reproduce.seed; did you mean seeds"),
        ({"data": ("digits", "greek", "digits")}, "config.reproduce.data has digits twice"),
        ({"seeds": -2}, "config.reproduce.seeds must be at least 1, not -2"),
        ({"few_seeds": 0}, "config.reproduce.few_seeds must be at least 1, not 0"),
        ({"suite_seeds": -1}, "config.reproduce.suite_seeds must be at least 0, not -1"),
        ({"cpus": 0}, "config.reproduce.cpus must be at least 1, not 0"),
        ({"gpus": -0.5}, "config.reproduce.gpus must be at least 0, not -0.5"),
        ({"feature_weights": ("a",)}, "each of config.reproduce.feature_weights must be a number, not 'a'"),
        ({"shares": {"half": "a half"}}, "config.reproduce.shares.half must be a number, not 'a half'"),
        ({"grid": {"momentum": ("x",)}}, "each of config.reproduce.grid.momentum must be a number, not 'x'"),
        ({"matched": {"weight": 1.0}}, "no config key config.reproduce.matched.weight; did you mean feature_weight"),
        ({"matched": {"data": ("digit",)}}, "unknown name in config.reproduce.matched.data 'digit'"),
        ({"networks": (("resnet18",),)}, "each of config.reproduce.networks must be a name of the paper's and"),
        ({"grid": {"learning_rat": (0.1,)}}, "unknown name in config.reproduce.grid 'learning_rat'"),
        ({"data": ()}, "config.reproduce.data must not be empty"),
        ({"feature_weights": ()}, "config.reproduce.feature_weights must not be empty"),
        ({"data": ("digit",)}, "unknown name in config.reproduce.data 'digit'; did you mean digits"),
        ({"tuned": ("l2-sp",)}, "unknown name in config.reproduce.tuned 'l2-sp'"),
        ({"networks": (("resnet", "resnet18_cifar"),)}, "unknown name in config.reproduce.networks 'resnet'"),
        ({"networks": (("resnet18", "resnet"),)}, "unknown backbone in config.reproduce.networks 'resnet'"),
        ({"settings": {"greeks": {}}}, "unknown name in config.reproduce.settings 'greeks'"),
        ({"settings": {"greek": {"atack": {}}}}, "config.reproduce.settings of greek: .*atack"),
        ({"settings": {"greek": {"attack": {"epsilom": 1.0}}}}, "config.reproduce.settings of greek: .*epsilom"),
    ],
)
def test_mistakes_show_at_once(changes, message):
    with pytest.raises(UserError, match=message):
        _plan("table2", **changes)


def test_a_table_without_any_data_set_is_refused():
    with pytest.raises(UserError, match="data has no data set of table7_matched: digits, greek, georgian"):
        _plan("table7_matched", data=("armenian",))


def test_a_key_that_is_lacking_is_named():
    config = reproduce.get_config("table2")
    del config.reproduce.held_out
    with pytest.raises(UserError, match=r"config\.reproduce lacks held_out"):
        Plan(config)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("table2,tiny", "no scale 'tiny'; .*scales: embedded, photos, transfer, paper"),
        ("table9", "no artefact 'table9'; .*artefacts: all, methods, table2, "),
        ("", "no artefact ''"),
        ("table2,paper,3", "no scale 'paper,3'"),
        ("paper", "no artefact 'paper'"),
        ("table7_matched,photos", "no artefact 'table7_matched'"),
        ("methods,transfer", "no artefact 'methods'; .*artefacts: all, defences"),
        ("defences", "no artefact 'defences'"),
    ],
)
def test_an_unknown_name_is_refused(which, message):
    with pytest.raises(ValueError, match=message):
        reproduce.get_config(which)


def test_a_config_names_what_to_make_and_at_what_scale():
    assert {*reproduce.ARTEFACTS, "defences"} == ARTEFACTS.keys()
    for which, names, scale in (
        ("all", reproduce.ARTEFACTS, "embedded"),
        ("figure1", ("figure1",), "embedded"),
        ("methods,photos", ("methods",), "photos"),
        ("all,transfer", ("defences",), "transfer"),
    ):
        made = reproduce.get_config(which).reproduce
        assert (made.artefacts, made.scale) == (names, scale)
    assert not {"table7_matched", "figure3_matched"} & set(reproduce.get_config("all,paper").reproduce.artefacts)
