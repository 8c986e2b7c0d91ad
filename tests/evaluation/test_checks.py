"""The check list, rule by rule, at both sides of each threshold."""

import dataclasses

import pytest

from reno_tf.evaluation.checks import run_checks
from reno_tf.reporting import sentences
from reno_tf.results import CurvePoint


@dataclasses.dataclass(frozen=True)
class _Rate:
    """As `records.Rate`, with any interval."""

    rate: float | None
    interval: tuple[float, float] | None
    total: int = 50

    @property
    def hits(self):
        return round(self.total * self.rate)


def _point(epsilon, asr, low, high):
    return CurvePoint(epsilon, _Rate(asr, (low, high)), _Rate(0.0, (0.0, 0.1)), 50, 50)


_ZERO = _point(0, 0.0, 0.0, 0.05)
_CURVE = [_ZERO, _point(0.1, 0.3, 0.25, 0.35), _point(0.5, 0.88, 0.85, 0.91)]
_RESULTS = {"attack": _Rate(0.3, (0.25, 0.35)), "noise": _Rate(0.02, (0.01, 0.04))}
_NOTHING = _Rate(None, None, 0)
_FALL = [100.0, 60.0, 30.0, 12.0, 4.0, 2.0, 1.0, 0.5, 0.0]  # 8 steps, the last two of which bring 1 of 100


def _verdicts(**changes):
    arguments = _RESULTS | {"curve": _CURVE, "convergence": _FALL, "num_classes": 10, "undefended": True}
    rows = run_checks(**arguments | changes)
    return {row.name: (row.verdict, sentences.of_check(row.reason, row.figures)) for row in rows}


def test_a_sound_measurement_is_ok():
    assert [verdict for verdict, _ in _verdicts().values()] == ["ok"] * 5


@pytest.mark.parametrize(
    ("values", "verdict", "says"),
    [
        ([100, 90, 80, 70, 60, 50, 40, 30, 20], "doubtful", "25.0 % of the objective's whole fall"),
        ([100, 9, 9, 9, 9, 9, 9.9, 5, 0.1], "ok", "9.8 %"),
        ([100, 9, 9, 9, 9, 9, 10.2, 5, 0.0], "doubtful", "10.2 %"),
        ([100, 120, 110, 100, 100], "doubtful", "did not fall"),
        ([100, 50, 0, 0], "not applicable", "Too few steps (3)"),
    ],
)
def test_converged(values, verdict, says):
    actual, sentence = _verdicts(convergence=values)["converged"]
    assert actual == verdict and says in sentence


def test_any_success_without_perturbation_is_doubtful():
    verdict, sentence = _verdicts(curve=[_point(0, 0.02, 0.0, 0.1), *_CURVE[1:]])["zero epsilon"]
    assert verdict == "doubtful" and "2.0 %" in sentence
    assert _verdicts(curve=_CURVE[1:])["zero epsilon"][0] == "not applicable"


def test_noise_as_strong_as_the_attack_is_doubtful():
    assert _verdicts(noise=_Rate(0.2, (0.15, 0.26)))["stronger than noise"][0] == "doubtful"
    assert _verdicts(noise=_Rate(0.2, (0.15, 0.24)))["stronger than noise"][0] == "ok"
    assert _verdicts(attack=_NOTHING, noise=_NOTHING)["stronger than noise"][0] == "not applicable"


def test_success_must_rise_with_epsilon():
    falls = [_ZERO, _point(0.1, 0.5, 0.45, 0.55), _point(0.2, 0.4, 0.35, 0.44), _point(0.5, 0.9, 0.8, 0.95)]
    assert "falls from 50.0 % to 40.0 %" in _verdicts(curve=falls)["rises with epsilon"][1]
    noisy = [_ZERO, _point(0.1, 0.5, 0.45, 0.55), _point(0.2, 0.4, 0.35, 0.46), _point(0.5, 0.9, 0.8, 0.95)]
    assert _verdicts(curve=noisy)["rises with epsilon"][0] == "ok"
    flat = [_ZERO, _point(0.1, 0.5, 0.4, 0.6), _point(0.5, 0.5, 0.4, 0.6)]
    assert _verdicts(curve=flat)["rises with epsilon"][0] == "doubtful"
    full = [_ZERO, _point(0.1, 1.0, 0.9, 1.0), _point(0.5, 1.0, 0.9, 1.0)]
    assert _verdicts(curve=full)["rises with epsilon"][0] == "ok"
    assert _verdicts(curve=_CURVE[:2])["rises with epsilon"][0] == "not applicable"


def test_of_few_images_nine_of_ten_may_be_nearly_all():
    few = [_ZERO, _point(0.1, 0.9, 0.596, 0.982), _point(0.5, 0.9, 0.596, 0.982)]
    assert _verdicts(curve=few)["rises with epsilon"][0] == "ok"
    many = [_ZERO, _point(0.1, 0.9, 0.87, 0.93), _point(0.5, 0.9, 0.87, 0.93)]
    assert _verdicts(curve=many)["rises with epsilon"][0] == "doubtful"


def test_a_verdict_of_intervals_names_them():
    verdicts = _verdicts(noise=_Rate(0.2, (0.15, 0.26)), curve=[*_CURVE[:2], _point(0.5, 0.8, 0.7, 0.84)])
    assert "30.0 % [25.0, 35.0] wrong" in verdicts["stronger than noise"][1]
    assert "20.0 % [15.0, 26.0]" in verdicts["stronger than noise"][1]
    assert "80.0 % [70.0, 84.0] turn wrong" in verdicts["large epsilon"][1]


def test_an_undefended_student_must_give_in_but_for_one_class():
    # Ten classes: 90 % can go, 95 % of which are 85.5 %.
    for high, expected in ((0.86, "ok"), (0.85, "doubtful")):
        curve = [*_CURVE[:2], _point(0.5, 0.8, 0.7, high)]
        assert _verdicts(curve=curve)["large epsilon"][0] == expected
        assert _verdicts(curve=curve, undefended=False)["large epsilon"][0] == "not applicable"
        verdict, sentence = _verdicts(curve=curve, undefended=None)["large epsilon"]
        assert verdict == "not applicable" and "made from this backbone at all, cannot be seen" in sentence
    assert (
        _verdicts(curve=[*_CURVE[:2], _point(0.5, 0.8, 0.7, 0.86)], num_classes=100)["large epsilon"][0] == "doubtful"
    )


def test_undefined_rates_are_passed_over():
    curve = [dataclasses.replace(point, attack_success_rate=_NOTHING) for point in _CURVE]
    verdicts = _verdicts(attack=_NOTHING, noise=_NOTHING, curve=curve)
    assert {verdict for name, (verdict, _) in verdicts.items() if name != "converged"} == {"not applicable"}
