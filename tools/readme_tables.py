"""Prints the tables of README.md and docs/ that show results/reproduce-embedded: python tools/readme_tables.py"""

import json
from pathlib import Path

import numpy as np

from reno_tf.attacks import ATTACKS
from reno_tf.reporting import seeds, tables
from reno_tf.reporting.metrics import ASR, CLEAN, CORE, NOISE, TRAINING, WORST, WORST_NOISE, mean_and_std
from reno_tf.reporting.rendering import markdown_table, render
from reno_tf.reproduction import outcomes, paper

_RESULTS = Path(__file__).parents[1] / "results" / "reproduce-embedded"
_SHOWN = {
    CLEAN: "clean (%)",
    ASR: "the paper's attack: ASR (%)",
    CORE: "worst of 6 (%)",
    WORST: "worst of 39 (%)",
    NOISE: "noise (%)",
}
_COMPARED = ("delta", "retraining", "delta_r", "renofeation", "inoculation")


def methods() -> str:
    """README.md: averages over the data sets, ours and the paper's."""
    theirs = tables.printed(paper.outcomes()["methods"])
    rows = {}
    for line in seeds.lines(_read("methods")):
        row = rows.setdefault(line.row["label"], {"method": line.row["method"], "ours": {}, "paper": {}})
        other = theirs.get(line.key)
        row["ours"][line.metric] = mean_and_std(line.average, 1)
        row["paper"][line.metric] = mean_and_std(other and other.average, 1)
    header = ["", "`--method=`", *_SHOWN.values(), "the paper: clean", "ASR"]
    cells = [
        [label, f"`{row['method']}`", *map(row["ours"].get, _SHOWN), *map(row["paper"].get, (CLEAN, ASR))]
        for label, row in rows.items()
    ]
    return markdown_table(header, cells)


def claims() -> str:
    """README.md: the verdicts."""
    return render("claims_overview.md.j2", judged=_read("claims")).strip()


def attacks() -> str:
    """docs/attacks.md: what each attack of the suite does to each method."""
    runs = _suites()
    rows = []
    for name in next(iter(runs["delta"].values()))["suite"]:
        outside = ATTACKS[name.replace(",", " ").split()[0]].outside
        rows.append([f"*{name}*" if outside else name, *(_mean(runs[method], name) for method in _COMPARED)])
    for name, key in {"**worst case of 39**": WORST, "noise, worst of 39": WORST_NOISE}.items():
        rows.append([name, *(_percent([run[key] for run in runs[method].values()]) for method in _COMPARED)])
    return markdown_table(["ASR (%)", *(f"`{method}`" for method in _COMPARED)], rows)


def datasets() -> str:
    """docs/defences.md: inoculation beside what it is measured by, on each data set."""
    runs, rows = _suites(), []
    for data in dict.fromkeys(name.rsplit("-", 2)[1] for name in runs["delta"]):
        cells = []
        for method in ("delta", "retraining", "renofeation", "inoculation"):
            own = [run for name, run in runs[method].items() if name.rsplit("-", 2)[1] == data]
            cells.append(" / ".join(_percent([run[key] for run in own]) for key in (CLEAN, ASR, WORST)))
        rows.append([data, *cells])
    return markdown_table(["clean / the paper's attack / worst of 39 (%)", *_NAMES], rows)


def training_time() -> dict[str, float]:
    """{method: mean seconds of the runs of the whole suite}."""
    return {method: float(np.mean([run[TRAINING] for run in runs.values()])) for method, runs in _suites().items()}


_NAMES = ("DELTA", "re-training", "Renofeation", "inoculation")


def _suites():
    """{method: {run: what is kept of it}} of the plain runs that met the whole suite."""
    found = {}
    for name, run in outcomes.read_all(_RESULTS / "runs.jsonl").items():
        if run["suite"]:
            found.setdefault(name.split("-", 1)[0], {})[name] = run
    return found


def _mean(runs, attack):
    return _percent([run["suite"][attack] for run in runs.values()])


def _percent(rates):
    return f"{100 * np.mean(rates):.1f}"


def _read(name):
    return json.loads((_RESULTS / f"{name}.json").read_text())


if __name__ == "__main__":
    print(methods(), claims(), attacks(), datasets(), training_time(), sep="\n\n")
