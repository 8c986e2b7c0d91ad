"""Success against the size of the change: the headline's curve, and every attack's exposure."""

from collections.abc import Sequence

from scipy.integrate import trapezoid

from reno_tf.attacks import AttackRef
from reno_tf.evaluation import rates, worst
from reno_tf.evaluation.answers import Answers
from reno_tf.records import Rate
from reno_tf.results import CurvePoint, Exposure


def curve(answers: Answers, core: tuple[AttackRef, ...]) -> list[CurvePoint]:
    """Success of the headline, of the core's worst case and of noise by epsilon.

    Within the run's own ball each is on all images that it was tried on, else on the first.
    """
    at, attacks = answers.headline.at, worst.core_attacks(answers, core)
    return [_point(answers, factor, attacked, attacks) for factor, attacked in sorted(at.items())]


def mean_worst_case(points: Sequence[CurvePoint], epsilon: float) -> float | None:
    """The mean over [0, epsilon] of the core's worst case, by the trapezoidal rule through the curve's points.

    None if it is undefined at one of them, or if none lies between 0 and epsilon.
    """
    # 1/epsilon * integral from 0 to epsilon of worst(e) de
    inside = [point for point in points if point.epsilon <= epsilon]
    worst_rates = [point.core_worst_case_success_rate for point in inside]
    if not epsilon or len(inside) < 3 or not all(rate and rate.total for rate in worst_rates):
        return None
    return float(trapezoid([rate.rate for rate in worst_rates], [point.epsilon for point in inside]) / epsilon)


def _point(answers, factor, attacked, core) -> CurvePoint:
    labels, clean = answers.labels[: len(attacked)], answers.clean[: len(attacked)]
    attack = rates.success(labels, clean, attacked)
    noise = rates.success(labels, clean, answers.noise[factor, 0])
    return CurvePoint(
        epsilon=factor * answers.epsilon,
        attack_success_rate=attack,
        noise_success_rate=noise,
        core_worst_case_success_rate=_core_worst_case(answers, factor, core),
        num_attacked=attack.total,
        num_images=len(attacked),
    )


def _core_worst_case(answers, factor, core) -> Rate | None:
    """None where not all attacks of the core were tried."""
    if not core:
        return None
    if factor == 0:  # Every attack hands in the image itself there.
        attacked = [answers.headline.at[factor]]
    elif factor == 1:
        attacked = [attack.final[: answers.num_tried] for attack in core]
    elif all(factor in attack.at for attack in core):
        attacked = [attack.at[factor] for attack in core]
    else:
        return None
    return rates.worst_success(answers.labels, answers.clean, attacked)


def exposure(answers: Answers) -> list[Exposure]:
    """The worst case of each name's attacks within the balls that all were tried in, the whole one last."""
    shared = set.intersection(*(set(attack.at) for attack in answers.attacks))
    factors = sorted(factor for factor in shared if 0 < factor <= 1)
    count = min(len(attack.at[factor]) for attack in answers.attacks for factor in factors)
    return [_exposure(answers, name, group, factors, count) for name, group in answers.groups().items()]


def _exposure(answers, name, group, factors, count) -> Exposure:
    success_rates = {}
    for factor in factors:
        attacked = [(attack.final if factor == 1 else attack.at[factor])[:count] for attack in group]
        rate = rates.worst_success(answers.labels, answers.clean, attacked).rate
        success_rates[f"{factor * answers.epsilon:.3g}"] = rate
    return Exposure(name, group[0].outside, success_rates)
