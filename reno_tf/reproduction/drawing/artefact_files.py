"""The files of an artefact, with the paper's numbers, and of the claims."""

import dataclasses
import operator
from pathlib import Path

from reno_tf import files, records
from reno_tf.reporting.seeds import Summary
from reno_tf.reproduction import lines
from reno_tf.reproduction.drawing import artefact_figures, claims_figure, tables
from reno_tf.reproduction.drawing.rendering import render_template
from reno_tf.reproduction.result_types import JudgedClaim, Outcome
from reno_tf.reproduction.verdicts import HELD
from reno_tf.results import METRICS
from reno_tf.spreadsheets import comma_separated


def write_artefact(folder: Path, outcome: Outcome, *, paper: Outcome | None = None) -> None:
    """Writes <artefact>.md, .tex, .csv, .json, .png and .svg to `folder`.

    paper: the numbers that the paper prints, as an outcome of one seed; None if it prints none.
    """
    _write(folder, outcome.artefact, outcome, texts(outcome, paper), artefact_figures.draw_artefact(outcome))


def write_claims(folder: Path, judged: list[JudgedClaim], outcome: Outcome, *, rules: str) -> None:
    """Writes claims.md, .json, .png and .svg to `folder`: what `judging.judge` gave, one outcome of those, and how."""
    content = [dataclasses.replace(claim, scale=outcome.scale) for claim in judged]
    page = render_template("claims.md.j2", judged=judged, outcome=outcome, rules=rules, held=HELD)
    _write(folder, "claims", content, {"md": page}, claims_figure.draw_claims(judged))


def page_content(outcome: Outcome, paper: Outcome | None = None) -> dict:
    """What every page that shows the artefact needs. `paper`: see `reno_tf.reproduction.drawing.tables`."""
    kind = outcome.artefact.rstrip("0123456789")
    number = outcome.artefact.removeprefix(kind)
    return {
        "outcome": outcome,
        "title": f"{kind.capitalize()} {number}: {outcome.title}" if number else outcome.title,
        "tables": tables.tables(outcome, paper),
        "explanations": tables.explanations(outcome, paper),
        "missing": tables.missing(outcome),
        "notes": outcome.notes,
    }


def texts(outcome: Outcome, paper: Outcome | None = None) -> dict[str, str]:
    """{"md", "tex", "csv"}: a page with a link to the picture, a table that needs booktabs, and the bare numbers."""
    shown = page_content(outcome, paper)
    shown["notes"] = [*shown["explanations"], *shown["missing"], *shown["notes"]]
    pages = {ending: render_template(f"artefact.{ending}.j2", **shown) for ending in ("md", "tex")}
    return pages | {"csv": _comma_separated(outcome, paper)}


def _comma_separated(outcome, paper):
    """One line for each row, data set and metric, also for the paper's data sets; no average."""
    keys = ("group", "label", "method", "network", "variant")
    rows = [["artefact", *keys, "dataset", "metric", "unit", "mean", "std", "seeds", "paper"]]
    printed = tables.printed_lines(paper)
    for line in lines.lines_of(outcome):
        paper_cells = printed[line.key].cells if line.key in printed else {}
        for data in dict.fromkeys([*outcome.datasets, *paper_cells]):
            ours, other = line.cells.get(data) or Summary(None, None, 0), paper_cells.get(data)
            numbers = (ours.mean, ours.std, ours.seeds, other and other.mean)
            of_row = operator.attrgetter(*keys)(line.row)
            names = [outcome.artefact, *of_row, data, line.metric, METRICS[line.metric].unit]
            rows.append(names + ["" if value is None else f"{value:.6g}" for value in numbers])
    return comma_separated(rows)


def _write(folder, name, content, texts, pictures):
    """All is made before the first file is written."""
    files.write_json(folder / f"{name}.json", records.to_json(content))
    for ending, text in texts.items():
        files.write_text(folder / f"{name}.{ending}", text)
    for picture, drawn in pictures.items():
        files.write_bytes(folder / picture, drawn)
