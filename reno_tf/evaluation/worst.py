"""What an attacker can do at best: for each image the attack that works."""

import itertools

import numpy as np

from reno_tf.evaluation import rates
from reno_tf.evaluation.suite import Outcome

_ENOUGH = 0.01  # below the worst case of all attacks
_FEW = 3  # attacks, at most, of which the best are named


def measure(labels, clean, outcomes: list[Outcome], noise: list, *, core: tuple[str, ...] = ()) -> dict:
    """The worst case over the attacks that count, for results.json.

    Args:
      labels: int [n] of the first images, on which all attacks were tried. clean, noise: the student's answers to
        at least those images, clean and under as many draws of noise as there are attacks.
      core: the attacks, each "NAME" or "NAME VARIANT", that every run tries beside the first.

    Returns worst_case_success_rate and worst_case_noise_success_rate, with their intervals; where more than the core
    was tried, core_worst_case_success_rate too; worst_case, which says of which attacks and images they are, and
    which few attacks are enough; suite, a row for each attack.
    """
    count, counting = len(labels), [outcome for outcome in outcomes if outcome.member.counts]
    right = clean[:count] == labels
    fooled = {outcome.member.name: _fooled(outcome, labels, right) for outcome in outcomes}
    counted = [fooled[outcome.member.name] for outcome in counting]
    wrong = [right & (answers[:count] != labels) for answers in noise[: len(counting)]]
    return {
        **_rate("worst_case_success_rate", counted, right),
        **_core_rate(counting, fooled, right, core),
        **_rate("worst_case_noise_success_rate", wrong, right),
        "worst_case": {
            "attacks": [outcome.member.name for outcome in counting],
            "num_images": count,
            "num_attacked": int(right.sum()),
            "enough": _enough({outcome.member.name: fooled[outcome.member.name] for outcome in counting}, right),
        },
        "suite": _rows(outcomes, fooled, right),
    }


def why_not(outcome: Outcome) -> str | None:
    """Why the attack does not count; None if it does."""
    return None if outcome.member.counts else outcome.member.entry.outside


def groups(outcomes) -> dict[str, list[Outcome]]:
    """The attacks by their key in the registry."""
    names = dict.fromkeys(outcome.member.group for outcome in outcomes)
    return {name: [outcome for outcome in outcomes if outcome.member.group == name] for name in names}


def _fooled(outcome, labels, right):
    return right & (outcome.final[: len(labels)] != labels)


def _rate(name, hits, right) -> dict:
    """Of the images that are right when clean, those that at least one attack fools."""
    total = int(right.sum()) if hits else 0  # Of no attack there is no rate.
    return rates.rate(name, int(np.any(hits, axis=0).sum()) if hits else 0, total)


def _core_rate(counting, fooled, right, core) -> dict:
    """That of the first attack and the core's; nothing if that is all that was tried, or if it was not."""
    members = [outcome.member for outcome in counting]
    inside = [member.name for member in members[1:] if {member.name, member.group} & set(core)]
    found = {part for part in core for member in members if part in (member.name, member.group)}
    if not core or found != set(core) or len(inside) + 1 == len(members):
        return {}
    return _rate("core_worst_case_success_rate", [fooled[name] for name in (members[0].name, *inside)], right)


def _enough(fooled, right) -> dict | None:
    """The fewest attacks, at most three, that come within a point of all; else the three that come nearest."""
    total = int(right.sum())
    if not fooled or not total:
        return None
    everything = np.any(list(fooled.values()), axis=0).sum()
    for size in range(1, min(_FEW, len(fooled)) + 1):
        best = max(itertools.combinations(fooled, size), key=lambda names: _together(fooled, names))
        if everything - _together(fooled, best) <= _ENOUGH * total:
            break
    return {"attacks": list(best), "success_rate": int(_together(fooled, best)) / total}


def _together(fooled, names):
    return np.any([fooled[name] for name in names], axis=0).sum()


def _rows(outcomes, fooled, right) -> list[dict]:
    """A row for each attack, and one for the worst case of those that share a key of the registry."""

    def row(name, group):
        alone = group[0] if len(group) == 1 else None
        return {
            "name": name,
            "outside": why_not(group[0]),
            "gradients": sum(outcome.gradients for outcome in group),
            "attack": alone and alone.parameters,
            **_rate("attack_success_rate", [fooled[outcome.member.name] for outcome in group], right),
        }

    rows = []
    for name, group in groups(outcomes).items() if len(outcomes) > 1 else ():
        rows += [row(outcome.member.name, [outcome]) for outcome in group]
        rows += [row(f"{name}, worst case of {len(group)}", group)] if len(group) > 1 else []
    return rows
