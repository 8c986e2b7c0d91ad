"""The verdicts on the paper's claims as a page."""

import functools

from reno_tf.reporting.numbers import MISSING, statistic
from reno_tf.reporting.table_formats import grid, made
from reno_tf.reporting.verdicts import HELD, rule


def page(judged: list[dict], outcome: dict, *, rules: str) -> str:
    """Markdown: a table of all verdicts, then each claim with its numbers and the paper's.

    Args:
      judged: of `reno_tf.reproduction.judging.judge`; outcome: one of those that it judged.
      rules: how it judges, a paragraph.
    """
    picture = "![How far each part lies beyond its threshold](claims.png)"
    parts = [overview(judged), picture, rules, *outcome.get("notes", ()), *map(_section, judged), made(outcome)]
    return "\n\n".join(["# The paper's claims", *parts]) + "\n"


def overview(judged: list[dict]) -> str:
    """A table of all verdicts."""
    rows = [
        [str(one["number"]), one["statement"], _bold(one["verdict"]), _bold(", ".join(one["fails_on"])) or MISSING]
        for one in judged
    ]
    return grid(["", "the paper's claim", "here", "data sets with a mean on the other side"], rows)


def _section(claim):
    parts = [
        f"## {claim['number']}. {claim['statement']}",
        _verdict(claim),
        grid(["", "mean", "95 % interval", "seeds", "", "the paper"], map(_overall, claim["parts"])),
        *_each(claim, "Each data set:", lambda part: part),
        *_each(claim, "Each of the paper's:", lambda part: part["paper"]),
    ]
    return "\n\n".join(parts)


def _verdict(claim):
    why = "" if claim["verdict"] == HELD else f" {claim['reason']}."
    but = f" **On the other side on: {', '.join(claim['fails_on'])}.**" if claim["fails_on"] else ""
    return _bold(f"{claim['verdict'].capitalize()}.") + why + but


def _overall(part):
    text = functools.partial(statistic, unit=part["unit"])
    return [
        rule(part),
        text(part["mean"]),
        " to ".join(map(text, part["interval"] or [None])),
        str(part["n_seeds"]),
        _bold(part["verdict"]),
        text(part["paper"] and part["paper"]["mean"]),
    ]


def _each(claim, heading, choose):
    """A table of the means on single data sets, with their intervals; in bold those on the other side."""
    found = [(part, side["per_dataset"]) for part in claim["parts"] if (side := choose(part)) and side["per_dataset"]]
    datasets = list(dict.fromkeys(data for _, per_dataset in found for data in per_dataset))
    rows = [[part["statistic"], *(_one(part, row.get(data)) for data in datasets)] for part, row in found]
    return [heading, grid(["", *datasets], rows)] if rows else []


def _one(part, found):
    if found is None or found["mean"] is None:
        return MISSING
    mean, *interval = (statistic(value, part["unit"]) for value in (found["mean"], *(found["interval"] or ())))
    text = mean + (f" ({' to '.join(interval)})" if interval else "")
    return text if found["claimed_side"] else _bold(f"{text}, other side")


def _bold(text):
    return text and f"**{text}**"
