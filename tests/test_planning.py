"""From the paper's tables to runs: each once, with the settings that the table is about."""

import importlib

import pytest

from configs.reproduce import scales
from reno_tf.errors import UserError
from reno_tf.experiment import settings
from reno_tf.experiment.planning import Plan


def _plan(name, scale="embedded", **changes):
    config = importlib.import_module(f"configs.reproduce.{name}").get_config(scale)
    config.reproduce.update(changes)
    return Plan(config)


def _names(plan):
    return [row.run("DATA", 0) for row in plan.rows]


def test_tables_share_their_runs():
    together = _names(_plan("all"))
    assert len(together) == len(set(together))
    alone = {name for artefact in scales.ARTEFACTS for name in _names(_plan(artefact))}
    assert set(together) == alone
    assert "delta-resnet18-DATA-0" in set(_names(_plan("table2"))) & set(_names(_plan("table4")))
    # Figure 3's last row of DELTA-R is Renofeation itself.
    assert "renofeation-resnet18-DATA-0" in _names(_plan("figure3"))


def test_a_row_that_a_claim_rests_on_has_all_its_seeds():
    plan = _plan("all", seeds=5, few_seeds=2)
    seeds = {row.run("DATA", 0): len(plan.seeds(row)) for row in plan.rows}
    assert seeds["retraining-resnet18-DATA-0"] == 5  # Although figure 3 would do with few.
    assert seeds["delta@0.33-resnet18-DATA-0"] == seeds["delta_r+swa-resnet18-DATA-0"] == 5
    assert seeds["delta@0.66-resnet18-DATA-0"] == seeds["retraining@0.33-resnet18-DATA-0"] == 2
    assert seeds["delta-mobilenetv2-DATA-0"] == seeds["delta_adversarial-resnet18-DATA-0"] == 2


@pytest.mark.parametrize("scale", ["embedded", "paper"])
def test_every_run_resolves(scale):
    plan = _plan("all", scale)
    for row in plan.rows:
        for data in plan.recipe.data:
            planned = plan.run(row, data, 3, {})
            config = settings.resolve(planned.config, planned.method)
            assert (config.seed, config.data.name, config.split) == (3, data, "test")
    for _, planned in plan.trials():
        assert settings.resolve(planned.config, planned.method).split == "validation"


def test_a_rows_changes_reach_the_run():
    plan = _plan("all", "paper")
    rows = {row.run("birds", 0): row for row in plan.rows}

    def config(name):
        return settings.resolve(plan.run(rows[name], "birds", 0, {}).config, rows[name].method)

    assert config("delta@0.33-resnet18-birds-0").data.fraction == 0.33
    assert config("delta_r+dropout-resnet18-birds-0").dropout == 0.1
    assert config("delta_r+swa-resnet18-birds-0").swa and not config("delta_r-resnet18-birds-0").swa
    assert config("delta@lambda=10-resnet18-birds-0").feature_weight == 10
    assert config("renofeation-mobilenetv2-birds-0").model.backbone == "mobilenet_v2"
    assert config("renofeation-resnet18-birds-0").feature_weight == 1  # The paper's, for birds.
    assert config("delta-resnet18-birds-0").optimizer.learning_rate == 0.01


def test_the_grid_is_the_papers_and_its_choice_goes_to_the_methods_that_take_it():
    plan = _plan("table2")
    tried = [values for values, planned in plan.trials() if planned.data == "greek"]
    assert len(tried) == 8 and {"learning_rate": 0.005, "momentum": 0.0, "weight_decay": 1e-4} in tried
    assert len(plan.weights()) == 4
    assert not _plan("table7").trials() and not _plan("table7").weights()  # Random starts are not tuned.
    rows = {row.method: row for row in plan.rows}
    chosen = {"learning_rate": 0.007, "weight_decay": 0.0}
    for method, learning_rate in (("finetune", 0.007), ("delta", 0.007), ("retraining", 0.01)):
        planned = plan.run(rows[method], "greek", 0, chosen)
        assert settings.resolve(planned.config, method).optimizer.learning_rate == learning_rate


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"artefacts": ("table9",)}, "unknown artefact in config.reproduce.artefacts 'table9'"),
        ({"grid": {"learning_rat": (0.1,)}}, "unknown hyper-parameter in config.reproduce.grid 'learning_rat'"),
        ({"data": ()}, "config.reproduce's artefacts, data, networks and seeds must not be empty"),
    ],
)
def test_mistakes_show_at_once(changes, message):
    with pytest.raises(UserError, match=message):
        _plan("table2", **changes)


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="no scale 'tiny'; write FILE.py:SCALE, the latter one of: embedded, paper"):
        _plan("table2", "tiny")
