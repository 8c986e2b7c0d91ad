"""Could the numbers be an artefact? Rules that a robust student and a broken attack answer differently.

A low attack success rate means something only if the attack works: these are the usual signs that
it does not (Athalye et al., 2018; Carlini et al., "On Evaluating Adversarial Robustness", 2019).
"""

_STILL_FALLING = 0.10  # of the whole fall, in the last quarter of the steps; an even pace gives 0.25
_NEARLY_ALL = 0.95


def check(*, results: dict, curve: list[dict], convergence: list[float], num_classes, undefended) -> list[dict]:
    """Runs every rule; gives rows {"name", "verdict": "ok" | "doubtful" | "not applicable", "sentence"}.

    Args:
      results: attack_success_rate and noise_success_rate with their intervals.
      curve: rows {"epsilon", "attack_success_rate", "attack_success_rate_ci95", "num_attacked"}, by epsilon.
      convergence: the objective before each step and after the last.
      undefended: whether the student inherits the teacher's weights without any defence; None: nobody here knows.
    """
    defined = [row for row in curve if row["attack_success_rate"] is not None]
    found = {
        "converged": _converged(convergence),
        "zero epsilon": _zero([row for row in defined if row["epsilon"] == 0]),
        "stronger than noise": _noise(results),
        "rises with epsilon": _rises([row for row in defined if row["epsilon"] > 0]),
        "large epsilon": _reaches_all(defined, num_classes, undefended),
    }
    verdicts = {True: "ok", False: "doubtful", None: "not applicable"}
    return [{"name": name, "verdict": verdicts[good], "sentence": sentence} for name, (good, sentence) in found.items()]


def _converged(values):
    """Doubtful: the objective did not fall, or more than 10 % of its fall came in the last quarter of the steps."""
    steps = len(values) - 1
    if steps < 4:
        return None, f"Too few steps ({max(steps, 0)}) to tell whether the attack converged."
    fall = values[0] - values[-1]
    if not fall > 0:
        return False, f"The objective did not fall: {values[0]:.6g} before, {values[-1]:.6g} after."
    late = (values[steps - steps // 4] - values[-1]) / fall
    sentence = f"The last quarter of the {steps} steps brought {100 * late:.1f} % of the objective's whole fall"
    if late > _STILL_FALLING:
        return False, f"{sentence}: with more steps the attack would be stronger."
    return True, f"{sentence}: the attack has converged."


def _zero(rows):
    """Doubtful: with epsilon = 0 any image turns wrong."""
    if not rows:
        return None, "The attack success at epsilon = 0 was not measured."
    asr = rows[0]["attack_success_rate"]
    if asr > 0:
        return False, f"With epsilon = 0 the attack already turns {_percent(asr)} of the images wrong."
    return True, f"With epsilon = 0 none of {rows[0]['num_attacked']} images turns wrong."


def _noise(results):
    """Doubtful: the intervals of the attack's and the noise's success overlap, or noise is the stronger."""
    attack, noise = results["attack_success_rate"], results["noise_success_rate"]
    if attack is None:
        return None, "The student gets no clean image right, so nothing could be attacked."
    ends = [results[f"{rate}_success_rate_ci95"] for rate in ("attack", "noise")]
    told = [f"{_percent(rate)} {_ends(interval)}" for rate, interval in zip((attack, noise), ends, strict=True)]
    sentence = f"The attack turns {told[0]} wrong, uniform noise of the same size {told[1]}"
    if ends[0][0] <= ends[1][1]:
        return False, f"{sentence}: the attack cannot be told from noise."
    return True, f"{sentence}."


def _rises(curve):
    """Doubtful: at some epsilon the success lies below that at a smaller one, intervals apart, or it never rises.

    A success at the smallest epsilon that may be 95 % or more, by its interval, needs no rise.
    """

    def between(a, b):
        rates = f"from {_percent(a['attack_success_rate'])} to {_percent(b['attack_success_rate'])}"
        return f"{rates} between epsilon = {a['epsilon']:.3g} and {b['epsilon']:.3g}"

    if len(curve) < 2:
        return None, "The attack success was measured at fewer than two values of epsilon."
    for smaller, larger in zip(curve, curve[1:], strict=False):
        if larger["attack_success_rate_ci95"][1] < smaller["attack_success_rate_ci95"][0]:
            return False, f"The attack success falls {between(smaller, larger)}, and their intervals lie apart."
    first, last = curve[0], curve[-1]
    rises = last["attack_success_rate"] > first["attack_success_rate"]
    if not rises and first["attack_success_rate_ci95"][1] < _NEARLY_ALL:
        return False, f"The attack success does not rise {between(first, last)}."
    return True, f"The attack success goes {between(first, last)}."


def _reaches_all(curve, num_classes, undefended):
    """Doubtful: an undefended student resists the largest epsilon, with the whole interval below 95 % of 1 - 1/classes.

    An attack that drives every image to one class leaves that class's own images right.
    """
    if undefended is None:
        return None, (
            "Whether this model is defended, or was made from this backbone at all, cannot be seen from outside: "
            "where the success is low, either may be why."
        )
    if not undefended or not curve:
        return None, "The student is meant to resist, so no epsilon has to reach 100 %."
    last, possible = curve[-1], 1 - 1 / num_classes
    sentence = (
        f"At epsilon = {last['epsilon']:.3g} {_percent(last['attack_success_rate'])} "
        f"{_ends(last['attack_success_rate_ci95'])} turn wrong, of the "
        f"{_percent(possible)} that go when all go to one class"
    )
    if last["attack_success_rate_ci95"][1] < _NEARLY_ALL * possible:
        return False, f"{sentence}: on an undefended student nearly all of those should."
    return True, f"{sentence}, as they should on an undefended student."


def _percent(rate):
    return f"{100 * rate:.1f} %"


def _ends(interval):
    low, high = interval
    return f"[{100 * low:.1f}, {100 * high:.1f}]"
