"""An outcome's tables in several formats, with the paper's numbers."""

import csv
import io

from reno_tf.reporting import seeds, tables
from reno_tf.reporting.metrics import METRICS
from reno_tf.reporting.numbers import exact
from reno_tf.reporting.rendering import render


def facts(outcome: dict, paper: dict | None = None) -> dict:
    """The facts that every page needs that shows the artefact. `paper`: see `reno_tf.reporting.tables`."""
    kind = outcome["artefact"].rstrip("0123456789")
    number = outcome["artefact"].removeprefix(kind)
    return {
        "outcome": outcome,
        "title": f"{kind.capitalize()} {number}: {outcome['title']}" if number else outcome["title"],
        "tables": tables.tables(outcome, paper),
        "explanations": tables.explanations(outcome, paper),
        "missing": tables.missing(outcome),
        "notes": outcome.get("notes", []),
    }


def texts(outcome: dict, paper: dict | None = None) -> dict[str, str]:
    """{"md", "tex", "csv"}: a page with a link to the picture, a table that needs booktabs, and the bare numbers."""
    shown = facts(outcome, paper)
    shown["notes"] = [*shown["explanations"], *shown["missing"], *shown["notes"]]
    pages = {ending: render(f"artefact.{ending}.j2", **shown) for ending in ("md", "tex")}
    return pages | {"csv": _comma_separated(outcome, paper)}


def _comma_separated(outcome, paper):
    """One line for each row, data set and metric, also for the paper's data sets; no average."""
    keys = ("group", "label", "method", "network", "variant")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["artefact", *keys, "dataset", "metric", "unit", "mean", "std", "seeds", "paper"])
    printed = tables.printed(paper)
    for line in seeds.lines(outcome):
        theirs = printed[line.key].cells if line.key in printed else {}
        for data in dict.fromkeys([*outcome["datasets"], *theirs]):
            ours, other = line.cells.get(data), theirs.get(data)
            numbers = (ours.mean, ours.std, ours.seeds) if ours else (None, None, 0)
            names = [outcome["artefact"], *map(line.row.get, keys), data, line.metric, METRICS[line.metric].unit]
            writer.writerow(names + [exact(value) for value in (*numbers, other and other.mean)])
    return buffer.getvalue()
