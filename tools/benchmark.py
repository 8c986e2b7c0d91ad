"""Writes docs/benchmark.md from results/benchmark/*/*.json; with --records, first these from what sweeps have kept.

python tools/benchmark.py                                   # the page
python tools/benchmark.py --records --archives=ARCHIVES     # the records too; docs/data.md says how to fill ARCHIVES

A record is one method on one data set: each seed's rates, the mean of each attack's, and digests of the images that
were attacked and of the public network. tools/check_submission.py checks other images against one.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT)]

from reno_tf import files, settings  # noqa: E402  First: it selects Keras 2.

# isort: split
from configs import reproduce  # noqa: E402
from reno_tf.commands import common  # noqa: E402
from reno_tf.commands.reproducing.planning import Plan  # noqa: E402
from reno_tf.reporting import seeds  # noqa: E402
from reno_tf.reporting.metrics import ASR, CLEAN, CORE, TRAINING, WORST, WORST_NOISE, mean_and_std  # noqa: E402
from reno_tf.reporting.rendering import markdown_table  # noqa: E402
from reno_tf.reproduction import outcomes  # noqa: E402
from reno_tf.reproduction.artefacts import LABELS  # noqa: E402

_RECORDS, _PAGE = _ROOT / "results" / "benchmark", _ROOT / "docs" / "benchmark.md"
_SWEEPS = ("defences,transfer", "methods,photos", "methods,embedded")  # in the order of the page
_KEPT = (CLEAN, ASR, CORE, WORST, WORST_NOISE, TRAINING)
_SHOWN = {CLEAN: "clean", ASR: "the paper's attack", CORE: "worst of the core", WORST: "worst of all"}
_SHOWN |= {WORST_NOISE: "noise, worst of as many"}
_TITLE = """# Benchmark

Every method on every data set, in percent: the mean over the seeds ± their standard deviation. The attacker has the
public network alone. "Worst of the core" counts an image that the paper's attack, or the disruption of a layer, turns
wrong. "Worst of all" counts one that any attack of the sweep does: [39 of them](attacks.md) on the small tasks; on the
photographs of 64 pixels also those of an attacker who copies the method. Noise of the same size stands beside them.
[What the numbers mean](numbers.md). Many trainings ran beside other work, so their times can be several times too long.

