"""--mode=audit: how exposed a model is, that was made elsewhere, to someone who has the public backbone."""

import functools
import json
from pathlib import Path

import numpy as np
from absl import logging

from reno_tf import data, files, settings
from reno_tf.audit import foreign
from reno_tf.commands import finished
from reno_tf.commands.run import build_student, build_teacher, identity, run
from reno_tf.errors import UserError
from reno_tf.evaluation import attacking, controls, measuring, surrogate
from reno_tf.evaluation import rates as evaluation

_ASKED = 500  # training images, at most, that the model is asked about to find what it wants to be fed
_COMPARED = ("clean_accuracy", "attack_success_rate", "noise_success_rate")


def audit(
    config,
    *,
    command: str,
    student: str | None = None,
    workdir: str | None = None,
    overwrite: bool = False,
    compare: bool = False,
) -> dict:
    """Attacks the model in the file or folder `student` through `config.model.backbone`, and writes a run's report.

    Args:
      compare: also trains Renofeation from the same teacher on the same data, below the workdir,
        and sets its numbers beside the model's.

    Returns the content of results.json. Raises UserError if the model is no classifier of the data's classes.
    """
    if student is None:
        raise UserError("--mode=audit needs --student=PATH: a SavedModel folder, or a file .keras or .h5")
    settings.seed_everything(config.seed)
    opened = foreign.open_model(student)
    given = _whole(config, opened)
    config = settings.resolve(given, "renofeation", preset="suite")
    workdir = Path(workdir or f"runs/audit-{Path(student).stem}-{config.data.name}")
    dataset = _load(config, opened)
    convention = _ask(config, opened, dataset)
    model = foreign.Student(opened, convention)
    if not foreign.has_gradient(model, dataset.train.floats()[:1]):
        logging.warning("%s has no gradient, so it cannot be attacked itself: white_box is left out", student)
        config.attack.suite = tuple(name for name in config.attack.suite if name != "white_box")
        settings.check_suite(config.attack)
    rival = settings.resolve_surrogate(given, preset="suite")
    teacher, teacher_facts = build_teacher(config)
    attacking.check(config, teacher, dataset)
    claimed = config.to_dict() | {"student": {"path": student, "sha256": files.digest_path(Path(student))}}
    files.claim(workdir, claimed, overwrite=overwrite)
    results = files.read_json(workdir / "results.json")
    if results and (results["audit"]["comparison"] or not compare):
        print(f"{workdir} is finished already; --overwrite starts it anew")
        return results

    split = measuring.attacked_split(config, dataset)
    known = attacking.know(
        config,
        dataset,
        split,
        teacher=(teacher, identity(config, teacher_facts)),
        student=(model, files.digest(claimed["student"]["sha256"].encode(), json.dumps(_told(convention)).encode())),
        train_surrogate=functools.partial(surrogate.train_once, rival, config.attack.cache or workdir, build_student),
    )
    measured = measuring.measure(config, known, dataset, undefended=None)
    comparison = _compare(given, workdir, measured.results, command) if compare else []
    results = {
        "method": f"audit of {Path(student).name}",
        "seed": config.seed,
        "split": config.split,
        "dataset": dataset.facts(),
        "teacher": teacher_facts,
        **measured.results,
        "audit": claimed["student"]
        | _told(convention)
        | {"image_size": list(split.images.shape[1:3])}
        | {"exposure": _exposure(config, known, split), "comparison": comparison},
        "versions": measuring.versions(),
    }
    finished.write(workdir, results, measured, config, history=[], seen=None, command=command)
    return results


def _told(convention) -> dict:
    return {
        "input_range": convention.input_range,
        "asked": {name: list(accuracies) for name, accuracies in convention.accuracies.items()},
        "label_order": convention.order.tolist(),
    }


def _whole(config, opened):
    """The config with all published training images, at the size that the model takes."""
    config = config.copy_and_resolve_references()
    config.data.update(shots=0, fraction=1.0, size=opened.height or config.data.size)
    return config


def _load(config, opened):
    dataset = data.load(config.data.name, seed=config.seed, **settings.draw(config))
    shape = dataset.test.images.shape[1:3]
    if any(wanted not in (None, side) for wanted, side in zip((opened.height, opened.width), shape, strict=True)):
        raise UserError(
            f"the model takes images of {opened.height}x{opened.width} pixels; those of {config.data.name} are "
            f"{shape[0]}x{shape[1]}, always square"
        )
    if opened.num_classes != len(dataset.class_names):
        raise UserError(
            f"the model tells {opened.num_classes} classes apart, {config.data.name} has {len(dataset.class_names)}"
        )
    return dataset


def _ask(config, opened, dataset) -> foreign.Convention:
    few = np.random.default_rng(config.seed).permutation(len(dataset.train))[:_ASKED]
    asked = dataset.train.take(few)
    return foreign.detect(
        opened, asked.floats()[:], asked.labels, input_range=config.audit.input_range, order=config.audit.label_order
    )


def _exposure(config, known, split) -> list[dict]:
    """Success of each attack of the suite at several epsilon, on the first `config.curve.images` images."""
    few = split.take(np.arange(min(config.curve.images, len(split))))
    images, content, model = few.floats(), few.digest(), known.models["student"][0]
    clean, rows = evaluation.predict(model, images), []
    for name in settings.attack_names(config):
        rates = {}
        for factor in (*(factor for factor in config.curve.factors if factor < 1), 1.0):
            entries = attacking.build(config, name, known, epsilon=factor * config.attack.epsilon)
            predicted = [
                evaluation.predict(model, controls.craft(config, entry, images, content=content)) for entry in entries
            ]
            worst = evaluation.worst_case(few.labels, predicted)
            epsilon = f"{factor * config.attack.epsilon:.3g}"
            rates[epsilon] = evaluation.success_rates(few.labels, clean, worst, clean)["attack_success_rate"]
        rows.append({"name": name, "outside": entries[0].outside, "rates": rates})
    return rows


def _compare(config, workdir, measured, command) -> list[dict]:
    """The audited model beside Renofeation from the same teacher, on the same data, under the same attacks."""
    config = config.copy_and_resolve_references()
    config.attack.preset = config.attack.preset or "suite"
    trained = run(config, method="renofeation", workdir=str(workdir / "renofeation"), command=command)
    sides = {"the audited model": measured, "Renofeation": trained}
    return [{"name": name, **{key: results[key] for key in _COMPARED}} for name, results in sides.items()]
