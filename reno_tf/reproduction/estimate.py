"""What a sweep would do, how long that takes and how much disk it needs, total without doing it."""

import contextlib
import dataclasses
import datetime
import functools
import itertools
import tempfile
from collections.abc import Callable, Container
from pathlib import Path

from reno_tf import files, settings
from reno_tf.errors import UserError
from reno_tf.methods import METHODS, Method
from reno_tf.reproduction import sweep
from reno_tf.reproduction.planning import Plan, Planned
from reno_tf.training import read_history

_INTERVAL = 50  # Training steps of the shorter of two runs that are measured; the longer has twice as many,
_ATTACK_STEPS = (2, 6)  # and more steps of the attack.


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one run: start + step * training steps + craft * attack steps, if it crafts, in seconds; bytes on disk."""

    start: float
    step: float
    craft: float
    bytes: int


def print_plan(folder: Path, plan: Plan, run: Callable, kept: Container[str] = ()) -> None:
    """Names the runs, and what those need that are neither finished in `folder` nor `kept`; `run`: see `estimate`."""
    runs = _runs(plan)
    for planned in runs:
        print(f"{'done ' if planned.name in kept or _is_done(folder, planned) else 'to do'} {planned.name}")
    runs = [planned for planned in runs if planned.name not in kept]
    total = estimate(folder, runs, run, cpus=plan.recipe.cpus, gpus=plan.recipe.gpus)
    for kind, row in total["kinds"].items():
        print(f"{row['runs']} x {kind}: {row.get('unknown') or _needs(row)}")
    due, unknown = (sum(row["runs"] for row in total["kinds"].values() if has in row) for has in ("runs", "unknown"))
    print(
        f"{due} of {len(runs)} runs to do, together about {_needs(total)}, with "
        f"{total['at_once']} at once on this machine, beside the adversarial images and the seconds that each process "
        f"takes to start{f'; {unknown} of them are not counted' if unknown else ''}"
    )


def estimate(folder: Path, runs: list[Planned], run: Callable, *, cpus: int, gpus: float) -> dict:
    """Time and disk of the runs that are not finished below `folder`.

    What a kind of runs costs is known from finished ones, or else from two short ones of its longest, done here
    by `run(config, method=..., workdir=..., command=...)` with the same CPUs and GPUs. Every data set is taken to
    be as large as that one's. Returns {"seconds": on this machine, "at_once": runs, "bytes", "kinds": {kind: {"runs":
    how many, all their "seconds" and "bytes", and if they are not counted "unknown": why}}}.
    """
    kinds, rows, crafted = {}, {}, set()
    for planned in runs:
        kinds.setdefault(_kind(planned), []).append(planned)
    due = {kind: [planned for planned in alike if not _is_done(folder, planned)] for kind, alike in kinds.items()}
    costs = {kind: _known(folder, alike) for kind, alike in kinds.items()}
    longest = {kind: max(open_runs, key=_steps) for kind, open_runs in due.items() if open_runs and not costs[kind]}
    costs |= _measure(longest, run, cpus=cpus, gpus=gpus)
    for kind, open_runs in due.items():
        cost, rows[kind] = costs[kind], {"runs": len(open_runs), "seconds": 0, "bytes": 0}
        if isinstance(cost, str):
            rows[kind]["unknown"] = cost
        else:
            rows[kind]["seconds"] = sum(_seconds(cost, planned, crafted) for planned in open_runs)
            rows[kind]["bytes"] = sum(cost.bytes for _ in open_runs)
    at_once = sweep.room(cpus=cpus, gpus=gpus)
    seconds, size = (sum(row[key] for row in rows.values()) for key in ("seconds", "bytes"))
    return {"seconds": seconds / at_once, "at_once": at_once, "bytes": size, "kinds": rows}


def _runs(plan) -> list[Planned]:
    """Each once; what is chosen later changes no cost."""
    places = [(row, range(1)) for _, row in plan.weights()] + [(row, plan.seeds(row)) for row in plan.rows]
    runs = [planned for _, planned in plan.trials()]
    runs += [plan.run(row, data, seed, {}) for row, seeds in places for data in plan.data(row) for seed in seeds]
    return list({planned.name: planned for planned in runs}.values())


def _is_done(folder, planned) -> bool:
    return (folder / planned.name / "results.json").is_file()


def _kind(planned) -> str:
    """What tells how long a step takes."""
    method, facts = METHODS[planned.method], [settings.read_networks(planned.config).student]
    facts += ["the head alone"] * (method.trains == "head") + ["beside the teacher"] * bool(method.needs_features)
    return ", ".join(facts + ["on attacked images"] * (method.perturb is not Method.perturb))


def _known(folder, alike) -> Cost | None:
    """From the newest finished run that can be read; it found its adversarial images, as most do."""
    done = [folder / planned.name for planned in alike if _is_done(folder, planned)]
    for workdir in sorted(done, key=lambda workdir: (workdir / "results.json").stat().st_mtime, reverse=True):
        with contextlib.suppress(UserError, OSError, LookupError):  # Another version's.
            if (spent := _spent(workdir))["other"] > 0:  # Else it was resumed, and its files do not say.
                return Cost(start=spent["other"], step=spent["train"] / spent["steps"], craft=0.0, bytes=spent["bytes"])
    return None


def _measure(longest, run, *, cpus, gpus) -> dict[str, Cost | str]:
    """kind -> its cost, or why it could not be measured."""
    with tempfile.TemporaryDirectory() as folder:
        pairs, tasks = {}, []
        for kind, length in itertools.product(longest, (1, 2)):
            planned, workdir, steps = longest[kind], Path(folder, f"{len(tasks)}"), length * _INTERVAL
            pairs.setdefault(kind, []).append(workdir)
            config = planned.config.copy_and_resolve_references()
            config.interval = _INTERVAL
            config.steps.update(train=steps, swa=steps, swa_period=steps)
            config.attack.update(steps=_ATTACK_STEPS[length - 1], cache="")
            call = functools.partial(run, config, method=planned.method, workdir=str(workdir), command="")
            tasks.append(sweep.Task(str(workdir), call))
        try:
            failed = sweep.execute(tasks, cpus=cpus, gpus=gpus, report=lambda line: None)
        except UserError as mistake:  # Fewer CPUs or GPUs here than the sweep's machines have.
            return dict.fromkeys(longest, str(mistake))
        why = {kind: [failed[str(one)] for one in pair if str(one) in failed] for kind, pair in pairs.items()}
        return {kind: why[kind][0] if why[kind] else _between(*map(_spent, pair)) for kind, pair in pairs.items()}


def _spent(workdir) -> dict:
    """What a finished run took."""
    results = files.read_json(workdir / "results.json")
    # The first and the last file that only the run itself writes.
    whole = (workdir / "results.json").stat().st_mtime - (workdir / "data.json").stat().st_mtime
    return {
        "train": results["seconds"]["train"],
        "other": whole - results["seconds"]["train"],
        "steps": read_history(workdir)[-1]["step"],
        "attack": results["attack"]["steps"],
        "bytes": sum(file.stat().st_size for file in workdir.rglob("*") if file.is_file()),
    }


def _between(short, long) -> Cost:
    step = max(0.0, long["train"] - short["train"]) / (long["steps"] - short["steps"])
    craft = max(0.0, long["other"] - short["other"]) / (long["attack"] - short["attack"])
    start = short["train"] - step * short["steps"] + short["other"] - craft * short["attack"]
    return Cost(start=max(0.0, start), step=step, craft=craft, bytes=long["bytes"])


def _seconds(cost, planned, crafted) -> float:
    """`crafted`: the sets that earlier runs have crafted; this run's joins them."""
    chosen = settings.read(planned.config, planned.method)
    attacked = (chosen.networks.backbone, chosen.networks.weights, chosen.data.name, chosen.report.split)
    craft = 0.0 if attacked in crafted else cost.craft * chosen.attack.steps
    crafted.add(attacked)
    return cost.start + cost.step * _steps(planned) + craft


def _steps(planned) -> int:
    chosen = settings.read(planned.config, planned.method)
    return sum(phase.steps for phase in chosen.method.phases(chosen.schedule))


def _needs(row) -> str:
    return f"{datetime.timedelta(seconds=round(row['seconds']))} and {row['bytes'] / 1e6:.0f} MB"
