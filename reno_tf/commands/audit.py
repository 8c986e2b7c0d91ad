"""--mode=audit: how exposed a model that was made elsewhere is to someone who has the public backbone."""

import dataclasses
import functools
from collections.abc import Collection
from pathlib import Path

import numpy as np
from absl import logging

from reno_tf import audit as foreign
from reno_tf import data, files, records, reporting, settings
from reno_tf.attacks import COPIES
from reno_tf.commands import audited, common, lineage
from reno_tf.commands.run import run
from reno_tf.errors import TooExposed, UserError, choose
from reno_tf.evaluation import Measured, Pictures, Suite, cost, evaluate
from reno_tf.evaluation.attacker import why_absent
from reno_tf.reporting import Gates, Outcome, sentences
from reno_tf.results import AuditFacts, LineageFacts, Results

_PASSES = {"teacher": 8.0, "random": 16.0}  # over photos, by what is trained here; by start (docs/choices.md)
_REPORTS = {"sarif": reporting.sarif.write, "junit": reporting.junit.write}  # for what runs an audit in a pipeline
_COMPARED = ("clean_accuracy", "attack_success_rate", "noise_success_rate", "worst_case_success_rate")


def audit(
    config,
    *,
    command: str,
    said: Collection[str] = (),
    student: str | foreign.Foreign | None = None,
    workdir: str | None = None,
    overwrite: bool = False,
    compare: bool = False,
    trust: bool = False,
    warn_above: float | None = None,
    fail_above: float | None = None,
    report: Collection[str] | None = None,
    save_images: int | None = None,
) -> dict:
    """Attacks the model in the file or folder `student`, or one that is open already, and writes a run's report.

    The attacker has `config.model.backbone` with its weights.

    `said`: the config's keys that the user gave; those that would have no effect are refused. `compare` also trains
    Renofeation from the same teacher on the same data, below the workdir, to set its numbers beside the model's.
    `trust` opens a SavedModel that does more than compute. `save_images` keeps this many adversarial images of each
    attack. `report`: of "sarif" and "junit", what is written beside the report. A worst case whose interval lies above
    `warn_above` gives a line. Returns the content of results.json. Raises UserError if the model is not a classifier of
    the data's classes, or not safe to open, or if the headline's attack cannot go through it; TooExposed, after the
    report, if the worst case's interval lies above `fail_above`.
    """
    gates = Gates(warn_above=warn_above, fail_above=fail_above)
    _refuse_flags(student=student, workdir=workdir, overwrite=overwrite, save_images=save_images)
    _refuse_wishes(gates, report)
    config = config.copy_and_resolve_references()
    asked = settings.read(config, preset="suite", copied=False)
    workdir = Path(workdir or f"runs/audit-{Path(audited.path_of(student)).stem}-{asked.data.short_name}")
    request = audited.Request(student, config.copy_and_resolve_references(), said)
    answer = functools.partial(_answer, workdir, gates=gates, reports=report)
    is_finished = functools.partial(_is_finished, workdir, compare=compare, save_images=save_images)
    if not overwrite and is_finished(results := files.results_of(workdir, request.digest())):
        return answer(results)

    common.seed_everything(config.seed)
    job = _prepare(config, request, workdir, trust=trust, compare=compare)
    job.suite.refuse_without_headline(job.absent)
    job.claim(overwrite=overwrite, request=request.digest())
    if is_finished(results := files.read_json(workdir / "results.json")):
        return answer(results)

    with files.lock(workdir):
        measured = job.measure(Pictures(workdir / "images", save_images) if save_images else None)
        geometry = job.subject.convention.geometry
        rows = _compare(config, workdir, measured.evaluation, command, geometry) if compare else []
        results = common.write_report(workdir, job.results(measured, rows), measured, job.settings, command=command)
    return answer(results)


def _is_finished(workdir, results, *, compare, save_images):
    """Whether nothing is left to do; prints that."""
    if not results or compare and not results["audit"]["comparison"]:
        return False
    finished = audited.has_images(workdir / "images", save_images, results)
    if finished:
        common.tell_finished(workdir)
    return finished


