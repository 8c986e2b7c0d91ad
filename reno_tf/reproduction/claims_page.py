"""The verdicts on the paper's claims as a page."""

from reno_tf.reproduction.claims import SEEDS_NEEDED
from reno_tf.reproduction.judging import HELD
from reno_tf.reproduction.tables import made, markdown_table

_MISSING = "–"
_METHOD = f"""\
For each seed a statistic is taken over the data sets; the interval is the 95 % t-interval over seeds, of which those
count whose every run is there. A seed draws the training images, the random weights, the batches and the masks; the
teacher, the test images and the attack on them are the same for all, so no interval says how these numbers would vary
with another teacher. A part is **held** if the interval lies wholly on the claimed side of its threshold,
**not held** if wholly on the other, and **undecided** if the threshold lies within it, with fewer than {SEEDS_NEEDED}
seeds, or where a value is undefined. A claim is held if all its parts are, and not held if any is not. Nothing is
corrected for the number of claims. The thresholds were fixed before the runs that they judge were made."""


def page(judged: list[dict], outcome: dict) -> str:
    """Markdown: a table of all verdicts, then each claim with its numbers and the paper's.

    Args:
      judged: of `reno_tf.reproduction.judging.judge`.
      outcome: one of those that it judged.
    """
    picture = "![How far each part lies beyond its threshold](claims.png)"
    parts = [overview(judged), picture, _METHOD, *outcome.get("notes", ()), *map(_section, judged), made(outcome)]
    return "\n\n".join(["# The paper's claims", *parts]) + "\n"


def overview(judged: list[dict]) -> str:
    """A table of all verdicts."""
    rows = [[f"{one['number']}", one["statement"], f"**{one['verdict']}**", _fails(one)] for one in judged]
    return markdown_table(["", "the paper's claim", "here", "data sets with a mean on the other side"], rows)


def _fails(claim):
    return f"**{', '.join(claim['fails_on'])}**" if claim["fails_on"] else _MISSING


def _section(claim):
    overall = [
        [
            f"{part['statistic']} {part['side']} {part['threshold']:g} {part['unit']}".rstrip(),
            _number(part, part["mean"]),
            " to ".join(_number(part, end) for end in part["interval"] or [None]),
            str(part["n_seeds"]),
            f"**{part['verdict']}**",
            _number(part, part["paper"] and part["paper"]["mean"]),
        ]
        for part in claim["parts"]
    ]
    return "\n\n".join(
        [
            f"## {claim['number']}. {claim['statement']}",
            _said(claim),
            markdown_table(["", "mean", "95 % interval", "seeds", "", "the paper"], overall),
            *_each(claim, "Each data set:", lambda part: part["per_dataset"]),
            *_each(claim, "Each of the paper's:", lambda part: (part["paper"] or {}).get("per_dataset")),
        ]
    )


def _said(claim):
    why = "" if claim["verdict"] == HELD else f" {claim['reason']}."
    but = f" **On the other side on: {', '.join(claim['fails_on'])}.**" if claim["fails_on"] else ""
    return f"**{claim['verdict'].capitalize()}.**{why}{but}"


def _each(claim, heading, choose):
    """The means on single data sets, with their intervals; in bold those on the other side."""
    found = [(part, per_dataset) for part in claim["parts"] if (per_dataset := choose(part))]
    datasets = list(dict.fromkeys(data for _, per_dataset in found for data in per_dataset))
    rows = [[part["statistic"], *(_one(part, row.get(data)) for data in datasets)] for part, row in found]
    return [heading, markdown_table(["", *datasets], rows)] if rows else []


def _one(part, one):
    if one is None or one["mean"] is None:
        return _MISSING
    number = _number(part, one["mean"])
    if one["interval"]:
        number += f" ({' to '.join(_number(part, end) for end in one['interval'])})"
    return number if one["claimed_side"] else f"**{number}, other side**"


def _number(part, value):
    if value is None:
        return _MISSING
    return f"{value:.1f}" if part["unit"] else f"{value:.3g}"
