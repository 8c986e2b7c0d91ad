"""Prints the tables of README.md's results: python tools/readme_tables.py"""

import json
from pathlib import Path

from reno_tf.reproduction import blocks, claims_page, summary
from reno_tf.reproduction.artefacts import ASR, CLEAN, NOISE
from reno_tf.reproduction.tables import markdown_table

_RESULTS = Path(__file__).parents[1] / "results" / "reproduce-embedded"


def methods() -> str:
    """Averages over the data sets, ours and the paper's."""
    outcome = _read("methods")
    theirs = blocks.printed(outcome)
    rows = {}
    for line in summary.lines(outcome):
        paper = theirs.get(blocks.key(line))
        numbers = [_text(line.average)] + ([_text(paper and paper.average)] if line.metric != NOISE else [])
        rows.setdefault((line.row["label"], line.row["method"]), {})[line.metric] = numbers
    header = ["", "`--method=`", "clean (%)", "ASR (%)", "noise (%)", "the paper: clean", "ASR"]
    return markdown_table(header, [_row(*names, numbers) for names, numbers in rows.items()])


def claims() -> str:
    return claims_page.overview(_read("claims"))


def _row(label, method, numbers):
    (clean, paper_clean), (asr, paper_asr), (noise,) = (numbers[metric] for metric in (CLEAN, ASR, NOISE))
    return [label, f"`{method}`", clean, asr, noise, paper_clean, paper_asr]


def _text(found):
    if found is None:
        return "–"
    return f"{found.mean:.1f}" + (f" ± {found.std:.1f}" if found.std is not None else "")


def _read(name):
    return json.loads((_RESULTS / f"{name}.json").read_text())


if __name__ == "__main__":
    print(methods(), claims(), sep="\n\n")
