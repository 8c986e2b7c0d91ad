"""Prints the tables of README.md and docs/ that show what results/ holds: python tools/readme_tables.py"""

import functools
import json
from pathlib import Path

import numpy as np

from reno_tf import records
from reno_tf.attacks import ATTACKS
from reno_tf.naming import RunRef
from reno_tf.reporting import seeds
from reno_tf.reporting.metrics import ASR, CLEAN, CORE, NOISE, RELATIVE, TRAINING, WORST, WORST_NOISE, mean_and_std
from reno_tf.reporting.rendering import markdown_table
from reno_tf.reproduction import outcomes, paper, trials
from reno_tf.reproduction.artefacts import LABELS, MATCHED, NETWORKS
from reno_tf.reproduction.drawing import tables
from reno_tf.reproduction.drawing.rendering import render_template
from reno_tf.reproduction.judging import t_interval
from reno_tf.reproduction.lines import lines_of
from reno_tf.reproduction.result_types import JudgedClaim, Outcome

_RESULTS = Path(__file__).parents[1] / "results" / "reproduce-embedded"
_PHOTOS = _RESULTS.with_name("reproduce-photos")
_TRANSFER = _RESULTS.with_name("reproduce-transfer")
_FLOAT32, _LONGER = _RESULTS.with_name("float32"), _RESULTS.with_name("longer")
_AUDITS = {"Keras 3": "cells3", "Keras 2": "cells2"}  # of the tutorial
_COMPARED = ("delta", "retraining", "delta_r", "renofeation", "inoculation")  # Each has a column of its own.


def methods() -> str:
    """docs/miniature.md: the paper's attack; averages over the data sets, ours and the paper's."""
    paper_lines = tables.printed_lines(paper.outcomes()["methods"])
    rows = {}
    for line in lines_of(_read("methods", Outcome)):
        other = paper_lines.get(line.key)
        columns = [line.average] + ([other and other.average] if line.metric != NOISE else [])
        numbers = [mean_and_std(column, 1) for column in columns]
        rows.setdefault((line.row.label, line.row.method), {})[line.metric] = numbers
    header = ["", "`--method=`", "clean (%)", "ASR (%)", "noise (%)", "the paper: clean", "ASR"]
    cells = []
    for (label, method), numbers in rows.items():
        (clean, paper_clean), (asr, paper_asr), (noise,) = (numbers[metric] for metric in (CLEAN, ASR, NOISE))
        cells.append([label, f"`{method}`", clean, asr, noise, paper_clean, paper_asr])
    return markdown_table(header, cells)


def photos_trained() -> str:
    """docs/photos.md: what the trainings on photographs came to."""
    shown = {"validation_accuracy": "clean on validation (%)", CLEAN: "on test (%)"}
    rows = []
    for method, runs in _photos().items():
        rates = [_over_seeds(runs, key, 100, 1) for key in shown]
        rows.append([f"`{method}`", *rates, _over_seeds(runs, RELATIVE, 1, 2)])
    return markdown_table(["`--method=`", *shown.values(), "relative feature distance"], rows)


def transfer() -> str:
    """docs/defences.md: on each set of photographs what a method keeps, and who fools it. Clean accuracy less
    fine-tuning's is paired, image by image, with its 95 % interval."""
    shown = {ASR: "the paper's attack", CORE: "worst of 7", WORST: "with a copy", WORST_NOISE: "noise"}
    header = ["", "`--method=`", "clean", "less fine-tuning's", *shown.values(), "seeds"]
    by_cell = {}
    for name, run in _run_results(_TRANSFER).items():
        by_cell.setdefault((name.network, name.data), {}).setdefault(name.method + name.variant, {})[name.seed] = run
    rows = []
    for (network, data), by_method in sorted(by_cell.items()):
        tuned = by_method["finetune"]
        for method, runs in sorted(by_method.items(), key=lambda pair: _place(pair[0])):
            rates = [_over_seeds(runs.values(), key, 100, 1) for key in (CLEAN, *shown)]
            cells = [f"`{method}`", rates[0], _less(runs, tuned), *rates[1:], str(len(runs))]
            rows.append([f"{NETWORKS[network]}, {data}", *cells])
    return markdown_table(header, rows)


