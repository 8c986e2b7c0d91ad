"""--mode=reproduce: the paper's tables and figures from runs that are done once, resumed and kept."""

import contextlib
import dataclasses
import functools
from pathlib import Path

import tensorflow as tf

from reno_tf import files, reporting, settings
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
    runs are kept. Writes each of `config.reproduce.artefacts` from the runs that there are, and claims.md if there are
    all, to results in `workdir`. dry_run: prints the runs and an estimate of their time and disk, and does none.

    Raises UserError for a mistake in the config, another sweep in `workdir`, or missing runs, after the rest.
    """
    if "reproduce" not in config:
        raise UserError("--mode=reproduce goes with a config of configs/reproduce, such as table2.py, not with another")
    plan, folder = Plan(config), Path(workdir or f"runs/reproduce-{config.reproduce.scale}")
    if dry_run:
        estimate.print_plan(folder, plan, run)
        return
    with contextlib.suppress(RuntimeError):  # Initialised already: by someone's own program.
        tf.config.set_visible_devices([], "GPU")  # The runs are processes of their own, and want the GPUs whole.
    sweeping, mistakes = _Sweep(plan, folder, command, overwrite, ray_address), []
    with sweep.lock(folder):
        try:
            sweeping.do()
        except OSError as error:
            mistakes.append(f"{error.filename or folder} cannot be written: {error.strerror}")
    for name, why in list(sweeping.missing.items())[:1]:  # Of one mistake that has others after it, the first.
        mistakes.append(f"{len(sweeping.missing)} runs are missing, among them {name}: {why}")
    if mistakes:
        raise UserError("; ".join(mistakes))


@dataclasses.dataclass
class _Sweep:
    """missing: run -> why it could not be done; done: those that were, now; chosen: data set -> {recipe key: value}."""

    plan: Plan
    folder: Path
    command: str
    overwrite: bool
    ray_address: str | None
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    done: set[str] = dataclasses.field(default_factory=set)
    chosen: dict[str, dict] = dataclasses.field(default_factory=dict)

    def do(self):
        plan = self.plan
        self.chosen = {data: {} for data in plan.recipe.data}
        self._choose("grid", plan.trials())
        weights = []
        for data, values in self.chosen.items():
            weights += [({"feature_weight": weight}, plan.run(row, data, 0, values)) for weight, row in plan.weights()]
        self._choose("feature_weight", weights)
        for seed in range(max(len(plan.seeds(row)) for row in plan.rows)):
            due = [row for row in plan.rows if seed in plan.seeds(row)]
            self._execute([plan.run(row, data, seed, self.chosen[data]) for data in self.chosen for row in due])
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
                results = outcomes.read(self.folder / planned.name)
                seen = (VALIDATION, *[ASR] * (planned.config.split == "validation"))  # Nothing of the test split.
                rows.append({"values": values, "run": planned.name, **{key: results[key] for key in seen}})
            self.chosen[data] |= trials.choose(rows)["values"]
            trials.record(self.folder / "trials" / f"{data}-{name}", rows, trials.choose(rows))

    def _execute(self, runs: list[Planned]):
        """Adds to `missing` what could not be done."""
        tasks, recipe = [], self.plan.recipe
        for planned in runs:
            if self._is_finished(planned) or planned.name in self.missing:
                continue
            options = {"workdir": str(self.folder / planned.name), "overwrite": self.overwrite, "command": self.command}
            call = functools.partial(run, planned.config, method=planned.method, **options)
            tasks.append(sweep.Task(planned.name, call))
        options = {"address": self.ray_address, "report": functools.partial(print, flush=True)}
        self.missing |= sweep.execute(tasks, cpus=recipe.cpus, gpus=recipe.gpus, **options)
        self.done |= {task.name for task in tasks} - self.missing.keys()

    def _is_finished(self, planned) -> bool:
        """Whether it is there, made with the same settings; `missing` has it if it was made with others."""
        workdir = self.folder / planned.name
        try:
            config = settings.read(planned.config, planned.method).as_json()
            if not (workdir / "results.json").is_file() or (self.overwrite and planned.name not in self.done):
                return False
            files.claim(workdir, config, overwrite=False)
            outcomes.read(workdir)
            return True
        except UserError as mistake:
            self.missing[planned.name] = str(mistake)
            return False

    def _write(self):
        results, printed = self.folder / "results", paper.outcomes()
        facts = {"missing": self.missing, "chosen": self.chosen, "command": self.command}
        made = {name: outcomes.outcome(name, self.plan, self.folder, **facts) for name in self.plan.artefacts}
        for name, outcome in made.items():
            reporting.write_artefact(results, outcome, paper=printed.get(name))
        if made.keys() == ARTEFACTS.keys():
            judged = judging.judge(made)
            reporting.write_claims(results, judged, next(iter(made.values())), rules=judging.RULES)
        print(f"{', '.join(made)} in {results}", flush=True)
