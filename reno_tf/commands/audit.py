"""--mode=audit: how exposed a model is, that was made elsewhere, to someone who has the public backbone."""

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path

from reno_tf import audit as foreign
from reno_tf import data, files, records, settings
from reno_tf.commands import audited, common
from reno_tf.commands.run import run
from reno_tf.errors import TooExposed, UserError
from reno_tf.evaluation import Network, Pictures, cost, evaluate
from reno_tf.reporting import metrics
from reno_tf.results import AuditFacts, Results

_PASSES = {"teacher": 8.0, "random": 16.0}  # over photos, by what is trained here; by start (docs/choices.md)
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
    fail_above: float | None = None,
    save_images: int | None = None,
) -> dict:
    """Attacks the model in the file or folder `student`, or one that is open already, and writes a run's report.

    The attacker has `config.model.backbone` with its weights.

    `said`: the config's keys that the user gave, of which those that would have no effect are refused. `compare` also
    trains Renofeation from the same teacher on the same data, below the workdir, to set its numbers beside the model's.
    `trust` opens a SavedModel that does more than compute. `save_images` keeps so many adversarial images of each
    attack. Returns the content of results.json. Raises UserError if the model is no classifier of the data's classes,
    or not safe to open, or if the headline's attack cannot go through it; TooExposed, after the report, if the worst
    case's interval lies above `fail_above`.
    """
    if student is None:
        raise UserError(
            "--mode=audit needs --student=PATH: a SavedModel folder, or a file .keras, .h5, .tflite or .onnx"
        )
    if fail_above is not None and not 0 <= fail_above <= 1:
        percent = f": {fail_above:g} % is {fail_above / 100:g}" if 1 < fail_above <= 100 else ""
        raise UserError(f"--fail_above must be from 0 to 1, not {fail_above:g}{percent}")
    if save_images is not None and save_images < 1:
        raise UserError(f"--save_images must be at least 1, not {save_images}")
    if overwrite and workdir and isinstance(student, str) and _lies_in(student, workdir):
        raise UserError(f"the student lies in {workdir}, which --overwrite would delete; choose another --workdir")
    config = config.copy_and_resolve_references()
    common.seed_everything(config.seed)
    opened = audited.opened(student, trust=trust, scores=config.audit.scores)
    path = opened.format if isinstance(student, foreign.Foreign) else student
    given = config.data.to_dict()
    # All published training images, at the size that the model takes.
    config.data.update(shots=0, fraction=1.0, size=opened.height or config.data.size)
    chosen = settings.read(config, preset="suite")
    workdir = Path(workdir or f"runs/audit-{Path(path).stem}-{chosen.data.short_name}")
    dataset = _load(chosen, opened)
    audited.refuse_without_effect(given, said, dataset)
    convention = _convention(chosen, config.audit, opened, dataset)
    dataset = dataset.seen(convention.geometry) if convention.geometry else dataset
    _fit_recipes(config, dataset)
    chosen = settings.read(config, preset="suite", dataset=dataset)
    for line in _told(opened, convention, dataset.class_names):
        print(line, flush=True)
    model = foreign.Student(opened, convention)
    teacher = common.build_teacher(chosen.networks)
    common.check_suite(chosen, teacher.model, dataset)
    suite = _suite(chosen)
    attacked = suite.attacked(getattr(dataset, chosen.report.split))
    absent = {"student": why} if (why := audited.why_no_gradient(opened, model, attacked)) else {}
    suite.refuse_without_headline(absent)
    known_as = {"path": path, "sha256": audited.digest(student, model, attacked)}
    asked = {"audit": config.audit.to_dict()}
    identity = chosen.identity() | asked | {"student": known_as["sha256"]}
    content = chosen.as_json() | asked | {"student": known_as}
    inputs = common.inputs(dataset, teacher)
    files.claim(workdir, content, identity=identity, overwrite=overwrite, inputs=inputs)
    results = files.read_json(workdir / "results.json")
    tried = chosen.attack.images or len(attacked)
    has_images = audited.has_images(workdir / "images", save_images, len(attacked), tried)
    if results and has_images and (results["audit"]["comparison"] or not compare):
        print(f"{workdir} is finished already; --overwrite starts it anew")
        return _judged(results, fail_above)

    with files.lock(workdir):
        for reference in suite.through(set(absent)):
            print(f"{reference} is left out: {absent[reference.entry.network]}")
        print(f"audit of {Path(path).name}: {_needs(chosen, absent, attacked, teacher.model)}", flush=True)
        found = _found(opened, convention, dataset.class_names) | {"has_gradient": not absent}
        network = Network(model, files.digest(known_as["sha256"].encode(), json.dumps(found).encode()))
        with common.enough_memory("batch_size", chosen.training.batch_size):
            attacker = common.build_attacker(chosen, dataset, teacher.network, workdir)
        networks = {**attacker.networks, "student": network}
        attacker = dataclasses.replace(attacker, networks=networks).without(**absent)
        with common.enough_memory("attack.batch_size", chosen.attack.batch_size):
            measured = evaluate(
                network,
                attacker,
                dataset,
                suite,
                split=chosen.report.split,
                crafting=chosen.attack.crafting,
                folder=workdir / "suite",
                pictures=Pictures(workdir / "images", save_images) if save_images else None,
            )
        comparison = _compare(config, workdir, measured.evaluation, command, convention.geometry) if compare else []
        own = {**known_as, **found, "image_size": list(dataset.test.images.shape[1:3])}
        own |= {"exposure": measured.exposure, "comparison": comparison}
        facts = {"method": f"audit of {Path(path).name}", **common.facts(chosen, dataset, teacher)}
        own = records.from_json(AuditFacts, records.to_json(own))
        results = Results(**vars(measured.evaluation), **facts, precision=None, audit=own)
        results = common.write_report(
            workdir, results, measured, dataset, chosen, history=[], seen=None, command=command
        )
    return _judged(results, fail_above)


