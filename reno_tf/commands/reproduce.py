"""--mode=reproduce: the paper's tables and figures from runs that are done once, resumed and kept."""

import contextlib
import dataclasses
import functools
from pathlib import Path

import tensorflow as tf

from reno_tf import files, ownership, reporting, settings
from reno_tf.commands.run import run
from reno_tf.errors import UserError
from reno_tf.reporting.metrics import ASR, VALIDATION
from reno_tf.reproduction import estimate, judging, outcomes, paper, sweep, trials
from reno_tf.reproduction.artefacts import ARTEFACTS
from reno_tf.reproduction.planning import Plan, Planned


def reproduce(
    config,
    *,
    command: str,
    workdir: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    ray_address: str | None = None,
) -> None:
    """Does the runs that `config.reproduce` asks for below `workdir`, and writes what they show.

    Hyper-parameters are chosen first, on the validation split; then come all runs of seed 0, of seed 1, ... Finished
    runs are kept. Writes each of `config.reproduce.artefacts` from the runs that there are, claims.md if there are
    all, and runs.jsonl to results in `workdir`. That has what is needed of each run: with it there, a run with the same
    settings counts as finished without its folder. dry_run: prints the runs and an estimate of their time and disk,
    and does none.

    Raises UserError for a mistake in the config, another sweep or other files in `workdir`, or missing runs, after
    the rest.
    """
    if "reproduce" not in config:
        raise UserError("--mode=reproduce goes with a config of configs/reproduce, such as table2.py, not with another")
    plan, folder = Plan(config), Path(workdir or f"runs/reproduce-{config.reproduce.scale}")
    kept = outcomes.read_all(folder / "results" / "runs.jsonl")
    sweeping, mistakes = _Sweep(plan, folder, command, overwrite, ray_address, kept), []
    if dry_run:
        estimate.print_plan(plan, sweeping.is_finished, kept)
        for name, why in list(sweeping.missing.items())[:1]:
            print(f"{len(sweeping.missing)} of them would be missing, among them {name}: {why}")
        return
    _claim(folder, is_sweep=bool(kept))
    with contextlib.suppress(RuntimeError):  # Initialised already: by someone's own program.
        tf.config.set_visible_devices([], "GPU")  # The runs are processes of their own, and want the GPUs whole.
    with sweep.lock(folder):
        try:
            sweeping.do()
        except OSError as error:
            mistakes.append(f"{error.filename or folder} cannot be written: {error.strerror}")
    for name, why in list(sweeping.missing.items())[:1]:  # Of one mistake that has others after it, the first.
        mistakes.append(f"{len(sweeping.missing)} runs are missing, among them {name}: {why}")
    if mistakes:
        raise UserError("; ".join(mistakes))


def _claim(folder, *, is_sweep):
    """Marks the folder as a sweep's. Raises UserError if it holds other files alone: some might be written over."""
    marker = folder / ".reno_tf-sweep"
    others = [path for path in folder.iterdir() if path.name != ownership.LOCK] if folder.is_dir() else []
    if others and not (is_sweep or marker.exists()):
        raise UserError(f"{folder} holds other files and no sweep; choose another --workdir")
    files.write_json(marker, {"project": "reno_tf"})


