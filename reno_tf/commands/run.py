"""--mode=run: data -> teacher and student -> training -> attack -> evaluation -> report -> export."""

import functools
import json
from pathlib import Path

from reno_tf import data, files, models, settings
from reno_tf import serving as export
from reno_tf.commands import finished
from reno_tf.evaluation import attacking, measuring, surrogate
from reno_tf.methods import METHODS, Method
from reno_tf.training import distribution, phases
from reno_tf.training.trainer import Transfer
from reno_tf.training.training import first_images, train


def run(
    config, *, command: str, method: str = "renofeation", workdir: str | None = None, overwrite: bool = False
) -> dict:
    """Trains one student and measures it; the README says what `workdir` then holds.

    A finished run is not redone, an interrupted one resumes from its newest checkpoint and ends
    with the same numbers. Returns the content of results.json, or nothing to a worker that only trains.
    """
    config, rival = settings.resolve(config, method), settings.resolve_surrogate(config)
    workdir = Path(workdir or f"runs/{method}-{config.data.name}-{config.seed}")
    strategy = distribution.strategy(config.distribution, batch_size=config.batch_size)
    settings.seed_everything(config.seed)

    dataset = data.load(config.data.name, seed=config.seed, **settings.draw(config))
    teacher, teacher_facts = build_teacher(config)
    build = functools.partial(build_student, config, num_classes=len(dataset.class_names))
    with strategy.scope():
        model = Transfer(build(), teacher, settings.build_method(config), seed=config.seed)
    attacking.check(config, teacher, dataset)

    def claim():
        files.claim(workdir, config.to_dict(), overwrite=overwrite)
        results = files.read_json(workdir / "results.json")
        if not results:
            files.write_json(workdir / "data.json", dataset.chosen())
        return bool(results)

    if distribution.ask_chief(strategy, claim):
        print(f"{workdir} is finished already; --overwrite starts it anew")
        return files.read_json(workdir / "results.json")

    train(model, dataset, config, workdir)
    student = model.student if config.distribution == "none" else _copy(model.student, build)
    if not distribution.is_chief(strategy):
        return {}
    models.as_float32(student)  # What is measured and exported.
    history = phases.read_history(workdir)
    known = attacking.know(
        config,
        dataset,
        measuring.attacked_split(config, dataset),
        teacher=(teacher, identity(config, teacher_facts)),
        student=(student, models.sha256(models.save(student))),
        train_surrogate=functools.partial(surrogate.train_once, rival, config.attack.cache or workdir, build_student),
    )
    measured = measuring.measure(config, known, dataset, undefended=_undefended(METHODS[method]))
    measured.results["seconds"]["train"] = round(sum(row["seconds"] for row in history), 3)
    results = {
        "method": method,
        "seed": config.seed,
        "split": config.split,
        "dataset": dataset.facts(),
        "teacher": teacher_facts,
        **measured.results,
        "versions": measuring.versions(),
    }
    export.export(
        student,
        workdir / "export" / f"{method}-{dataset.name}" / "1",
        class_names=dataset.class_names,
        image_shape=dataset.test.images.shape[1:],
    )
    seen = first_images(dataset, config)
    finished.write(workdir, results, measured, config, history=history, seen=seen, command=command)
    return results


def _copy(trained, build):
    """With variables of this process alone: to read a strategy's own, all workers are needed."""
    student = build()
    student.set_weights(trained.get_weights())
    return student


def _undefended(method: type[Method]) -> bool:
    return method.start == "teacher" and method.perturb is Method.perturb


def build_teacher(config):
    """The frozen teacher, and the facts about it for results.json."""
    backbone, weights = config.model.backbone, config.model.weights
    _, digest = models.locate(backbone, weights)
    teacher = models.build(backbone, weights=weights, **settings.build_options(config))
    return teacher, {"name": f"{backbone}/{weights}", "sha256": digest}


def identity(config, teacher_facts: dict) -> str:
    """What adversarial sets know the teacher by: its weights, and what else its features depend on."""
    built = [list(config.model.taps), config.model.image_size]
    digest = teacher_facts["sha256"]
    return files.digest(digest.encode(), json.dumps(built).encode()) if any(built) else digest


def build_student(config, *, num_classes: int):
    return models.build(
        config.model.student,
        num_classes=num_classes,
        dropout=config.dropout,
        tap=config.model.tap,
        seed=config.seed,
        precision=config.precision,
        **settings.build_options(config),
    )
