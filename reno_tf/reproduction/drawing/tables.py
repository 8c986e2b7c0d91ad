"""The tables of an outcome, cell by cell, before they are Markdown, LaTeX or HTML."""

import dataclasses

from reno_tf.reporting.metrics import decimals, mean_and_std
from reno_tf.reproduction.lines import Line, full_label, lines_of
from reno_tf.reproduction.result_types import Outcome
from reno_tf.results import METRICS

_AVERAGES = "Mean ± standard deviation over {}; the average over data sets is of the seeds that all of them have."


@dataclasses.dataclass(frozen=True)
class Table:
    """Text cells under one header, of which `names` stand before the numbers. heading: what stands above it."""

    heading: str
    names: int
    header: list[str]
    rows: list[list[str]]


def tables(outcome: Outcome, paper: Outcome | None = None) -> list[Table]:
    """Our numbers; the paper's (an outcome of one seed) in brackets if the data sets are its own, else below."""
    ours, paper_lines, datasets = lines_of(outcome), printed_lines(paper), outcome.datasets
    beside = paper_lines if _same_data(outcome, paper) else {}
    counted = len(_seed_counts(ours)) > 1
    shown = []
    for line in ours:
        counts = [str(count) for count in _seed_counts([line]) or [0]]
        seed_range = "–".join(dict.fromkeys((counts[0], counts[-1])))
        shown.append((line, _texts(line, beside.get(line.key), datasets) + [seed_range] * counted))
    all_tables = [_table("", [*datasets, "average", *["seeds"] * counted], shown)]
    if paper_lines and not beside:
        heading, datasets = "The paper (other data; the averages are taken here):", paper.datasets
        shown = [(line, [mean_and_std(cell, 2) for cell in line.columns(datasets)]) for line in paper_lines.values()]
        all_tables.append(_table(heading, [*datasets, "average"], shown))
    return all_tables


def explanations(outcome: Outcome, paper: Outcome | None = None) -> list[str]:
    """Sentences that a reader of the tables must know."""
    lines = lines_of(outcome)
    counts, sentences = _seed_counts(lines), ["No run is there."]
    if counts:
        number = "the number of seeds given" if len(counts) > 1 else f"{counts[0]} seed{'s' * (counts[0] > 1)}"
        sentences = [_AVERAGES.format(number)]
    if printed_lines(paper) and _same_data(outcome, paper):
        sentences.append("In brackets: the paper's numbers.")
    weights = outcome.chosen or {}
    if used := [f"{weights[data]:g} on {data}" for data in outcome.datasets if data in weights]:
        sentences.append(f"The weight that the other tables use: {', '.join(used)}.")
    undefined = [
        f"{METRICS[line.metric].short} of {full_label(line.row)} on {data}, seed {', '.join(map(str, lacking))}"
        for line in lines
        for data, lacking in line.undefined.items()
        if lacking
    ]
    return sentences + ([f"Undefined, and left out: {'; '.join(undefined)}."] if undefined else [])


def missing(outcome: Outcome) -> list[str]:
    """The missing runs, a sentence for each reason."""
    runs = {}
    for entry in outcome.missing:
        runs.setdefault(" ".join(entry.why.split()), []).append(entry.run)
    return [f"Missing runs ({why}): {', '.join(names)}." for why, names in runs.items()]


def printed_lines(paper: Outcome | None) -> dict[tuple, Line]:
    """The lines that the paper prints, by their keys."""
    return {line.key: line for line in (lines_of(paper) if paper else ()) if line.cells}


def _same_data(outcome, paper):
    return bool(paper) and set(outcome.datasets) <= set(paper.datasets)


def _seed_counts(lines):
    return sorted({cell.seeds for line in lines for cell in line.cells.values()})


def _table(heading, columns, shown):
    """shown: (line, its texts in the columns). A group or label that stands above is not repeated."""
    grouped = any(line.row.group for line, _ in shown)
    rows, above = [], ()
    for line, texts in shown:
        names, metric = (*[line.row.group] * grouped, line.row.label), METRICS[line.metric]
        new = ["" if names[: depth + 1] == above[: depth + 1] else text for depth, text in enumerate(names)]
        rows.append([*new, metric.with_unit(metric.short), *texts])
        above = names
    return Table(heading, 2 + grouped, [*[""] * (1 + grouped), "metric", *columns], rows)


def _texts(line, other, datasets):
    """The line's numbers, in brackets those of the paper's line `other`."""
    largest = max((abs(cell.mean) for cell in line.cells.values()), default=0)
    places = decimals(largest) if largest and METRICS[line.metric].unit != "%" else 1
    texts = [mean_and_std(cell, places) for cell in line.columns(datasets)]
    if other is None:
        return texts
    *paper_cells, average = other.columns(datasets)
    paper_cells.append(
        average if len(other.cells) == len(datasets) else None
    )  # Else it is over other data sets than ours.
    return [
        text + (f" [{mean_and_std(cell, 2)}]" if cell else "") for text, cell in zip(texts, paper_cells, strict=True)
    ]
