"""An outcome's tables as Markdown, LaTeX and CSV, with the paper's numbers."""

import csv
import io
from collections.abc import Sequence

from reno_tf.reporting import seeds, tables
from reno_tf.reporting.metrics import METRICS
from reno_tf.reporting.numbers import exact
from reno_tf.reporting.rendering import render

_LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "λ": r"$\lambda$",
    "ε": r"$\varepsilon$",
}


def markdown(outcome: dict, paper: dict | None = None) -> str:
    """The page of an artefact, with a link to its picture. `paper`: see `reno_tf.reporting.tables`."""
    facts = {"title": title(outcome), "tables": tables.tables(outcome, paper), "notes": notes(outcome, paper)}
    return render("artefact.md.j2", outcome=outcome, grid=grid, **facts)


def latex(outcome: dict, paper: dict | None = None) -> str:
    """A table environment; needs the package booktabs."""
    shown = [text for one in tables.tables(outcome, paper) for text in (_escape(one.heading), _tabular(one)) if text]
    caption = " ".join(map(_escape, (f"{outcome['title']}.", *notes(outcome, paper))))
    body = "\n\n\\medskip\n".join(shown)
    return (
        f"% {outcome['command']}\n\\begin{{table}}\n\\centering\\footnotesize\n\\caption{{{caption}}}\n"
        f"\\label{{tab:{outcome['artefact']}}}\n{body}\n\\end{{table}}\n"
    )


def comma_separated(outcome: dict, paper: dict | None = None) -> str:
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


def notes(outcome: dict, paper: dict | None = None) -> list[str]:
    """What stands below the tables: how to read them, what they lack, and what the sweep's config says of them."""
    return [*tables.explanations(outcome, paper), *tables.missing(outcome), *outcome.get("notes", ())]


def title(outcome: dict) -> str:
    """Its number in the paper, if it has one, and what it shows."""
    kind = outcome["artefact"].rstrip("0123456789")
    number = outcome["artefact"].removeprefix(kind)
    return f"{kind.capitalize()} {number}: {outcome['title']}" if number else outcome["title"]


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text cells as a Markdown table."""
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _tabular(table):
    columns = "l" * table.names + "r" * (len(table.header) - table.names)
    head, *body = [" & ".join(map(_escape, row)) + r" \\" for row in (table.header, *table.rows)]
    inner = [r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    return "\n".join([f"\\begin{{tabular}}{{{columns}}}", *inner, r"\end{tabular}"])


def _escape(text):
    return "".join(_LATEX.get(character, character) for character in text)