def copied() -> str:
    """docs/defences.md: prototypes on validation images, each seed, in percent; and a twin of the first seed."""
    content = json.loads((_RESULTS.parent / "benchmarks" / "copied_defences.json").read_text())
    each = ("clean", "worst of seven", "noise")
    through = ("through its twin, by the loss", "through its twin, worst of seven")
    rows = []
    for name, found in content["found"].items():
        cells = [" / ".join(f"{value:.1f}" for value in found[key]) for key in each]
        rows.append([name, *cells, *(f"{found[key]:.1f}" if key in found else "" for key in through)])
    return markdown_table(["", *each, "its twin, by the loss", "its twin, worst of seven"], rows)


def _less(runs, others) -> str:
    """The difference in clean accuracy of the seeds that both have, in points."""
    shared = runs.keys() & others.keys()
    if not shared or runs is others:
        return ""
    own, other = ([outcomes.right_images(one[seed]).astype(float) for seed in shared] for one in (runs, others))
    mean = 100 * (np.mean(own, axis=0) - np.mean(other, axis=0))
    low, high = t_interval(mean)
    return f"{mean.mean():.1f} [{low:.1f}, {high:.1f}]".replace("-", "−")


def _photos() -> dict[str, list[dict]]:
    """{method: what is kept of its runs}"""
    runs = {}
    for name, run in _run_results(_PHOTOS).items():
        runs.setdefault(name.method + name.variant, []).append(run)
    return dict(sorted(runs.items(), key=lambda pair: _place(pair[0])))


def _run_results(folder: Path) -> dict[RunRef, dict]:
    """What is kept of the runs of tables; those that chose a hyper-parameter are called otherwise."""
    run_results = outcomes.read_all(folder / "runs.jsonl")
    return {RunRef.parse(name): run for name, run in run_results.items() if not trials.is_trial_name(name)}


def _over_seeds(runs, key, scale, places) -> str:
    return mean_and_std(seeds.summarise(scale * run[key] for run in runs), places)


def audits() -> str:
    """docs/tutorial.md: the two audited models under each attack, with 95 % intervals."""
    folder = _RESULTS.with_name("tutorial")
    all_results = [json.loads((folder / f"{name}.json").read_text()) for name in _AUDITS.values()]
    names = [row["name"] for row in all_results[0]["suite"] if ", worst case" not in row["name"]]
    shown = {"clean accuracy": lambda one: (one, CLEAN)}
    shown |= {f"`{name}`": functools.partial(_attacked, name) for name in names}
    shown |= {"**worst of 7**": lambda one: (one, WORST), "noise, worst of 7": lambda one: (one, WORST_NOISE)}
    rows = [[label, *(_with_interval(*place(one)) for one in all_results)] for label, place in shown.items()]
    return markdown_table(["in percent", *_AUDITS], rows)


def _attacked(name, results):
    return next(row for row in results["suite"] if row["name"] == name), ASR


def _with_interval(values, key):
    low, high = values[f"{key}_ci95"]
    return f"{100 * values[key]:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _place(method):
    """Where a method, or its variant, stands in the tables."""
    name, _, variant = method.partition("+")
    return list(LABELS).index(name), variant


def claims() -> str:
    """docs/miniature.md: the verdicts."""
    return render_template("claims_overview.md.j2", judged=_read("claims", tuple[JudgedClaim, ...])).strip()


def worst() -> str:
    """docs/miniature.md: the worst case, of the seeds that met the whole suite; means over the data sets and the seeds,
    and the standard deviation of the latter where there are two."""
    shown, runs = (CLEAN, ASR, CORE, WORST, WORST_NOISE), _suites()
    count = _count(runs)
    header = ["`--method=`", "clean", "the paper's attack", "worst of 6"]
    header += [f"worst of {count}", f"noise, worst of {count}", "seeds"]
    rows = []
    for method in [method for method in LABELS if method in runs]:
        means = _seed_means(runs[method], shown)
        rows.append([f"`{method}`", *(_over_seeds(means, key, 100, 1) for key in shown), str(len(means))])
    return markdown_table(header, rows)


