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
from reno_tf.reproduction.artefacts import ARTEFACTS, MATCHED_ARTEFACTS


@dataclasses.dataclass
class Sweep:
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
        self._choose(trials.GRID, plan.trials())
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
                for lost in (str(row.run(data, seed)) for row in self.plan.rows for seed in self.plan.seeds(row)):
                    self.missing.setdefault(lost, f"without {broken[0]} nothing is chosen for {data}")
                continue
            rows = []
            for values, planned in own:
                results = self.kept[planned.name]
                seen = (VALIDATION, *[ASR] * (planned.config.split == "validation"))  # Nothing of the test split.
                rows.append({"values": values, "run": planned.name, **{key: results[key] for key in seen}})
            self.chosen[data] |= trials.choose(rows)["values"]
            trials.record(self.folder / trials.folder(data, name), rows, trials.choose(rows))

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
            chosen = settings.read(planned.config, planned.method)
            anew = self.overwrite and name not in self.done
            if anew or self.kept.get(name, {}).get("settings") != chosen.key:
                self.kept.pop(name, None)
            if anew or not (workdir / "results.json").is_file():
                return name in self.kept
            files.claim(workdir, chosen.as_json(), identity=chosen.identity(), overwrite=False)
            self.kept[name] = {"settings": chosen.key, **outcomes.read(workdir)}
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
        if made.keys() >= ARTEFACTS.keys() - MATCHED_ARTEFACTS:
            judged = judging.judge(made)
            drawing.write_claims(self._results, judged, next(iter(made.values())), rules=judging.RULES)
        print(f"{', '.join(made)} in {self._results}", flush=True)

    def _outcome(self, name) -> dict:
        plan, artefact = self.plan, self.plan.artefacts[name]
        made = outcomes.outcome(
            name, artefact, self.kept, data=plan.data(artefact), seeds=plan.seeds, missing=self.missing
        )
        made |= {"scale": plan.recipe.scale, "command": self.command, "notes": list(plan.recipe.notes)}
        made["hyper_parameters"] = self.chosen
        if name == "figure4":  # DELTA's lambda: chosen here, or as the config and the method have it.
            made["chosen"] = {data: plan.feature_weight(data, values) for data, values in self.chosen.items()}
        return made