def _prepare(config, request: audited.Request, workdir, *, trust, compare) -> "_Audit":
    """Opens the model and the data, finds how it wants its images, and its public network; changes `config` for it."""
    opened = audited.open_model(request.student, trust=trust, scores=config.audit.scores)
    traced = lineage.trace(opened)
    _find_public_network(config, traced, request, compare=compare)
    # All published training images, at the size that the model takes.
    config.data.update(shots=0, fraction=1.0, size=opened.height or config.data.size)
    run_settings = settings.read(config, preset="suite", copied=False)
    dataset = audited.load_data_for(run_settings, opened, config.audit.label_order)
    audited.refuse_without_effect(request.config.data, request.said, dataset)
    subject = audited.examine(request, opened, dataset, run_settings, config.audit)
    _fit_recipes(config, subject.dataset)
    if len(np.unique(subject.dataset.train.labels)) == 1:
        _train_nothing(config, compare=compare)
    run_settings = settings.read(config, preset="suite", dataset=subject.dataset, copied=False)
    for line in subject.lines():
        print(line, flush=True)
    teacher = _build_teacher(traced, run_settings.networks, subject)
    origin = traced.facts(teacher) if traced else None
    _tell_origin(origin, opened)
    common.check_suite(run_settings, teacher.model, subject.dataset)
    ways = {key: value for key, value in config.audit.items() if key != "student"}
    return _Audit(workdir, run_settings, ways, subject, teacher, origin)


def _find_public_network(config, traced, request: audited.Request, *, compare):
    """Sets the backbone that the attacker has, where the model's lineage names it."""
    if config.model.weights == lineage.STUDENT:
        _attack_through_itself(config, traced, request.said, compare=compare)
    elif request.follows_lineage:
        config.model.backbone = lineage.backbone_for(traced, config.model.weights, config.model.backbone)
        print(f"the public network is taken to be {config.model.backbone}; --backbone names another", flush=True)


def _build_teacher(traced, networks, subject) -> common.Teacher:
    if networks.weights == lineage.STUDENT:
        return lineage.build_teacher(traced, networks, subject.sha256)
    return common.build_teacher(networks)


def _refuse_flags(*, student, workdir, overwrite, save_images):
    if student is None:
        raise UserError(f"--mode=audit needs --student=PATH: {foreign.FORMATS}")
    if save_images is not None and save_images < 1:
        raise UserError(f"--save_images must be at least 1, not {save_images}")
    if overwrite and workdir and isinstance(student, str) and _lies_in(student, workdir):
        raise UserError(f"the student lies in {workdir}, which --overwrite would delete; choose another --workdir")


def _refuse_wishes(gates: Gates, reports):
    for flag, gate in dataclasses.asdict(gates).items():
        if gate is not None and not 0 <= gate <= 1:
            percent = f": {gate:g} % is {gate / 100:g}" if 1 < gate <= 100 else ""
            raise UserError(f"--{flag} must be from 0 to 1, not {gate:g}{percent}")
    warn, fail = gates.warn_above, gates.fail_above
    if warn is not None and fail is not None and warn > fail:
        raise UserError(f"--warn_above must be at most --fail_above, which is {fail:g}, not {warn:g}")
    if reports is not None and not reports:
        raise UserError(f"--report names nothing; choose of: {', '.join(sorted(_REPORTS))}")
    for name in reports or ():
        choose("report", name, _REPORTS)


def _attack_through_itself(config, traced, said, *, compare):
    """Sets the backbone to the student's own, and leaves out what an attacker cannot do with a part of it."""
    backbone = lineage.backbone_of(traced)
    if "model.backbone" in said and config.model.backbone != backbone:
        raise UserError(f"--teacher=student: its public part is {backbone}, not {config.model.backbone}")
    if compare:
        raise UserError("--compare trains from a teacher's file: name the public weights by --teacher")
    config.model.backbone = backbone
    if not lineage.is_whole(traced):
        _leave_out_own_students(config)


def _train_nothing(config, *, compare):
    """Images of one label teach no student: an attack through one is left out."""
    if compare:
        raise UserError("--compare trains on the images, and all of these have one label")
    print("attacks through a student of the attacker's own are left out: all images have one label")
    _leave_out_own_students(config)


def _leave_out_own_students(config):
    if config.attack.preset in (None, "suite"):
        asked = settings.read(config, preset="suite", copied=False).suite().attacks
        config.attack.suite = tuple(str(one) for one in asked if one.entry.network in ("teacher", "student"))


def _tell_origin(origin, opened):
    if origin is None:
        return
    facts = records.to_json(origin)
    size = f"{opened.height}²" if opened.height and opened.height == opened.width else ""
    print(sentences.of_lineage(facts, size), flush=True)
    if warning := sentences.of_teacher(facts):
        logging.warning("%s", warning)


def _lies_in(path, folder) -> bool:
    return Path(path).resolve().is_relative_to(Path(folder).resolve())


