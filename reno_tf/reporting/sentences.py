"""The words of the checks: a sentence for each code."""

from collections.abc import Mapping

from reno_tf.reporting import metrics

_RATES = ("late", "success", "attack", "noise", "possible", "from_rate", "to_rate")  # figures that are fractions
_LATE = "The last quarter of the {steps} steps brought {late} of the objective's whole fall"
_BETWEEN = "from {from_rate} to {to_rate} between epsilon = {from_epsilon:.3g} and {to_epsilon:.3g}"
_NOISE = "The attack turns {attack} wrong, uniform noise of the same size {noise}"
_LARGE = "At epsilon = {epsilon:.3g} {success} turn wrong, of the {possible} that do if all turn into one class"

_CHECKS = {
    "few_steps": "Too few steps ({steps}) to tell whether the attack converged.",
    "did_not_fall": "The objective did not fall: {before:.6g} before, {after:.6g} after.",
    "still_falling": _LATE + ": with more steps the attack would be stronger.",
    "has_converged": _LATE + ": the attack has converged.",
    "not_measured": "The attack success at epsilon = 0 was not measured.",
    "turns_some_wrong": "With epsilon = 0 the attack already turns {success} of the images wrong.",
    "turns_none_wrong": "With epsilon = 0 none of {images} images turns wrong.",
    "nothing_attacked": "The student gets no clean image right, so nothing could be attacked.",
    "cannot_be_told_apart": _NOISE + ": the attack cannot be told from noise.",
    "apart": _NOISE + ".",
    "few_points": "The attack success was measured at fewer than two values of epsilon.",
    "falls": "The attack success falls " + _BETWEEN + ", and their intervals lie apart.",
    "does_not_rise": "The attack success does not rise " + _BETWEEN + ".",
    "rises": "The attack success goes " + _BETWEEN + ".",
    "unknown_defence": (
        "Whether this model is defended, or was made from this backbone at all, cannot be seen from outside: "
        "where the success is low, either may be why."
    ),
    "meant_to_resist": "The student is meant to resist, so no epsilon has to reach 100 %.",
    "not_nearly_all": _LARGE + ": on an undefended student nearly all of those should.",
    "nearly_all": _LARGE + ", as they should on an undefended student.",
}


def of_check(reason: str, figures: Mapping) -> str:
    """The sentence of a `reno_tf.results.Check`."""
    rates = {key: metrics.percent(figures[key], figures.get(f"{key}_ci95")) for key in _RATES if key in figures}
    return _CHECKS[reason].format(**{**figures, **rates})