def _suite(chosen):
    """A suite in whose smaller balls all attacks are tried, but where it is to be quick."""
    return chosen.suite(exposure=chosen.attack.preset != "quick")


def _needs(chosen, absent, attacked, teacher) -> str:
    """What is told of the time beforehand."""
    passes = {"attacking": cost.attack_passes(_suite(chosen), teacher, len(attacked), absent=absent)}
    return cost.tell(passes | common.surrogate_passes(chosen), teacher, attacked.images)


def _lies_in(path, folder) -> bool:
    return Path(path).resolve().is_relative_to(Path(folder).resolve())


def _judged(results, fail_above) -> dict:
    """The results, unless the model is surely more exposed than that."""
    rate, interval = results["worst_case_success_rate"], results["worst_case_success_rate_ci95"]
    if fail_above is not None and interval is None:
        raise UserError(
            "--fail_above cannot judge: the worst case is undefined, for no attack that counts met an image that the "
            "model gets right"
        )
    if fail_above is not None and interval[0] > fail_above:
        low, high = (f"{100 * bound:.1f}" for bound in interval)
        raise TooExposed(
            f"the worst case turns {100 * rate:.1f} % [{low}, {high}] of the images wrong that the model gets right, "
            f"surely more than the {100 * fail_above:g} % of --fail_above"
        )
    return results


def _found(opened, convention, class_names) -> dict:
    """What the model said of itself, for results.json."""
    return {
        "format": opened.format,
        "geometry": convention.geometry,
        "input_range": convention.input_range,
        "outputs": convention.outputs,
        "draws": convention.draws,
        "asked": [dataclasses.asdict(way) for way in convention.tried],
        "label_order": convention.order.tolist(),
        "label_order_was_matched": convention.renamed,
        "unmatched": [class_names[label] for label in convention.unmatched],
    }


def _told(opened, convention, class_names):
    """What was found, a line each."""
    way = convention.chosen
    seen = f"photos by {convention.geometry!r}, " if convention.geometry else ""
    yield (
        f"{opened.format}; fed {seen}in the range {convention.input_range}; it gives {convention.outputs}; "
        f"{metrics.percent(*convention.accuracy)} of {way.asked} training images right, each class as heavy"
    )
    if convention.renamed:
        moved = [
            f"{class_names[label]!r} is output {output}"
            for label, output in enumerate(convention.order)
            if label != output
        ]
        yield f"its outputs are in another order than the labels: {', '.join(moved[:20])}{', ...' * (len(moved) > 20)}"
    if convention.unmatched:
        names = [repr(class_names[label]) for label in convention.unmatched]
        yield f"most images of {', '.join(names[:20])}{', ...' * (len(names) > 20)} get another answer"
    if convention.draws > 1:
        yield f"it gives another answer each time; {convention.draws} are averaged"


def _fit_recipes(config, dataset):
    """What is trained here on photos, the attacker's student and `--compare`'s, sees all of them often enough."""
    if isinstance(dataset.train.images, data.Photos):
        for start, passes in _PASSES.items():
            if "passes" not in config.recipes[start]:
                config.recipes[start].passes = passes


def _load(chosen, opened):
    dataset = common.load_data(chosen.data, seed=chosen.seed)
    shape, name = dataset.test.images.shape[1:3], chosen.data.name
    if any(wanted not in (None, side) for wanted, side in zip((opened.height, opened.width), shape, strict=True)):
        there = f"those of {name} are {shape[0]}x{shape[1]}, always square"
        raise UserError(f"the model takes images of {opened.height}x{opened.width} pixels; {there}")
    if opened.num_outputs == 1 and len(dataset.class_names) > 2:
        told = "the model gives one number for an image, so it tells two classes apart, or none, as a regression does"
        raise UserError(f"{told}; {name} has {len(dataset.class_names)} classes")
    if opened.num_classes != len(dataset.class_names):
        raise UserError(f"the model tells {opened.num_classes} classes apart, {name} has {len(dataset.class_names)}")
    return dataset


def _convention(chosen, asked_for, opened, dataset) -> foreign.Convention:
    train = dataset.train
    foreign.refuse_misfit(asked_for.outputs, opened.num_outputs)
    views = {"": train.floats()}
    if isinstance(train.images, data.Photos):
        views = {geometry: train.seen(geometry).floats() for geometry in data.GEOMETRIES}
    given = {"input_range": asked_for.input_range, "geometry": asked_for.geometry, "kind": asked_for.outputs}
    return foreign.detect(opened, views, train.labels, **given, order=asked_for.label_order, seed=chosen.seed)


def _compare(config, workdir, evaluation, command, geometry) -> list[dict]:
    """The audited model beside Renofeation from the same teacher, on the same views, under the same attacks."""
    config.attack.preset = config.attack.preset or "suite"
    folder = str(workdir / "renofeation")
    trained = run(config, method="renofeation", workdir=folder, command=command, geometry=geometry or None)
    sides = {"the audited model": records.to_json(evaluation), "Renofeation": trained}
    return [{"name": name, **{key: results[key] for key in _COMPARED}} for name, results in sides.items()]