@dataclasses.dataclass(frozen=True)
class _Audit:
    """All that is known before anything is attacked. ways: how the model wants its images, as far as the user said."""

    workdir: Path
    settings: settings.Settings
    ways: dict
    subject: audited.Subject
    teacher: common.Teacher
    origin: LineageFacts | None

    @property
    def suite(self) -> Suite:
        """The attacks, which are also tried in smaller balls unless the audit is quick."""
        return self.settings.suite(exposure=self.settings.attack.preset != "quick")

    @property
    def absent(self) -> dict[str, str]:
        """The networks that no attack can go through -> why."""
        unknown = {name: why_absent(name) for name in COPIES}
        return unknown | ({"student": self.subject.why_no_gradient} if self.subject.why_no_gradient else {})

    def claim(self, *, overwrite: bool, request: str | None) -> None:
        subject, asked = self.subject, {"audit": self.ways}
        files.claim(
            self.workdir,
            self.settings.as_json() | asked | {"student": {"path": subject.path, "sha256": subject.sha256}},
            identity=self.settings.identity() | asked | {"student": subject.sha256},
            overwrite=overwrite,
            inputs=common.inputs(subject.dataset, self.teacher),
            request=request,
        )

    def measure(self, pictures: Pictures | None) -> Measured:
        subject, attack = self.subject, self.settings.attack
        for reference in self.suite.through(set(self.absent)):
            print(f"{reference} is left out: {self.absent[reference.entry.network]}")
        print(f"audit of {subject.name}: {self._needs()}", flush=True)
        attacker = common.build_attacker(self.settings, subject.dataset, self.teacher.network, self.workdir)
        networks = {**attacker.networks, "student": subject.network}
        attacker = dataclasses.replace(attacker, networks=networks).without(**self.absent)
        with common.enough_memory("attack.batch_size", attack.batch_size):
            return evaluate(
                subject.network,
                attacker,
                subject.dataset.tested_on(self.settings.report.split),
                self.suite,
                crafting=dataclasses.replace(attack.crafting, answers=self.workdir / "suite", pictures=pictures),
            )

    def _needs(self) -> str:
        """The time that it will take, for a line that is printed beforehand."""
        teacher, attacked = self.teacher.model, self.subject.attacked
        passes = {"attacking": cost.attack_passes(self.suite, teacher, len(attacked), absent=self.absent)}
        return cost.tell(passes | common.surrogate_passes(self.settings), teacher, attacked.images)

    def results(self, measured: Measured, comparison: list[dict]) -> Results:
        subject = self.subject
        audit_facts = {
            "path": subject.path,
            "sha256": subject.sha256,
            **subject.facts(),
            "image_size": list(subject.dataset.test.images.shape[1:3]),
            "exposure": measured.exposure,
            "comparison": comparison,
        } | ({"lineage": records.to_json(self.origin)} if self.origin else {})
        return Results(
            **vars(measured.evaluation),
            **common.run_facts(self.settings, subject.dataset, self.teacher),
            method=f"audit of {subject.name}",
            precision=None,
            audit=records.from_json(AuditFacts, records.to_json(audit_facts)),
        )


def _answer(workdir, results, *, gates: Gates, reports) -> dict:
    """The results, after the reports that are asked for. Raises TooExposed if the worst case crosses `fail_above`."""
    for name in reports or ():
        _REPORTS[name](workdir, reporting.findings_of(results, gates))
    worst = reporting.worst_case_of(results, gates)
    if worst.outcome is Outcome.UNDEFINED and gates.fail_above is not None:
        raise UserError(f"--fail_above cannot judge: {worst.sentence}")
    if worst.outcome is Outcome.FAILED:
        raise TooExposed(worst.sentence)
    if worst.outcome is Outcome.WARNED:
        logging.warning(worst.sentence)
    return results


def _fit_recipes(config, dataset):
    """What is trained here on photos, the attacker's student and `--compare`'s, sees all of them often enough."""
    if isinstance(dataset.train.images, data.Photos):
        for start, passes in _PASSES.items():
            if "passes" not in config.recipes[start]:
                config.recipes[start].passes = passes


def _compare(config, workdir, evaluation, command, geometry) -> list[dict]:
    """The audited model beside Renofeation from the same teacher, on the same views, under the same attacks."""
    config.attack.preset = config.attack.preset or "suite"
    folder = str(workdir / "renofeation")
    trained = run(config, method="renofeation", workdir=folder, command=command, geometry=geometry or None)
    sides = {"the audited model": records.to_json(evaluation), "Renofeation": trained}
    return [{"name": name, **{key: results[key] for key in _COMPARED}} for name, results in sides.items()]
