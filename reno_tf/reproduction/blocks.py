"""What a table of an outcome shows, cell by cell, before it is Markdown or LaTeX."""

import dataclasses
import math

from reno_tf.reproduction import paper, summary
from reno_tf.reproduction.summary import Line, Summary

_MISSING = "–"


@dataclasses.dataclass(frozen=True)
class Block:
    """Text cells under one header; heading: what stands above it."""

    heading: str
    header: list[str]
    rows: list[list[str]]


def blocks(outcome: dict) -> list[Block]:
    """Ours, with the paper's numbers in brackets if the data sets are the paper's, else in a second block."""
    ours, theirs = summary.lines(outcome), printed(outcome)
    seeds = [_seeds(line) for line in ours] if len(_seed_counts(outcome)) > 1 else None
    if _same_data(outcome):
        return [
            _block("", outcome["datasets"], [_beside(line, theirs.get(key(line)), outcome) for line in ours], seeds)
        ]
    other = [(line, [_number(cell, 2) for cell in (*line.cells.values(), line.average)]) for line in theirs.values()]
    second = [_block("The paper (other data; the averages are taken here):", paper.DATASETS, other)] if other else []
    return [_block("", outcome["datasets"], [_beside(line, None, outcome) for line in ours], seeds), *second]


def notes(outcome: dict) -> list[str]:
    """What must be known to read the table, and what it lacks."""
    said = [_counted(_seed_counts(outcome))]
    if _same_data(outcome) and printed(outcome):
        said.append("In brackets: the paper's numbers.")
    if "chosen" in outcome:
        chosen = ", ".join(f"{weight:g} on {data}" for data, weight in outcome["chosen"].items())
        said.append(f"The weight that the other tables use: {chosen}.")
    if lacking := summary.undefined(outcome):
        said.append(f"Undefined, and left out: {'; '.join(lacking)}.")
    for why in dict.fromkeys(entry["why"] for entry in outcome["missing"]):
        runs = ", ".join(entry["run"] for entry in outcome["missing"] if entry["why"] == why)
        said.append(f"Missing runs ({' '.join(why.split())}): {runs}.")
    return [*said, *outcome.get("notes", ())]


def printed(outcome: dict) -> dict[tuple, Line]:
    """What the paper prints of the artefact: key(line) -> Line."""
    theirs = paper.outcomes().get(outcome["artefact"])
    return {key(line): line for line in (summary.lines(theirs) if theirs else ()) if line.cells}


def key(line: Line) -> tuple[str, str, str]:
    """Under which a line of ours and one of the paper's are the same."""
    return line.row["group"], line.row["label"], line.metric


def _same_data(outcome):
    return set(outcome["datasets"]) <= set(paper.DATASETS)


def _counted(counts):
    if not counts:
        return "No run is there."
    number = "the number of seeds given" if len(counts) > 1 else f"{counts[0]} seed{'s' * (counts[0] > 1)}"
    return f"Mean ± standard deviation over {number}; the average over data sets is of the seeds that all of them have."


def _seed_counts(outcome):
    return sorted({cell.seeds for line in summary.lines(outcome) for cell in line.cells.values()})


def _seeds(line):
    counts = sorted({cell.seeds for cell in line.cells.values()})
    return "–".join(str(count) for count in dict.fromkeys((counts[0], counts[-1]))) if counts else "0"


def _block(heading, datasets, table, seeds=None):
    """table: (line, its cells' texts)."""
    grouped = any(line.row["group"] for line, _ in table)
    header = [""] * (1 + grouped) + ["metric", *datasets, "average"] + ["seeds"] * bool(seeds)
    rows, above = [], ()
    for index, (line, cells) in enumerate(table):
        names = (*[line.row["group"]] * grouped, line.row["label"])
        shown = ["" if names[: depth + 1] == above[: depth + 1] else text for depth, text in enumerate(names)]
        rows.append([*shown, summary.label(line.metric), *cells, *([seeds[index]] if seeds else ())])
        above = names
    return Block(heading, header, rows)


def _beside(line, other, outcome):
    """The line and its texts; in brackets those of `other`."""
    cells = {**line.cells, "": line.average}
    theirs = (
        {**other.cells, "": other.average if len(outcome["datasets"]) == len(other.cells) else None} if other else {}
    )
    places, columns = _decimals(line), (*outcome["datasets"], "")
    texts = {data: _number(cells.get(data), places) for data in columns}
    return line, [texts[data] + (f" [{_number(theirs[data], 2)}]" if theirs.get(data) else "") for data in columns]


def _decimals(line):
    """One for percent; else as many as give the largest mean three digits."""
    largest = max((abs(cell.mean) for cell in line.cells.values()), default=0)
    if summary.scale(line.metric) == 100 or not largest:
        return 1
    return max(0, 2 - math.floor(math.log10(largest)))


def _number(cell: Summary | None, places: int) -> str:
    if cell is None:
        return _MISSING
    return f"{cell.mean:.{places}f}" + (f" ± {cell.std:.{places}f}" if cell.std is not None else "")
