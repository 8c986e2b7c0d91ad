"""--mode=run: data -> teacher and student -> training -> attacks -> report -> export."""

import contextlib
import dataclasses
from pathlib import Path

import tensorflow as tf

from reno_tf import data, files, models, records, reporting, serving, settings, training
from reno_tf.commands import common
from reno_tf.evaluation import Measured, Network, cost, evaluate, watch
from reno_tf.naming import RunRef
from reno_tf.results import Results
from reno_tf.training import distribution


def run(
    config,
    *,
    command: str,
    method: str = "renofeation",
    workdir=None,
    overwrite: bool = False,
    announce: bool = True,
    geometry: str | None = None,
) -> dict:
    """Trains one student and measures it; the README says what `workdir` then holds.

    A finished run is not redone, an interrupted one resumes from its newest checkpoint and ends
    with the same numbers. `announce`: whether it prints beforehand how long that takes. `geometry`: how photos become
    the views that are attacked, a key of `data.GEOMETRIES`; None: "zoom". Returns the content of results.json, or
    nothing to a worker that only trains.
    """
    run_settings, watched = settings.read(config, method), settings.read_watch(config)
    ref = RunRef(method=method, data=run_settings.data.short_name, seed=run_settings.seed)
    workdir = Path(workdir or f"runs/{ref}")
    strategy = distribution.strategy(run_settings.training.distribution, batch_size=run_settings.training.batch_size)

    def request() -> str | None:
        return common.request_digest(config, method, geometry)

    if not overwrite and distribution.ask_chief(strategy, lambda: bool(files.results_of(workdir, request()))):
        return _finished(workdir)

    common.seed_everything(run_settings.seed)
    dataset = common.load_data(run_settings.data, seed=run_settings.seed)
    dataset = dataset.seen(geometry) if geometry else dataset
    run_settings = settings.read(config, method, dataset=dataset)
    teacher = common.build_teacher(run_settings.networks)
    model = run_settings.job.transfer(dataset, teacher.model)
    common.check_suite(run_settings, teacher.model, dataset)
    job = _Run(workdir, run_settings, dataset, teacher, strategy)
    job.check_watch(watched)

    def claim():
        job.claim(overwrite=overwrite, request=request())
        return (workdir / "results.json").is_file()

    if distribution.ask_chief(strategy, claim):
        return _finished(workdir)

    with files.lock(workdir) if job.is_chief else contextlib.nullcontext():
        if announce and job.is_chief:
            print(f"{method} on {dataset.name}: {job.needs()}", flush=True)
        student = job.train(model, watched)
        return job.measure(student, command=command) if job.is_chief else {}


def _finished(workdir) -> dict:
    common.tell_finished(workdir)
    return files.read_json(workdir / "results.json")


@dataclasses.dataclass(frozen=True)
class _Run:
    """All that is known before the training."""

    workdir: Path
    settings: settings.Settings
    dataset: data.Dataset
    teacher: common.Teacher
    strategy: tf.distribute.Strategy

    @property
    def is_chief(self) -> bool:
        return distribution.is_chief(self.strategy)

    def check_watch(self, watched: settings.Watch) -> None:
        """Raises UserError if the student cannot be attacked while it trains."""
        if watched.images:
            several = self.settings.training.distribution != "none"
            watch.check_watchable(self.settings.suite().attacks[0], self.dataset, several_devices=several)

    def claim(self, *, overwrite: bool, request: str | None) -> None:
        files.claim(
            self.workdir,
            self.settings.as_json(),
            identity=self.settings.identity(),
            overwrite=overwrite,
            inputs=common.inputs(self.dataset, self.teacher),
            request=request,
        )

    def needs(self) -> str:
        """The time that it will take, for a line that is printed beforehand."""
        suite, job, teacher = self.settings.suite(), self.settings.job, self.teacher.model
        attacked = suite.attacked(getattr(self.dataset, self.settings.report.split))
        passes = {f"{job.steps} steps of training": cost.training_passes(job, len(self.dataset.train))}
        passes["attacking"] = cost.attack_passes(suite, teacher, len(attacked))
        return cost.tell(passes | common.surrogate_passes(self.settings), teacher, attacked.images)

    def train(self, model: training.Transfer, watched: settings.Watch):
        """The trained student."""
        run_settings, dataset = self.settings, self.dataset
        if self.is_chief:
            files.write_json(self.workdir / "data.json", dataset.chosen())
        with common.enough_memory("batch_size", run_settings.training.batch_size):
            student = run_settings.job.train(model, dataset, self.workdir, callbacks=list(self._watching(watched)))
        if run_settings.training.distribution != "none":
            # Only all workers together can read a strategy's own variables.
            trained, student = student, run_settings.job.untrained(num_classes=len(dataset.class_names))
            student.set_weights(trained.get_weights())
        return student

    def _watching(self, watched):
        folder, run_settings = self.workdir / "tensorboard", self.settings
        if watched.images:
            yield watch.Watch(
                run_settings.suite(),
                self.dataset,
                self.teacher.model,
                images=watched.images,
                folder=folder,
                crafting=run_settings.attack.crafting,
            )
        if watched.profile:
            yield watch.Profile(folder)

    def measure(self, student, *, command: str) -> dict:
        """Attacks the student, writes the report and the SavedModel. Returns the content of results.json."""
        run_settings, dataset, workdir = self.settings, self.dataset, self.workdir
        precision = "mixed_bfloat16" if models.is_mixed(student) else "float32"
        models.as_float32(student)  # What is measured and exported.
        measured = self._evaluate(student)
        history = training.read_history(workdir)
        seconds = round(training.seconds(workdir), 3)
        evaluation = measured.evaluation
        evaluation = dataclasses.replace(evaluation, seconds=dataclasses.replace(evaluation.seconds, train=seconds))
        results = Results(
            **vars(evaluation),
            **common.run_facts(run_settings, dataset, self.teacher),
            method=run_settings.method.name,
            precision=precision,
            audit=None,
        )
        card = reporting.model_card(records.to_json(results), **_views(dataset))
        path = workdir / "export" / f"{run_settings.method.name}-{dataset.name}" / "1"
        serving.write_saved_model(student, path, class_names=dataset.class_names, card=card, **_views(dataset))
        seen = data.first_images(dataset, batch_size=run_settings.training.batch_size, seed=run_settings.seed)
        trained = reporting.TrainingRecord(history, seen)
        return common.write_report(workdir, results, measured, run_settings, command=command, training=trained)

    def _evaluate(self, student) -> Measured:
        run_settings, network = self.settings, Network.of(student)
        attacker = common.build_attacker(run_settings, self.dataset, self.teacher.network, self.workdir)
        attacker = dataclasses.replace(attacker, networks={**attacker.networks, "student": network})
        with common.enough_memory("attack.batch_size", run_settings.attack.batch_size):
            return evaluate(
                network,
                attacker,
                self.dataset.tested_on(run_settings.report.split),
                run_settings.suite(),
                undefended=run_settings.method.undefended,
                crafting=dataclasses.replace(run_settings.attack.crafting, answers=self.workdir / "suite"),
            )


def _views(dataset) -> dict:
    return {"image_shape": dataset.test.images.shape[1:], "geometry": dataset.geometry}
