"""Where a run's ASR stands, its worst case stands before or beside it."""

import matplotlib
import pytest

from reno_tf import reporting
from reno_tf.reporting import run_figures


def _results(**changes):
    results = {"method": "renofeation", "seed": 0, "split": "test", "num_attacked": 90}
    results |= {"dataset": {"name": "digits", "num_test": 100, "num_train": 40, "num_classes": 10, "note": ""}}
    results |= {"teacher": {"name": "toy/weights", "sha256": "0" * 64}}
    results |= {"attack": {"name": "pixel", "preset": "pixel", "source": "teacher", "outside": None, "epsilon": 0.1}}
    rates = {"clean_accuracy": 0.9, "attack_success_rate": 0.11, "noise_success_rate": 0.01}
    rates |= {"worst_case_success_rate": 0.66, "worst_case_noise_success_rate": 0.02}
    results |= rates | {f"{key}_ci95": [value - 0.01, value + 0.01] for key, value in rates.items()}
    results["worst_case"] = {"attacks": ["pixel", "disruption stage1", "disruption stage2"], "num_images": 40}
    results["per_class"] = [{"class": "a", "num_images": 100}]
    return results | changes


def _curve(results):
    keys = [f"{rate}{end}" for rate in ("attack_success_rate", "noise_success_rate") for end in ("", "_ci95")]
    return [{"epsilon": 0.1} | {key: results[key] for key in keys}]


def _exposed(results):
    return [{"name": "pixel", "outside": None, "rates": {"0.1": 0.11}}]


def _exposure(results):
    return run_figures.exposure(_exposed(results), results)


def _epsilon_curve(results):
    return run_figures.epsilon_curve(_curve(results), results)


@pytest.fixture
def marked(monkeypatch):
    """(epsilon, rate in percent, label) of each mark with an interval that is drawn."""
    marks, draw = [], matplotlib.axes.Axes.errorbar

    def errorbar(axes, x, y, **options):
        marks.append((x, pytest.approx(y), options["label"]))
        return draw(axes, x, y, **options)

    monkeypatch.setattr(matplotlib.axes.Axes, "errorbar", errorbar)
    return marks


@pytest.mark.parametrize("draw", [_epsilon_curve, _exposure])
def test_a_curve_over_epsilon_marks_the_worst_case(draw, marked):
    draw(_results())
    assert marked == [(0.1, 66.0, "worst case of 3 attacks, first 40 images")]


@pytest.mark.parametrize("draw", [_epsilon_curve, _exposure])
def test_where_the_worst_case_is_undefined_none_is_marked(draw, marked):
    draw(_results(worst_case_success_rate=None, worst_case_success_rate_ci95=None))
    assert not marked


def test_a_curve_over_epsilon_has_a_line_for_the_core_where_it_was_tried(monkeypatch):
    labels, draw = [], matplotlib.axes.Axes.plot
    monkeypatch.setattr(
        matplotlib.axes.Axes, "plot", lambda axes, *args, **kw: (labels.append(kw["label"]), draw(axes, *args, **kw))[1]
    )
    points = _curve(_results())
    run_figures.epsilon_curve(points, _results())
    assert len(labels) == 2
    core = {"core_worst_case_success_rate": 0.5, "core_worst_case_success_rate_ci95": [0.4, 0.6]}
    run_figures.epsilon_curve([points[0] | core, points[0] | {"epsilon": 0.2}], _results())
    assert labels[2:] == ["worst case of the core attacks", *labels[:2]]


def test_the_line_of_a_run_has_the_worst_case():
    assert "worst case 66.0 %" in reporting.headline(_results())


@pytest.mark.parametrize("shown", ["sentence", "table"])
def test_a_model_card_has_the_worst_case_before_the_attack_alone(shown):
    card = reporting.model_card(_results(), image_shape=(32, 32, 3), geometry="zoom")
    text = card.split("\n|")[0] if shown == "sentence" else card.split("\n|", 1)[1]
    assert text.index("66.0 %") < text.index("11.0 %") and "the paper's attack" in text


def test_a_card_calls_no_other_attack_the_papers():
    attack = _results()["attack"] | {"name": "disruption", "preset": "disruption"}
    for card in (
        reporting.model_card(_results(attack=attack), image_shape=(32, 32, 3), geometry="zoom"),
        reporting.device_card(_results(attack=attack), []),
    ):
        assert "the attack disruption" in card and "the paper's attack" not in card