@dataclasses.dataclass
class _Sweep:
    """kept: run -> what is known of it; missing: run -> why it could not be done; done: those that were, now;
    chosen: data set -> {recipe key: value}."""

    plan: Plan
    folder: Path
    command: str
    overwrite: bool
    ray_address: str | None
    kept: dict[str, dict]
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    done: set[str] = dataclasses.field(default_factory=set)
    chosen: dict[str, dict] = dataclasses.field(default_factory=dict)

    def do(self):
        """Whatever happens meanwhile, runs.jsonl has what was done."""
        try:
            self._do()
        finally:
            outcomes.write_all(self._results / "runs.jsonl", self.kept)

    def _do(self):
        plan = self.plan
        self.chosen = {data: {} for data in plan.recipe.data}
        self._choose("grid", plan.trials())
        self._choose("feature_weight", plan.weight_trials(self.chosen))
        for seed in range(max(len(plan.seeds(row)) for row in plan.rows)):
            due = [row for row in plan.rows if seed in plan.seeds(row)]
            # Data sets by turns, so that runs at the same time seldom wait for each other's adversarial images.
            pairs = [(row, data) for row in due for data in self.chosen if data in plan.data(row)]
            self._execute([plan.run(row, data, seed, self.chosen[data]) for row, data in pairs])
            self._write()  # After each seed: there is something to look at early.

    def _choose(self, name: str, tried: list[tuple[dict, Planned]]):
        """A data set whose trials are not all there takes part in nothing that follows."""
        self._execute([planned for _, planned in tried])
        for data in dict.fromkeys(planned.data for _, planned in tried):
            own = [(values, planned) for values, planned in tried if planned.data == data]
            if broken := [planned.name for _, planned in own if planned.name in self.missing]:
                del self.chosen[data]
                for lost in (row.run(data, seed) for row in self.plan.rows for seed in self.plan.seeds(row)):
                    self.missing.setdefault(lost, f"without {broken[0]} nothing is chosen for {data}")
                continue
            rows = []
            for values, planned in own:
                results = self.kept[planned.name]
                seen = (VALIDATION, *[ASR] * (planned.config.split == "validation"))  # Nothing of the test split.
                rows.append({"values": values, "run": planned.name, **{key: results[key] for key in seen}})
            self.chosen[data] |= trials.choose(rows)["values"]
            trials.record(self.folder / "trials" / f"{data}-{name}", rows, trials.choose(rows))

    def _execute(self, due: list[Planned]):
        """Adds to `missing` what could not be done."""
        tasks, recipe = [], self.plan.recipe
        for planned in due:
            if self.is_finished(planned) or planned.name in self.missing:
                continue
            options = {
                "workdir": str(self.folder / planned.name),
                "overwrite": self.overwrite,
                "command": self.command,
                "announce": False,
            }
            call = functools.partial(run, planned.config, method=planned.method, **options)
            tasks.append(sweep.Task(planned.name, call))
        options = {"address": self.ray_address, "report": functools.partial(print, flush=True)}
        try:
            failed = sweep.execute(tasks, cpus=recipe.cpus, gpus=recipe.gpus, **options)
            self.missing |= failed
            self.done |= {task.name for task in tasks} - failed.keys()
        finally:
            for planned in due:
                self.is_finished(planned)

    def is_finished(self, planned) -> bool:
        """Whether it was made with the same settings; then `kept` has it. `missing` has what was made with others."""
        name, workdir = planned.name, self.folder / planned.name
        try:
            config, identity = settings.read(planned.config, planned.method).as_json(), outcomes.identity(planned)
            anew = self.overwrite and name not in self.done
            if anew or self.kept.get(name, {}).get("settings") != identity:
                self.kept.pop(name, None)
            if anew or not (workdir / "results.json").is_file():
                return name in self.kept
            files.claim(workdir, config, overwrite=False)
            self.kept[name] = {"settings": identity, **outcomes.read(workdir)}
            return True
        except UserError as mistake:
            self.missing[name] = str(mistake)
            return False

    @property
    def _results(self):
        return self.folder / "results"

    def _write(self):
        printed = paper.outcomes()
        facts = {"missing": self.missing, "chosen": self.chosen, "command": self.command}
        made = {name: outcomes.outcome(name, self.plan, self.kept, **facts) for name in self.plan.artefacts}
        for name, outcome in made.items():
            reporting.write_artefact(self._results, outcome, paper=printed.get(name))
        if made.keys() >= {name for name in ARTEFACTS if not name.endswith("_matched")}:
            judged = judging.judge(made)
            reporting.write_claims(self._results, judged, next(iter(made.values())), rules=judging.RULES)
        print(f"{', '.join(made)} in {self._results}", flush=True)
