"""--mode=reproduce: the paper's tables and figures from runs that are done once, resumed and kept."""

import dataclasses
import functools
import json
from pathlib import Path

from reno_tf import files, sweep
from reno_tf.errors import UserError
from reno_tf.experiment import estimate, settings, trials
from reno_tf.experiment.planning import Plan, Planned
from reno_tf.experiment.run import run
from reno_tf.reproduction import writing
from reno_tf.reproduction.artefacts import ARTEFACTS

_KEPT = (
    *("clean_accuracy", "attack_success_rate", "noise_success_rate", "validation_accuracy"),
    *("feature_distance", "weight_distance"),
)


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
    are, and claims.md, to `config.reproduce.results`, or else to results in `workdir`.

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
        estimate.print_plan(sweeping.folder, plan)
        return
    with sweep.lock(sweeping.folder):
        sweeping.do()
    if sweeping.missing:
        name, why = min(sweeping.missing.items())
        raise UserError(f"{len(sweeping.missing)} runs are missing, among them {name}: {why}")


@dataclasses.dataclass
class _Sweep:
    """missing: name -> why, of the runs that could not be done; chosen: data set -> {recipe key: value}."""

    plan: Plan
    folder: Path
    command: str
    overwrite: bool
    ray_address: str | None
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
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
            own = [(values, planned.name) for values, planned in tried if planned.data == data]
            if any(run in self.missing for _, run in own):
                del self.chosen[data]
                continue
            rows = [{"values": values, "run": run, **self._results(run)} for values, run in own]
            self.chosen[data] |= trials.choose(rows)["values"]
            trials.record(self.folder / "trials" / f"{data}-{name}", rows, trials.choose(rows))

    def _execute(self, runs: list[Planned]):
        """Adds to `missing` what could not be done."""
        open_runs = [planned for planned in runs if not self._is_finished(planned)]
        recipe = self.plan.recipe
        self.missing |= sweep.execute(
            [
                sweep.Task(planned.name, self._call(planned))
                for planned in open_runs
                if planned.name not in self.missing
            ],
            cpus=recipe.cpus,
            gpus=recipe.gpus,
            address=self.ray_address,
            report=functools.partial(print, flush=True),
        )

    def _is_finished(self, planned) -> bool:
        """Whether it is there, made with the same settings; `missing` has it if it was made with others."""
        workdir = self.folder / planned.name
        try:
            config = settings.resolve(planned.config, planned.method).to_dict()
            if self.overwrite or not (workdir / "results.json").is_file():
                return False
            files.claim(workdir, config, overwrite=False)
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

    def _results(self, name: str) -> dict:
        results = files.read_json(self.folder / name / "results.json")
        return {key: results[key] for key in _KEPT}

    def _write(self):
        target = Path(self.plan.recipe.results or self.folder / "results")
        outcomes = {name: self._outcome(name) for name in self.plan.artefacts}
        for outcome in outcomes.values():
            writing.write(target, outcome)
        if outcomes.keys() == ARTEFACTS.keys():
            writing.write_claims(target, outcomes)
        print(f"{', '.join(outcomes)} in {target}", flush=True)

    def _outcome(self, name: str) -> dict:
        """What reno_tf.reproduction makes tables and figures of."""
        artefact, recipe = self.plan.artefacts[name], self.plan.recipe
        rows = [
            {**dataclasses.asdict(row), "cells": {data: self._cell(row, data) for data in recipe.data}}
            for row in artefact.rows
        ]
        wanted = [row.run(data, seed) for row in artefact.rows for data in recipe.data for seed in self.plan.seeds(row)]
        missing = {run: self.missing.get(run, "not done") for run in wanted if not self._is_there(run)}
        return {
            "artefact": name,
            "title": artefact.title,
            "scale": recipe.scale,
            "command": self.command,
            "metrics": list(artefact.metrics),
            "datasets": list(recipe.data),
            "rows": rows,
            "missing": [{"run": run, "why": why} for run, why in missing.items()],
            "hyper_parameters": self.chosen,
            "notes": list(recipe.notes),
            **self._made_with(rows),
            **({"chosen": self._feature_weights()} if name == "figure4" else {}),
        }

    def _made_with(self, rows) -> dict[str, str]:
        """Versions and machine, as every kind of them that the runs were made with."""
        runs = [run for row in rows for cell in row["cells"].values() for run in cell["runs"]]
        kinds = {json.dumps(files.read_json(self.folder / run / "results.json")["versions"]) for run in runs}
        texts = [
            ", ".join(f"{name} {version}" for name, version in json.loads(kind).items() if version)
            for kind in sorted(kinds)
        ]
        return {"made_with": "; ".join(texts)} if texts else {}

    def _feature_weights(self) -> dict[str, float]:
        """Data set -> DELTA's lambda: chosen here, or the config's."""
        return {
            data: self.plan.configure(data, values).recipes.teacher.feature_weight
            for data, values in self.chosen.items()
        }

    def _cell(self, row, data) -> dict:
        seeds = [seed for seed in self.plan.seeds(row) if self._is_there(row.run(data, seed))]
        results = [self._results(row.run(data, seed)) for seed in seeds]
        runs = [row.run(data, seed) for seed in seeds]
        return {"seeds": seeds, "runs": runs, **{key: [result[key] for result in results] for key in _KEPT}}

    def _is_there(self, name: str) -> bool:
        return name not in self.missing and (self.folder / name / "results.json").is_file()
