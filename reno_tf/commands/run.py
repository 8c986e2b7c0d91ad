"""--mode=run: data -> teacher and student -> training -> attacks -> report -> export."""

import contextlib
from pathlib import Path

from reno_tf import data, files, models, reporting, serving, settings, training
from reno_tf.commands import common
from reno_tf.evaluation import cost, measure, suite, watch
from reno_tf.training import distribution


def run(
    config, *, command: str, method: str = "renofeation", workdir=None, overwrite: bool = False, announce: bool = True
) -> dict:
    """Trains one student and measures it; the README says what `workdir` then holds.

    A finished run is not redone, an interrupted one resumes from its newest checkpoint and ends
    with the same numbers. `announce`: whether it prints beforehand how long that takes. Returns the content of
    results.json, or nothing to a worker that only trains.
    """
    chosen, watched = settings.read(config, method), settings.read_watch(config)
    workdir = Path(workdir or f"runs/{method}-{chosen.data.short_name}-{chosen.seed}")
    strategy = distribution.strategy(chosen.training.distribution, batch_size=chosen.training.batch_size)
    common.seed_everything(chosen.seed)

    dataset = common.load_data(chosen.data, seed=chosen.seed)
    chosen = settings.read(config, method, dataset=dataset)
    teacher = common.build_teacher(chosen.networks)
    model = training.new_transfer(chosen, dataset, teacher.model)
    suite.check(chosen, teacher.model, dataset)
    if watched.images:
        watch.check(chosen, dataset)

    def claim():
        files.claim(workdir, chosen.as_json(), overwrite=overwrite, inputs=common.inputs(dataset, teacher))
        return (workdir / "results.json").is_file()

    if distribution.ask_chief(strategy, claim):
        print(f"{workdir} is finished already; --overwrite starts it anew")
        return files.read_json(workdir / "results.json")

    writing = files.lock(workdir) if distribution.is_chief(strategy) else contextlib.nullcontext()
    with writing:
        options = {"command": command, "announce": announce, "watched": watched}
        return _run(chosen, workdir, dataset, teacher, model, strategy, **options)


def _run(chosen, workdir, dataset, teacher, model, strategy, *, command, announce, watched):
    """The run in a folder that is its own."""
    method = chosen.method.name
    if distribution.is_chief(strategy):
        files.write_json(workdir / "data.json", dataset.chosen())
    if announce and distribution.is_chief(strategy):
        needs = cost.tell(chosen, teacher.model, suite.split(chosen, dataset))
        print(f"{method} on {dataset.name}: {needs}", flush=True)
    with common.enough_memory("batch_size", chosen.training.batch_size):
        callbacks = list(_watching(watched, chosen, dataset, teacher.model, workdir / "tensorboard"))
        student = training.fit_student(chosen, model, dataset, workdir, callbacks=callbacks)
    if chosen.training.distribution != "none":
        # A strategy's own variables can be read by all workers together alone.
        trained, student = student, training.build_student(chosen, num_classes=len(dataset.class_names))
        student.set_weights(trained.get_weights())
    if not distribution.is_chief(strategy):
        return {}
    precision = "mixed_bfloat16" if models.is_mixed(student) else "float32"
    models.as_float32(student)  # What is measured and exported.
    history = training.read_history(workdir)

    public = (teacher.model, teacher.identity)
    with common.enough_memory("batch_size", chosen.training.batch_size):
        networks, chosen, left_out = common.attackers_networks(chosen, dataset, public, workdir)
    target = suite.target(chosen, dataset, networks | {"student": (student, models.sha256(models.save(student)))})
    options = {"undefended": chosen.method.undefended, "folder": workdir / "suite"}
    with common.enough_memory("attack.batch_size", chosen.attack.batch_size):
        measured = measure.measure(chosen, target, dataset, **options)

    measured.results["skipped"] += left_out
    measured.results["seconds"]["train"] = round(sum(row["seconds"] for row in history), 3)
    results = {"method": method, "precision": precision, **common.facts(chosen, dataset, teacher), **measured.results}
    seen_as = {"image_shape": dataset.test.images.shape[1:], "geometry": dataset.geometry}
    card = reporting.model_card(results, **seen_as)
    path = workdir / "export" / f"{method}-{dataset.name}" / "1"
    serving.write_saved_model(student, path, class_names=dataset.class_names, card=card, **seen_as)
    seen = data.first_images(dataset, batch_size=chosen.training.batch_size, seed=chosen.seed)
    options = {"history": history, "seen": seen, "command": command}
    common.write_report(workdir, results, measured, target, dataset, chosen, **options)
    return results


def _watching(watched, chosen, dataset, teacher, folder):
    if watched.images:
        yield watch.Watch(chosen, dataset, teacher, images=watched.images, folder=folder)
    if watched.profile:
        yield watch.Profile(folder)