def attacks() -> str:
    """docs/attacks.md: what each attack of the suite does to each method."""
    runs = _suites(shared=True)
    rows = []
    for name in next(iter(runs["delta"].values()))["suite"]:
        rates = [_percent(runs[method], name) for method in _COMPARED]
        rows.append([f"*{name}*" if _is_outside(name) else name, *rates])
    for name, key in {"**worst case of {}**": WORST, "noise, worst of {}": WORST_NOISE}.items():
        rows.append([name.format(_count(runs)), *(_percent(runs[method], key) for method in _COMPARED)])
    return markdown_table(["ASR (%)", *(f"`{method}`" for method in _COMPARED)], rows)


def datasets() -> str:
    """docs/defences.md: clean accuracy, the paper's attack and the worst case on each data set."""
    runs, rows = _suites(shared=True), []
    for data in dict.fromkeys(name.data for name in runs["delta"]):
        cells = []
        for method in _COMPARED:
            data_runs = {name: run for name, run in runs[method].items() if name.data == data}
            cells.append(" / ".join(_percent(data_runs, key) for key in (CLEAN, ASR, WORST)))
        rows.append([data, *cells])
    return markdown_table(["", *(f"`{method}`" for method in _COMPARED)], rows)


def unseen() -> str:
    """docs/defences.md: the attacks that inoculation never trained on."""
    shown = {
        "the paper's attack (one neuron)": ("pixel",),
        "another image's features (`guide`)": ("guide",),
        "one perturbation for all images (`universal`, `universal_lift`)": ("universal", "universal_lift"),
        "shuffled and rotated views (`bsr`, worst of 5)": ("bsr, worst case of 5",),
        "whole stages as targets (`stages`, worst of 4)": ("stages, worst case of 4",),
        "the attacker's own student (`surrogate`)": ("surrogate",),
        "an ensemble around it (`ensemble`)": ("ensemble",),
    }
    methods = {"delta": "DELTA", "renofeation": "Renofeation", "inoculation": "inoculation"}
    runs = _suites(shared=True)
    cells = [
        [label, *(", ".join(_percent(runs[method], name) for name in names) for method in methods)]
        for label, names in shown.items()
    ]
    return markdown_table(["ASR (%)", *methods.values()], cells)


def matched() -> str:
    """docs/reproduction.md: both regimes on the data sets that both have; mean and deviation over the seeds."""
    shown, runs = (CLEAN, ASR, CORE, RELATIVE), {}
    for name, run in _run_results(_RESULTS).items():
        if name.network == "resnet18":  # Table 4 has others, too.
            runs.setdefault(name.method + name.variant, {})[name] = run
    data = {name.data for name in runs[f"renofeation{MATCHED}"]}
    rows = []
    for method in ("delta", "delta_r", "delta_r+dropout", "delta_r+swa", "renofeation"):
        for weight, variant in {"0.5": "", "5": MATCHED}.items():
            variant_runs = {name: run for name, run in runs.get(method + variant, {}).items() if name.data in data}
            if variant_runs:
                means = _seed_means(variant_runs, shown)
                rates = [_over_seeds(means, key, 100, 1) for key in (CLEAN, ASR, CORE)]
                weight = "" if method == "delta" else weight
                rows.append([f"`{method}`", weight, *rates, _over_seeds(means, RELATIVE, 1, 3), str(len(means))])
    header = ["", "λ", "clean (%)", "ASR (%)", "worst of 6 (%)", "relative feature distance", "seeds"]
    return markdown_table(header, rows)


def longer() -> str:
    """docs/reproduction.md: re-training with more steps on the scripts, and the others as they are; seeds 0 to 2."""
    run_results = _run_results(_RESULTS) | _run_results(_LONGER)
    shown = {("retraining", ""): "re-training, 600 steps", ("retraining", "@1800"): "re-training, 1800 steps"}
    shown |= {("delta", ""): "DELTA, 300 steps", ("renofeation", ""): "Renofeation, 600 + 100 steps"}
    shown |= {("inoculation", ""): "inoculation, 600 steps"}
    scripts, rows = ("greek", "armenian", "georgian", "operators"), []
    for (method, variant), label in shown.items():
        cells, of = [label], {"method": method, "variant": variant, "network": "resnet18"}
        for data in scripts:
            data_runs = {name: run_results[name] for name in (RunRef(**of, data=data, seed=seed) for seed in range(3))}
            cells.append(" / ".join(_percent(data_runs, key) for key in (CLEAN, ASR, CORE)))
        rows.append(cells)
    return markdown_table(["", *scripts], rows)


