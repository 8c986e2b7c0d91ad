"""--mode=reproduce: the paper's tables and figures from runs that are done once, resumed and kept."""

import contextlib
import dataclasses
import functools
from pathlib import Path

import tensorflow as tf

from reno_tf import files, reporting, settings
from reno_tf.commands.run import run
from reno_tf.errors import UserError
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

    Hyper-parameters are chosen first, on the validation split; then come all runs of seed 0, of seed
    1, ... Finished runs are kept. Writes each of `config.reproduce.artefacts` from the runs that there
    are, and claims.md if there are all, to results in `workdir`.

    Args:
      dry_run: print the runs and an estimate of their time and disk; do none of them.
      ray_address: of a Ray cluster; None: this machine.

    Raises:
      UserError: a mistake in the config, another sweep in `workdir`, or missing runs, after the rest.
    """
    if "reproduce" not in config:
        raise UserError("--mode=reproduce goes with a config of configs/reproduce, such as table2.py, not with another")
    plan = Plan(config)
    sweeping = _Sweep(plan, Path(workdir or f"runs/reproduce-{plan.recipe.scale}"), command, overwrite, ray_address)
    if dry_run:
        estimate.print_plan(sweeping.folder, plan, run)
        return
    with contextlib.suppress(RuntimeError):  # Initialised already: by someone's own program.
        tf.config.set_visible_devices([], "GPU")  # The runs are processes of their own, and want the GPUs whole.
    said = []
    with sweep.lock(sweeping.folder):
        try:
            sweeping.do()
        except OSError as error:
            said.append(f"{error.filename or sweeping.folder} cannot be written: {error.strerror}")
    if sweeping.missing:
        name, why = next(iter(sweeping.missing.items()))  # Of one mistake that has others after it, the first.
        said.append(f"{len(sweeping.missing)} runs are missing, among them {name}: {why}")
    if said:
        raise UserError("; ".join(said))


@dataclasses.dataclass
class _Sweep:
    """missing: name -> why, of the runs that could not be done; done: names of those that were, now.

    chosen: data set -> {recipe key: value}.
    """

    plan: Plan
    folder: Path
    command: str
    overwrite: bool
    ray_address: str | None
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    done: set[str] = dataclasses.field(default_factory=set)
    chosen: dict[str, dict] = dataclasses.field(default_factory=dict)

    def do(self):
        self.chosen = {data: {} for data in self.plan.recipe.data}
        self._choose("grid", self.plan.trials())
        weights = [
            ({"feature_weight": weight}, self.plan.run(row, data, 0, values))
            for data, values in self.chosen.items()
            for weight, row in self.plan.weights()
        ]
        self._choose("feature_weight", weights)
        rows = self.plan.rows
        for seed in range(max(len(self.plan.seeds(row)) for row in rows)):
            due = [row for row in rows if seed in self.plan.seeds(row)]
            self._execute([self.plan.run(row, data, seed, self.chosen[data]) for data in self.chosen for row in due])
            self._write()  # After each seed: there is something to look at early.

    def _choose(self, name: str, tried: list[tuple[dict, Planned]]):
        """A data set whose trials are not all there takes part in nothing that follows."""
        self._execute([planned for _, planned in tried])
        for data in list(self.chosen) if tried else []:
            own = [(values, planned) for values, planned in tried if planned.data == data]
            if broken := [planned.name for _, planned in own if planned.name in self.missing]:
                del self.chosen[data]
                for run in self.plan.names(data):
                    self.missing.setdefault(run, f"without {broken[0]} nothing is chosen for {data}")
                continue
            rows = [{"values": values, "run": planned.name, **self._seen(planned)} for values, planned in own]
            self.chosen[data] |= trials.choose(rows)["values"]
            trials.record(self.folder / "trials" / f"{data}-{name}", rows, trials.choose(rows))

    def _seen(self, planned) -> dict:
        """What a choice may look at: nothing of the test split."""
        results, on_validation = outcomes.read(self.folder / planned.name), planned.config.split == "validation"
        keys = ("validation_accuracy", *["attack_success_rate"] * on_validation)
        return {key: results[key] for key in keys}

    def _execute(self, runs: list[Planned]):
        """Adds to `missing` what could not be done."""
        due = [one for one in runs if not self._is_finished(one) and one.name not in self.missing]
        recipe, report = self.plan.recipe, functools.partial(print, flush=True)
        tasks = [sweep.Task(one.name, self._call(one)) for one in due]
        self.missing |= sweep.execute(
            tasks, cpus=recipe.cpus, gpus=recipe.gpus, address=self.ray_address, report=report
        )
        self.done |= {one.name for one in due} - self.missing.keys()

    def _is_finished(self, planned) -> bool:
        """Whether it is there, made with the same settings; `missing` has it if it was made with others."""
        workdir = self.folder / planned.name
        try:
            config = settings.read(planned.config, planned.method).as_json()
            if not (workdir / "results.json").is_file() or (self.overwrite and planned.name not in self.done):
                return False
            files.claim(workdir, config, overwrite=False)
            outcomes.read(workdir)
        except UserError as mistake:
            self.missing[planned.name] = str(mistake)
            return False
        return True

    def _call(self, planned):
        return functools.partial(
            run,
            planned.config,
            method=planned.method,
            workdir=str(self.folder / planned.name),
            overwrite=self.overwrite,
            command=self.command,
        )

    def _write(self):
        facts = {"missing": self.missing, "chosen": self.chosen, "command": self.command}
        made = {name: outcomes.outcome(name, self.plan, self.folder, **facts) for name in self.plan.artefacts}
        for outcome in made.values():
            reporting.write_artefact(self.folder / "results", outcome, paper=paper.outcomes().get(outcome["artefact"]))
        if made.keys() == ARTEFACTS.keys():
            judged = judging.judge(made)
            reporting.write_claims(self.folder / "results", judged, next(iter(made.values())), rules=judging.RULES)
        print(f"{', '.join(made)} in {self.folder / 'results'}", flush=True)
