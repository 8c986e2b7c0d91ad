"""A sweep: its runs done once, resumed and kept, and after each seed what they show."""

import dataclasses
import functools
from pathlib import Path

from reno_tf import files, settings
from reno_tf.commands.reproducing.planning import Plan, Planned
from reno_tf.commands.run import run
from reno_tf.errors import UserError
from reno_tf.reporting.metrics import ASR, VALIDATION
from reno_tf.reproduction import drawing, judging, outcomes, paper, sweep, trials
from reno_tf.reproduction.artefacts import ARTEFACTS, UNJUDGED
from reno_tf.reproduction.result_types import Outcome


@dataclasses.dataclass
class Sweep:
    """run_results: run -> what is kept of it; missing: run -> why it could not be done; done: those that were, now;
    hyper_parameters: data set -> {recipe key: value}."""

    plan: Plan
    folder: Path
    command: str
    overwrite: bool
    ray_address: str | None
    run_results: dict[str, dict]
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    done: set[str] = dataclasses.field(default_factory=set)
    hyper_parameters: dict[str, dict] = dataclasses.field(default_factory=dict)

    def do(self):
        """Whatever happens meanwhile, runs.jsonl has what was done."""
        try:
            self._do()
        finally:
            outcomes.write_all(self._results / "runs.jsonl", self.run_results)

    def _do(self):
        plan = self.plan
        self.hyper_parameters = {data: {} for data in plan.recipe.data}
        self._choose(trials.GRID, plan.trials())
        self._choose("feature_weight", plan.weight_trials(self.hyper_parameters))
        for seed in range(max(len(plan.seeds(row)) for row in plan.rows)):
            due = [row for row in plan.rows if seed in plan.seeds(row)]
            # Data sets by turns, so that runs at the same time seldom wait for each other's adversarial images.
            pairs = [(row, data) for row in due for data in self.hyper_parameters if data in plan.data(row)]
            self._execute([plan.run(row, data, seed, self.hyper_parameters[data]) for row, data in pairs])
            self._write()  # After each seed: there is something to look at early.

    def _choose(self, name: str, tried: list[tuple[dict, Planned]]):
        """A data set whose trials are not all there takes part in nothing that follows."""
        self._execute([planned for _, planned in tried])
        for data in dict.fromkeys(planned.data for _, planned in tried):
            pairs = [(values, planned) for values, planned in tried if planned.data == data]
            if broken := [planned.name for _, planned in pairs if planned.name in self.missing]:
                del self.hyper_parameters[data]
                for lost in (str(row.run(data, seed)) for row in self.plan.rows for seed in self.plan.seeds(row)):
                    self.missing.setdefault(lost, f"without {broken[0]} nothing is chosen for {data}")
                continue
            rows = []
            for values, planned in pairs:
                results = self.run_results[planned.name]
                seen = (VALIDATION, *[ASR] * (planned.config.split == "validation"))  # Nothing of the test split.
                rows.append({"values": values, "run": planned.name, **{key: results[key] for key in seen}})
            self.hyper_parameters[data] |= trials.best_trial(rows)["values"]
            trials.record(self.folder / trials.folder(data, name), rows, trials.best_trial(rows))

    def _execute(self, due: list[Planned]):
        """Adds to `missing` what could not be done."""
        tasks, recipe = [], self.plan.recipe
        for planned in due:
            if self.is_finished(planned) or planned.name in self.missing:
                continue
            call = functools.partial(
                run,
                planned.config,
                method=planned.method,
                workdir=str(self.folder / planned.name),
                overwrite=self.overwrite,
                command=self.command,
                announce=False,
            )
            tasks.append(sweep.Task(planned.name, call))
        report = functools.partial(print, flush=True)
        try:
            failed = sweep.execute(tasks, cpus=recipe.cpus, gpus=recipe.gpus, address=self.ray_address, report=report)
            self.missing |= failed
            self.done |= {task.name for task in tasks} - failed.keys()
        finally:
            for planned in due:
                self.is_finished(planned)

    def is_finished(self, planned) -> bool:
        """Whether it was made with the same settings: then `run_results` has it; what others made is in `missing`."""
        name, workdir = planned.name, self.folder / planned.name
        try:
            run_settings = settings.read(planned.config, planned.method)
            anew = self.overwrite and name not in self.done
            if anew or self.run_results.get(name, {}).get("settings") != run_settings.key:
                self.run_results.pop(name, None)
            if anew or not (workdir / "results.json").is_file():
                return name in self.run_results
            files.claim(workdir, run_settings.as_json(), identity=run_settings.identity(), overwrite=False)
            self.run_results[name] = {"settings": run_settings.key, **outcomes.read_run_results(workdir)}
            return True
        except UserError as mistake:
            self.missing[name] = str(mistake)
            return False

    @property
    def _results(self):
        return self.folder / "results"

    def _write(self):
        printed, made = paper.outcomes(), {name: self._outcome(name) for name in self.plan.artefacts}
        for name, outcome in made.items():
            drawing.write_artefact(self._results, outcome, paper=printed.get(name))
        if made.keys() >= ARTEFACTS.keys() - UNJUDGED:
            judged = judging.judge(made)
            drawing.write_claims(self._results, judged, next(iter(made.values())), rules=judging.RULES)
        print(f"{', '.join(made)} in {self._results}", flush=True)

    def _outcome(self, name) -> Outcome:
        plan, artefact = self.plan, self.plan.artefacts[name]
        made = outcomes.artefact_outcome(
            name, artefact, self.run_results, data=plan.data(artefact), seeds=plan.seeds, missing=self.missing
        )
        return dataclasses.replace(
            made,
            scale=plan.recipe.scale,
            command=self.command,
            notes=tuple(plan.recipe.notes),
            hyper_parameters=self.hyper_parameters,
            chosen=self._feature_weights() if name == "figure4" else None,
        )

    def _feature_weights(self) -> dict[str, float]:
        """DELTA's lambda on each data set: chosen here, or as the config and the method have it."""
        return {data: self.plan.feature_weight(data, values) for data, values in self.hyper_parameters.items()}
