"""What an attacker can do at best: for each image the attack that works."""

import itertools

import numpy as np

from reno_tf.attacks import AttackRef
from reno_tf.evaluation import rates
from reno_tf.evaluation.answers import Answers, AttackAnswers
from reno_tf.records import Rate
from reno_tf.results import AttackRow, Few, WorstCase

_ENOUGH = 0.01  # below the worst case of all attacks
_FEW = 3  # attacks, at most, of which the best are named


def worst_case_success(answers: Answers, attacks: "tuple[AttackAnswers, ...] | list[AttackAnswers]") -> Rate:
    """The worst case of these attacks, on the images on which all were tried; undefined for none."""
    attacked = [attack.final[: answers.num_tried] for attack in attacks]
    return rates.worst_success(answers.labels, answers.clean, attacked)


def of_noise(answers: Answers) -> Rate:
    """The worst case of as many draws of noise as attacks count."""
    draws = [answers.noise[1.0, draw][: answers.num_tried] for draw in range(len(answers.counting))]
    return rates.worst_success(answers.labels, answers.clean, draws)


def of_core(answers: Answers, core: tuple[AttackRef, ...]) -> Rate | None:
    """The worst case of the headline and the core; None if nothing else was tried, or if the core was not."""
    inside = core_attacks(answers, core)
    if not core or not inside or len(inside) == len(answers.counting):
        return None
    return worst_case_success(answers, inside)


def core_attacks(answers: Answers, core: tuple[AttackRef, ...]) -> list[AttackAnswers]:
    """The headline and the core's attacks, those that count; none if one of the core was not tried."""

    def is_inside(attack) -> bool:
        return attack is answers.headline or any(reference.names(attack.reference) for reference in core)

    tried = [any(reference.names(attack.reference) for attack in answers.counting) for reference in core]
    return [attack for attack in answers.counting if is_inside(attack)] if all(tried) else []


def describe_worst_case(answers: Answers) -> WorstCase:
    """The attacks and images that the worst case is of, and the few attacks that are enough."""
    labels, clean = answers.labels[: answers.num_tried], answers.clean[: answers.num_tried]
    names = tuple(attack.name for attack in answers.counting)
    return WorstCase(names, len(labels), int((clean == labels).sum()), _enough(answers))


def _enough(answers) -> Few | None:
    everything = worst_case_success(answers, answers.counting)
    if not everything.total:
        return None
    fooled = {attack.name: _fooled(answers, attack) for attack in answers.counting}
    for size in range(1, min(_FEW, len(fooled)) + 1):
        best = max(itertools.combinations(fooled, size), key=lambda names: _together(fooled, names))
        if everything.hits - _together(fooled, best) <= _ENOUGH * everything.total:
            break
    return Few(best, _together(fooled, best) / everything.total)


def _fooled(answers, attack) -> np.ndarray:
    labels, clean = answers.labels[: answers.num_tried], answers.clean[: answers.num_tried]
    return (clean == labels) & (attack.final[: answers.num_tried] != labels)


def _together(fooled, names) -> int:
    return int(np.any([fooled[name] for name in names], axis=0).sum())


def rows(answers: Answers) -> list[AttackRow]:
    """A row for each attack, and one for the worst case of those that share a name; none where one attack was tried."""
    table: list[AttackRow] = []
    for name, group in answers.groups().items() if len(answers.attacks) > 1 else ():
        table += [_row(answers, attack.name, [attack]) for attack in group]
        table += [_row(answers, f"{name}, worst case of {len(group)}", group)] if len(group) > 1 else []
    return table


def _row(answers, name, group) -> AttackRow:
    alone = dict(group[0].parameters) if len(group) == 1 else None
    gradients = sum(attack.gradients for attack in group)
    return AttackRow(name, group[0].counts, group[0].outside, gradients, alone, worst_case_success(answers, group))
