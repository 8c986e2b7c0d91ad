"""Could the numbers be an artefact? Rules whose outcome differs between a robust student and a broken attack.

A low attack success rate means something only if the attack works: these are the usual signs that
it does not (Athalye et al., 2018; Carlini et al., "On Evaluating Adversarial Robustness", 2019). Each gives a code and
the figures that it rests on; `reno_tf.reporting.sentences` has the words.
"""

from collections.abc import Sequence

from reno_tf.records import Rate
from reno_tf.results import Check, CurvePoint, Verdict

_STILL_FALLING = 0.10  # of the whole fall, in the last quarter of the steps; an even pace gives 0.25
_NEARLY_ALL = 0.95


def run_checks(
    *, attack: Rate, noise: Rate, curve: Sequence[CurvePoint], convergence: list[float], num_classes, undefended
) -> list[Check]:
    """Runs every rule.

    Args:
      attack, noise: success of the headline and of noise. curve: by epsilon.
      convergence: the objective before each step and after the last.
      undefended: whether the student inherits the teacher's weights without any defence; None: unknown.
    """
    defined = [point for point in curve if point.attack_success_rate.total]
    return [
        _converged(convergence),
        _zero([point for point in defined if point.epsilon == 0]),
        _noise(attack, noise),
        _rises([point for point in defined if point.epsilon > 0]),
        _reaches_all(defined, num_classes, undefended),
    ]


def _verdict(name, reason, good: bool | None, **figures) -> Check:
    verdict = {True: Verdict.OK, False: Verdict.DOUBTFUL, None: Verdict.NOT_APPLICABLE}[good]
    return Check(name, verdict.value, reason, figures)


def _converged(values) -> Check:
    """Doubtful: the objective did not fall, or more than 10 % of its fall came in the last quarter of the steps."""
    name, steps = "converged", len(values) - 1
    if steps < 4:
        return _verdict(name, "few_steps", None, steps=max(steps, 0))
    fall = values[0] - values[-1]
    if not fall > 0:
        return _verdict(name, "did_not_fall", False, before=values[0], after=values[-1])
    late = (values[steps - steps // 4] - values[-1]) / fall
    good = late <= _STILL_FALLING
    return _verdict(name, "has_converged" if good else "still_falling", good, steps=steps, late=late)


def _zero(points) -> Check:
    """Doubtful: with epsilon = 0 any image turns wrong."""
    if not points:
        return _verdict("zero epsilon", "not_measured", None)
    success = points[0].attack_success_rate
    reason = "turns_some_wrong" if success.hits else "turns_none_wrong"
    return _verdict("zero epsilon", reason, not success.hits, success=success.rate, images=success.total)


def _noise(attack, noise) -> Check:
    """Doubtful: the intervals of the attack's and the noise's success overlap, or noise is the stronger."""
    if not attack.total:
        return _verdict("stronger than noise", "nothing_attacked", None)
    apart = attack.interval[0] > noise.interval[1]
    reason = "apart" if apart else "cannot_be_told_apart"
    return _verdict("stronger than noise", reason, apart, **_rate("attack", attack), **_rate("noise", noise))


def _rises(curve) -> Check:
    """Doubtful: at some epsilon the success lies below that at a smaller one, intervals apart, or it never rises.

    A success at the smallest epsilon that may be 95 % or more, by its interval, needs no rise.
    """
    name = "rises with epsilon"
    if len(curve) < 2:
        return _verdict(name, "few_points", None)
    for smaller, larger in zip(curve, curve[1:], strict=False):
        if larger.attack_success_rate.interval[1] < smaller.attack_success_rate.interval[0]:
            return _verdict(name, "falls", False, **_between(smaller, larger))
    first, last = curve[0].attack_success_rate, curve[-1].attack_success_rate
    flat = last.rate <= first.rate and first.interval[1] < _NEARLY_ALL
    return _verdict(name, "does_not_rise" if flat else "rises", not flat, **_between(curve[0], curve[-1]))


def _between(first, last) -> dict:
    rates = {"from_rate": first.attack_success_rate.rate, "to_rate": last.attack_success_rate.rate}
    return rates | {"from_epsilon": first.epsilon, "to_epsilon": last.epsilon}


def _reaches_all(curve, num_classes, undefended) -> Check:
    """Doubtful: an undefended student resists the largest epsilon, with the whole interval below 95 % of 1 - 1/classes.

    An attack that drives every image to one class leaves that class's own images right.
    """
    name = "large epsilon"
    if undefended is None:
        return _verdict(name, "unknown_defence", None)
    if not undefended or not curve:
        return _verdict(name, "meant_to_resist", None)
    success, possible = curve[-1].attack_success_rate, 1 - 1 / num_classes
    good = success.interval[1] >= _NEARLY_ALL * possible
    reason = "nearly_all" if good else "not_nearly_all"
    return _verdict(name, reason, good, epsilon=curve[-1].epsilon, **_rate("success", success), possible=possible)


def _rate(name, rate: Rate) -> dict:
    """A figure with its interval."""
    return {name: rate.rate, f"{name}_ci95": rate.interval}
