"""Prints the tables of README.md's results: python tools/readme_tables.py"""

import json
from pathlib import Path

from reno_tf.reporting import seeds, tables
from reno_tf.reporting.metrics import ASR, CLEAN, NOISE, mean_and_std
from reno_tf.reporting.rendering import markdown_table, render
from reno_tf.reproduction import paper

_RESULTS = Path(__file__).parents[1] / "results" / "reproduce-embedded"


def methods() -> str:
    """Averages over the data sets, ours and the paper's."""
    outcome = _read("methods")
    theirs = tables.printed(paper.outcomes()["methods"])
    rows = {}
    for line in seeds.lines(outcome):
        other = theirs.get(line.key)
        columns = [line.average] + ([other and other.average] if line.metric != NOISE else [])
        numbers = [mean_and_std(column, 1) for column in columns]
        rows.setdefault((line.row["label"], line.row["method"]), {})[line.metric] = numbers
    header = ["", "`--method=`", "clean (%)", "ASR (%)", "noise (%)", "the paper: clean", "ASR"]
    return markdown_table(header, [_row(*names, numbers) for names, numbers in rows.items()])


def claims() -> str:
    return render("claims_overview.md.j2", judged=_read("claims")).strip()


def _row(label, method, numbers):
    (clean, paper_clean), (asr, paper_asr), (noise,) = (numbers[metric] for metric in (CLEAN, ASR, NOISE))
    return [label, f"`{method}`", clean, asr, noise, paper_clean, paper_asr]


def _read(name):
    return json.loads((_RESULTS / f"{name}.json").read_text())


if __name__ == "__main__":
    print(methods(), claims(), sep="\n\n")
