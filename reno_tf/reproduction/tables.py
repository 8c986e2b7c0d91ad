"""An outcome as a table: Markdown, LaTeX and CSV, with the paper's numbers."""

import csv
import io
from collections.abc import Sequence

from reno_tf.reproduction import blocks, summary
from reno_tf.reproduction.summary import METRICS

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


def markdown(outcome: dict) -> str:
    """The page of an artefact, with a link to its picture."""
    picture = f"![{outcome['title']}]({outcome['artefact']}.png)"
    shown = ((block.heading, markdown_table(block.header, block.rows)) for block in blocks.blocks(outcome))
    tables = [text for texts in shown for text in texts if text]
    parts = [f"# {title(outcome)}", *tables, *blocks.notes(outcome), picture, made(outcome)]
    return "\n\n".join(parts) + "\n"


def made(outcome: dict) -> str:
    """How, and on what: Markdown."""
    return f"    {outcome['command']}" + (f"\n\n{outcome['made_with']}" if "made_with" in outcome else "")


def latex(outcome: dict) -> str:
    """A table environment; needs the package booktabs."""
    tables = [text for block in blocks.blocks(outcome) for text in (_escape(block.heading), _tabular(block)) if text]
    caption = " ".join(_escape(text) for text in (f"{outcome['title']}.", *blocks.notes(outcome)))
    body = "\n\n\\medskip\n".join(tables)
    return (
        f"% {outcome['command']}\n\\begin{{table}}\n\\centering\\footnotesize\n\\caption{{{caption}}}\n"
        f"\\label{{tab:{outcome['artefact']}}}\n{body}\n\\end{{table}}\n"
    )


def comma_separated(outcome: dict) -> str:
    """One line for each row, data set and metric, also for the paper's data sets; no average."""
    keys = ("group", "label", "method", "network", "variant")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["artefact", *keys, "dataset", "metric", "unit", "mean", "std", "seeds", "paper"])
    printed = blocks.printed(outcome)
    for line in summary.lines(outcome):
        theirs = printed[blocks.key(line)].cells if blocks.key(line) in printed else {}
        for data in dict.fromkeys([*outcome["datasets"], *theirs]):
            ours, other = line.cells.get(data), theirs.get(data)
            numbers = (ours.mean, ours.std, ours.seeds) if ours else (None, None, 0)
            names = [outcome["artefact"], *(line.row[key] for key in keys), data, line.metric, METRICS[line.metric][1]]
            writer.writerow(names + [_number(value) for value in (*numbers, other and other.mean)])
    return buffer.getvalue()


def title(outcome: dict) -> str:
    """Its number in the paper, if it has one, and what it shows."""
    kind = outcome["artefact"].rstrip("0123456789")
    number = outcome["artefact"].removeprefix(kind)
    return f"{kind.capitalize()} {number}: {outcome['title']}" if number else outcome["title"]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text cells as a Markdown table."""
    rule = ["---"] * len(header)
    return "\n".join("| " + " | ".join(map(_escape_pipe, row)) + " |" for row in (header, rule, *rows))


def _escape_pipe(text):
    return text.replace("|", "\\|")


def _tabular(block):
    text_columns = block.header.index("metric") + 1
    columns = "l" * text_columns + "r" * (len(block.header) - text_columns)
    head, *body = [" & ".join(map(_escape, row)) + r" \\" for row in (block.header, *block.rows)]
    inner = [r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    return "\n".join([f"\\begin{{tabular}}{{{columns}}}", *inner, r"\end{tabular}"])


def _escape(text):
    return "".join(_LATEX.get(character, character) for character in text)


def _number(value):
    return "" if value is None else f"{value:.6g}"
