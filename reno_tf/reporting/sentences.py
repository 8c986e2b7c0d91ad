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


def of_lineage(lineage: Mapping, size: str = "") -> str:
    """Where the model comes from, in one sentence. lineage: `reno_tf.results.LineageFacts` as JSON. size: as "224²"."""
    names = " or ".join(lineage["architectures"])
    if not names:
        return "It has the shapes of no network that this project knows."
    subject = ", ".join(filter(None, (names, size)))
    nearest = lineage["nearest"]
    if nearest is None:
        return f"{subject}, by the shapes of its kernels; no public weights of it are known here."
    return f"{subject}: {_of_comparison(nearest)}"


def of_teacher(lineage: Mapping) -> str:
    """What is to be known about the network that it is attacked through; "" if that is where it comes from."""
    teacher, nearest = lineage["teacher"], lineage["nearest"]
    if teacher is None or teacher["related"]:
        return ""
    instead = ""
    if nearest and nearest["related"] and nearest["network"] != teacher["network"]:
        backbone, _, weights = nearest["network"].partition("/")
        instead = f" It was made from {nearest['network']}: --backbone={backbone} --teacher={weights}."
    return (
        f"The model was not made from {teacher['network']}, through which it is attacked (relative distance of their "
        f"weights {teacher['distance']:.2f}): the success says little about its exposure.{instead}"
    )


def _of_comparison(facts) -> str:
    equal, total = facts["num_equal"], facts["num_layers"]
    weights = "ImageNet ones" if facts["network"].endswith("/imagenet") else "ones"
    public = f"the public {weights} ({facts['network']})"
    if not facts["related"]:
        return f"its weights are not {public}: their distance is {facts['distance']:.2f}, and 1 is nothing in common."
    moved = [stage["distance"] for stage in facts["stages"] if stage["distance"] is not None]
    if not facts["certain"]:
        distance = f"about {facts['distance']:.2g}" if facts["distance"] else "below 0.05"  # a bit of 64
        return (
            f"it was made from {public}, as the digests of its layers show (relative distance {distance}); which of "
            "them are equal is seen only beside the public weights, which are not here, for the file is converted."
        )
    kind = "convolutions" if facts["folded"] else "layers with weights"
    count = f"{equal} of {total} {kind} are {public}"
    if facts["folded"]:
        count += "; BatchNorm is folded into them"
    if equal == total:
        return f"{count}."
    stages = f"stages 1 to {facts['public_stages']} are public throughout; " if facts["public_stages"] else ""
    if facts["public_stages"] == 1:
        stages = "stage 1 is public throughout; "
    return f"{count}; {stages}the stages' relative distance to them is {_extent(moved)}."


def _extent(values) -> str:
    low, high = min(values), max(values)
    return f"{low:.2g}" if f"{low:.2g}" == f"{high:.2g}" else f"{low:.2g} to {high:.2g}"


def of_check(reason: str, figures: Mapping) -> str:
    """The sentence of a `reno_tf.results.Check`."""
    rates = {key: metrics.percent(figures[key], figures.get(f"{key}_ci95")) for key in _RATES if key in figures}
    return _CHECKS[reason].format(**{**figures, **rates})
