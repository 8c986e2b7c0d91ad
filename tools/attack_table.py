"""What the attacks did, as README.md and docs/attacks.md show it: python tools/attack_table.py RUN RUN ...

Keeps the numbers of the runs, those with --attack=suite and the others, in results/attacks.json, and prints two tables;
without runs it prints those of that file.
"""

import sys
from pathlib import Path

from reno_tf import files
from reno_tf.reporting.rendering import markdown_table

_KEPT = Path(__file__).parents[1] / "results" / "attacks.json"
_RATES = ("clean_accuracy", "attack_success_rate", "noise_success_rate", "worst_case_success_rate")
_KEYS = ("method", "seed", "worst_case", "worst_case_noise_success_rate", "versions", *_RATES)


def main(folders):
    if folders:
        found = [files.read_json(Path(folder) / "results.json") for folder in folders]
        files.write_json(_KEPT, [_kept(results) for results in found])
    runs = files.read_json(_KEPT)
    print(methods(runs), attacks(runs), sep="\n\n")


def methods(runs: list[dict]) -> str:
    """A row for each run with the core suite: README.md's."""
    header = [
        "`--method=`",
        "clean (%)",
        "the paper's attack: ASR (%)",
        "worst case of six (%)",
        "noise, worst of six (%)",
    ]
    shown = ("clean_accuracy", "attack_success_rate", "worst_case_success_rate", "worst_case_noise_success_rate")
    rows = [[f"`{run['method']}`", *(_percent(run[key]) for key in shown)] for run in runs if not run["whole"]]
    return markdown_table(header, rows)


def attacks(runs: list[dict]) -> str:
    """A row for each attack, a column for each run of the whole suite: ASR on the images of the worst case."""
    runs = [run for run in runs if run["whole"]]
    rows = []
    for place, attack in enumerate(runs[0]["suite"]):
        found = [run["suite"][place] for run in runs]
        assert {row["name"] for row in found} == {attack["name"]}
        name = f"*{attack['name']}*" if attack["outside"] else attack["name"]
        rows.append([name, str(attack["gradients"]), *(_percent(row["attack_success_rate"]) for row in found)])
    count = len(runs[0]["worst_case"]["attacks"])
    rows.append(
        [f"**worst case of {count}**", "", *(f"**{_percent(run['worst_case_success_rate'])}**" for run in runs)]
    )
    rows.append([f"noise, worst of {count}", "", *(_percent(run["worst_case_noise_success_rate"]) for run in runs)])
    return markdown_table(["ASR (%)", "gradients", *(f"`{run['method']}`" for run in runs)], rows)


def _kept(results) -> dict:
    keys = ("name", "outside", "gradients", "attack_success_rate")
    suite = [{key: row[key] for key in keys} for row in results["suite"]]
    return {key: results[key] for key in _KEYS} | {"suite": suite, "whole": results["attack"]["preset"] == "suite"}


def _percent(rate):
    return f"{100 * rate:.1f}"


if __name__ == "__main__":
    main(sys.argv[1:])
