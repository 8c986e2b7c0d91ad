"""Success against the size of the change: the headline's curve, and every attack's exposure."""

from reno_tf.evaluation import rates
from reno_tf.evaluation.answers import Answers
from reno_tf.results import CurvePoint, Exposure


def curve(answers: Answers) -> list[CurvePoint]:
    """The headline's and noise's success by epsilon; within its own ball on all images, else on the first."""
    at = answers.headline.at
    return [_point(answers, factor, attacked) for factor, attacked in sorted(at.items())]


def _point(answers, factor, attacked) -> CurvePoint:
    labels, clean = answers.labels[: len(attacked)], answers.clean[: len(attacked)]
    attack = rates.success(labels, clean, attacked)
    noise = rates.success(labels, clean, answers.noise[factor, 0])
    return CurvePoint(
        epsilon=factor * answers.epsilon,
        attack_success_rate=attack,
        noise_success_rate=noise,
        num_attacked=attack.total,
        num_images=len(attacked),
    )


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