def precisions() -> str:
    """docs/speed.md: students that trained in float32, beside the reproduction's, which trained in bfloat16; the
    difference is of the paper's attack in points, with the 95 % interval of paired seeds."""
    float32, bfloat16 = _run_results(_FLOAT32), _run_results(_RESULTS)
    runs = {}
    for name in float32:
        runs.setdefault(name.method + name.variant, []).append(name)
    shown, rows = {CLEAN: "clean (%)", ASR: "ASR (%)", CORE: "worst of 6 (%)"}, []
    for method, names in sorted(runs.items(), key=lambda pair: _place(pair[0])):
        gaps = [100 * (float32[name][ASR] - bfloat16[name][ASR]) for name in names]
        low, high = t_interval(gaps)
        gap = f"{np.mean(gaps):.1f} [{low:.1f}, {high:.1f}]"
        for precision, run_results in {"bfloat16": bfloat16, "float32": float32}.items():
            method_runs = [run_results[name] for name in names]
            rates = [_over_seeds(method_runs, key, 100, 1) for key in shown]
            cells = [
                *rates,
                gap if precision == "float32" else "",
                _over_seeds(method_runs, TRAINING, 1, 0),
                str(len(method_runs)),
            ]
            rows.append([f"`{method}`", precision, *cells])
    header = ["", "students in", *shown.values(), "ASR less bfloat16's", "training (s)", "seeds"]
    return markdown_table(header, rows)


def seconds() -> dict[str, float]:
    """{method: how long its training took, median over the runs of the whole suite}; also re-training for longer."""
    by_method = _suites() | {"retraining, 1800 steps": _run_results(_LONGER)}
    return {method: float(np.median([run[TRAINING] for run in runs.values()])) for method, runs in by_method.items()}


def _suites(*, shared: bool = False) -> dict[str, dict[RunRef, dict]]:
    """{method: {run: what is kept of it}} of the plain runs that met the whole suite; shared: of the seeds alone that
    every compared method has on every data set."""
    by_method = {}
    for name, run in _run_results(_RESULTS).items():
        if run["suite"]:
            by_method.setdefault(name.method + name.variant, {})[name] = run
    if not shared:
        return by_method
    places = [{(name.data, name.seed) for name in by_method[method]} for method in _COMPARED]
    data = {data for one in places for data, _ in one}
    seeds_done = {seed for _, seed in places[0] if all((name, seed) in one for one in places for name in data)}
    return {
        method: {name: run for name, run in by_method[method].items() if name.seed in seeds_done}
        for method in _COMPARED
    }


def _count(runs) -> int:
    """How many attacks of the suite count."""
    suite = next(iter(runs["delta"].values()))["suite"]
    return sum(not _is_outside(name) and ", worst case" not in name for name in suite)


def _is_outside(name) -> bool:
    """Whether a suite shows the attack and does not count it."""
    entry = ATTACKS[name.replace(",", " ").split()[0]]
    return bool(entry.outside) or entry.network == "student"


def _seed_means(runs, keys) -> list[dict]:
    """{key: mean over the data sets} of each seed."""
    by_seed = {}
    for name, run in runs.items():
        by_seed.setdefault(name.seed, []).append(run)
    return [{key: float(np.mean([run[key] for run in seed_runs])) for key in keys} for seed_runs in by_seed.values()]


def _percent(runs, key):
    """The mean of a metric, or of the success of an attack of the suite."""
    return f"{100 * np.mean([(run | run['suite'])[key] for run in runs.values()]):.1f}"


def _read(name, kind):
    return records.from_json(kind, json.loads((_RESULTS / f"{name}.json").read_text()))


if __name__ == "__main__":
    made = (photos_trained, transfer, copied, audits, methods, claims, worst, attacks, datasets)
    made += (unseen, matched, longer, precisions, seconds)
    print(*(make() for make in made), sep="\n\n")
