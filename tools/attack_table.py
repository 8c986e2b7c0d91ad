"""The attacks of whole suites side by side: python tools/attack_table.py runs/renofeation-digits-0 runs/delta-digits-0

Keeps what the table shows in results/attacks.json, and prints it for docs/attacks.md; without runs, from that file.
"""

import sys
from pathlib import Path

from reno_tf import files
from reno_tf.reporting.rendering import markdown_table

_KEPT = Path(__file__).parents[1] / "results" / "attacks.json"
_RATES = ("clean_accuracy", "attack_success_rate", "noise_success_rate", "worst_case_success_rate")


def main(folders):
    if folders:
        files.write_json(_KEPT, [_kept(files.read_json(Path(folder) / "results.json")) for folder in folders])
    print(table(files.read_json(_KEPT)))


def table(runs: list[dict]) -> str:
    """A row for each attack, a column for each run: ASR in percent, on the images of the worst case."""
    rows = []
    for place, attack in enumerate(runs[0]["suite"]):
        rates = [run["suite"][place] for run in runs]
        assert {rate["name"] for rate in rates} == {attack["name"]}
        name = f"*{attack['name']}*" if attack["outside"] else attack["name"]
        rows.append([name, str(attack["gradients"]), *(_percent(rate["attack_success_rate"]) for rate in rates)])
    count = len(runs[0]["worst_case"]["attacks"])
    rows.append([f"**worst case of {count}**", "", *(f"**{_percent(run[_RATES[-1]])}**" for run in runs)])
    rows.append([f"noise, worst of {count}", "", *(_percent(run["worst_case_noise_success_rate"]) for run in runs)])
    rows.append(["clean accuracy", "", *(_percent(run["clean_accuracy"]) for run in runs)])
    return markdown_table(["ASR (%)", "gradients", *(f"`{run['method']}`" for run in runs)], rows)


def _kept(results) -> dict:
    keys = ("method", "seed", "dataset", "teacher", "versions", "worst_case", "worst_case_noise_success_rate", *_RATES)
    rows = [
        {key: row[key] for key in ("name", "outside", "gradients", "attack_success_rate")} for row in results["suite"]
    ]
    return {key: results[key] for key in keys} | {"suite": rows}


def _percent(rate):
    return f"{100 * rate:.1f}"


if __name__ == "__main__":
    main(sys.argv[1:])