**Add your method.** Write it ([house.md](house.md#a-method)) and name it in
[artefacts.py](../reno_tf/reproduction/artefacts.py). Run the command of a table, and copy the sweep's
`results/runs.jsonl` to its folder below [results/](../results). `python tools/benchmark.py --records
--archives=ARCHIVES` makes the records and this page.

**Beat a number.** Make images that turn more of a method's answers wrong, from the public network alone. Save them as
`images`, uint8 [N, height, width, 3], in a `.npz`, in the order of the test images. Then

    python main.py --mode=export --workdir=runs/reproduce-embedded/renofeation-resnet18-digits-0 --to=models/digits
    python tools/check_submission.py results/benchmark/digits/renofeation.json images.npz --student=models/digits/1

say whether they are the record's images, which it knows by their digest, changed by ε at most, and how many a student
of the sweep gets wrong. A lower accuracy goes into the record's `lower_accuracy_shown`, with who showed it and how;
`doubtful` is for a reason not to believe a number.

Generated from [records](../results/benchmark) by `python tools/benchmark.py`."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", action="store_true", help="make the records anew, too")
    parser.add_argument("--archives", default="", help="the folder of the archives of photographs")
    options = parser.parse_args()
    if options.records:
        for sweep in _SWEEPS:
            record(sweep, options.archives)
    files.write_text(_PAGE, page())


def planned_of(sweep: str, archives: str) -> Plan:
    """The plan of configs/reproduce.py:SWEEP, whose photographs lie in archives."""
    config = reproduce.get_config(sweep)
    config.data.dir = archives
    return Plan(config)


def attacked(run_settings: settings.Settings):
    """The images that every attack of these settings meets, a Split."""
    return common.load_data(run_settings.data, seed=run_settings.seed).test.first(run_settings.attack.images)


def record(sweep: str, archives: str) -> None:
    """Writes a record of each method and data set that the sweep's runs.jsonl has runs of."""
    plan = planned_of(sweep, archives)
    kept = outcomes.read_all(_ROOT / "results" / f"reproduce-{plan.config.reproduce.scale}" / "runs.jsonl")
    for data in plan.recipe.data:
        shared = None
        for row in plan.rows:
            runs = {seed: kept[name] for seed in plan.seeds(row) if (name := str(row.run(data, seed))) in kept}
            if runs and row.network == plan.recipe.networks[0][0]:
                shared = shared or _attacked_facts(plan, row, data)
                _write(f"{data}-64" if sweep.endswith("transfer") else data, row, runs, {"sweep": sweep, **shared})


def _attacked_facts(plan, row, data) -> dict:
    planned = plan.run(row, data, 0, {})
    run_settings = settings.read(planned.config, planned.method)
    split = attacked(run_settings)
    return {
        "data": data,
        "network": run_settings.networks.backbone,
        "public_weights_sha256": common.build_teacher(run_settings.networks).record.sha256,
        "num_attacked": len(split),
        "attacked_sha256": split.digest(),
        "epsilon": run_settings.attack.epsilon,
    }


def _write(folder, row, runs, shared):
    """A record; what others showed of the one before stays."""
    path = _RECORDS / folder / f"{row.method}{row.variant}.json"
    before = files.read_json(path) if path.is_file() else {}
    suites = [run["suite"] for run in runs.values() if run["suite"]]
    content = {
        "method": row.method,
        "variant": row.variant,
        "changes": dict(row.changes),
        **shared,
        "seeds": {str(seed): {key: run[key] for key in _KEPT} for seed, run in runs.items()},
        "attacks": {name: float(np.mean([suite[name] for suite in suites])) for name in (suites or [{}])[0]},
        "lower_accuracy_shown": before.get("lower_accuracy_shown"),
        "doubtful": before.get("doubtful"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, content)


def page() -> str:
    """The content of docs/benchmark.md."""
    by_sweep = {}
    for path in sorted(_RECORDS.glob("*/*.json")):
        content = json.loads(path.read_text())
        by_sweep.setdefault(content["sweep"], {}).setdefault(content["data"], []).append(content)
    sections = [_section(sweep, data, by_sweep[sweep][data]) for sweep in _SWEEPS for data in by_sweep.get(sweep, {})]
    return "\n\n".join([_TITLE, *sections]) + "\n"


def _section(sweep, data, contents):
    first = contents[0]
    facts = f"{first['network']}; the first {first['num_attacked']} test images; ε = {first['epsilon']:g} of the range "
    facts += "from black to white."
    command = f"    python main.py --mode=reproduce --config=configs/reproduce.py:{sweep}"
    command += " --config.data.dir=ARCHIVES" if sweep.endswith("transfer") else ""
    title = f"## {data}, 64 pixels" if sweep.endswith("transfer") else f"## {data}"
    return "\n\n".join([title, facts, command, _table(contents)])


def _table(contents):
    shown = {key: label for key, label in _SHOWN.items() if _values(contents, key)}
    rows = []
    for content in sorted(contents, key=lambda one: (list(LABELS).index(one["method"]), one["variant"])):
        rates = [mean_and_std(seeds.summarise(_values([content], key, 100)), 1) for key in shown]
        seconds = mean_and_std(seeds.summarise(_values([content], TRAINING)), 0)
        rows.append([f"`{content['method']}{content['variant']}`", *rates, seconds, str(len(content["seeds"]))])
    return markdown_table(["`--method=`", *shown.values(), "training (s)", "seeds"], rows)


def _values(contents, key, scale=1):
    """Of each seed. Noise is drawn as often as there are attacks: of the seeds that met all, where some did."""
    by_seed = [seed for content in contents for seed in content["seeds"].values()]
    if key == WORST_NOISE and any(seed[WORST] is not None for seed in by_seed):
        by_seed = [seed for seed in by_seed if seed[WORST] is not None]
    return [scale * seed[key] for seed in by_seed if seed[key] is not None]


if __name__ == "__main__":
    main()
