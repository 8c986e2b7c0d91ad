"""The verdicts on a claim, and the rule that decides a part of it."""

from collections.abc import Mapping

HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"
SIGNS = {HELD: "✓", NOT_HELD: "✗", UNDECIDED: "?"}


def rule(part: Mapping) -> str:
    """The side of the threshold on which the paper says a judged part of a claim lies."""
    return f"{part['statistic']} {part['side']} {part['threshold']:g} {part['unit']}".rstrip()
