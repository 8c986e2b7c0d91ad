"""--mode=run: data -> teacher and student -> training -> attacks -> report -> export."""

import contextlib
import dataclasses
from pathlib import Path

from reno_tf import data, files, models, records, reporting, serving, settings, training
from reno_tf.commands import common
from reno_tf.evaluation import Network, cost, evaluate, watch
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
    chosen, watched = settings.read(config, method), settings.read_watch(config)
    strategy = distribution.strategy(chosen.training.distribution, batch_size=chosen.training.batch_size)
    common.seed_everything(chosen.seed)

    dataset = common.load_data(chosen.data, seed=chosen.seed)
    dataset = dataset.seen(geometry) if geometry else dataset
    chosen = settings.read(config, method, dataset=dataset)
    workdir = Path(workdir or f"runs/{RunRef(method=method, data=chosen.data.short_name, seed=chosen.seed)}")
    teacher = common.build_teacher(chosen.networks)
    model = chosen.job.transfer(dataset, teacher.model)
    common.check_suite(chosen, teacher.model, dataset)
    if watched.images:
        several = chosen.training.distribution != "none"
        watch.check(chosen.suite().attacks[0], dataset, several_devices=several)

    def claim():
        inputs = common.inputs(dataset, teacher)
        files.claim(workdir, chosen.as_json(), identity=chosen.identity(), overwrite=overwrite, inputs=inputs)
        return (workdir / "results.json").is_file()

    if distribution.ask_chief(strategy, claim):
        print(f"{workdir} is finished already; --overwrite starts it anew")
        return files.read_json(workdir / "results.json")

    writing = files.lock(workdir) if distribution.is_chief(strategy) else contextlib.nullcontext()
    with writing:
        student = _train(chosen, workdir, dataset, teacher, model, strategy, watched=watched, announce=announce)
        if not distribution.is_chief(strategy):
            return {}
        return _measure(chosen, workdir, dataset, teacher, student, command=command)


def _train(chosen, workdir, dataset, teacher, model, strategy, *, watched, announce):
    """The trained student, in a folder that is its own."""
    if distribution.is_chief(strategy):
        files.write_json(workdir / "data.json", dataset.chosen())
    if announce and distribution.is_chief(strategy):
        print(f"{chosen.method.name} on {dataset.name}: {_needs(chosen, dataset, teacher.model)}", flush=True)
    with common.enough_memory("batch_size", chosen.training.batch_size):
        callbacks = list(_watching(watched, chosen, dataset, teacher.model, workdir / "tensorboard"))
        student = chosen.job.train(model, dataset, workdir, callbacks=callbacks)
    if chosen.training.distribution != "none":
        # A strategy's own variables can be read by all workers together alone.
        trained, student = student, chosen.job.untrained(num_classes=len(dataset.class_names))
        student.set_weights(trained.get_weights())
    return student


def _needs(chosen, dataset, teacher) -> str:
    """What is told of the time beforehand."""
    suite, attacked = chosen.suite(), chosen.suite().attacked(getattr(dataset, chosen.report.split))
    passes = {f"{chosen.job.steps} steps of training": cost.training_passes(chosen.job)}
    passes["attacking"] = cost.attack_passes(suite, teacher, len(attacked))
    return cost.tell(passes | common.surrogate_passes(chosen), teacher, attacked.images)


def _measure(chosen, workdir, dataset, teacher, student, *, command) -> dict:
    """Attacks the student, writes the report and the SavedModel. Returns the content of results.json."""
    method = chosen.method.name
    precision = "mixed_bfloat16" if models.is_mixed(student) else "float32"
    models.as_float32(student)  # What is measured and exported.
    with common.enough_memory("batch_size", chosen.training.batch_size):
        attacker = common.build_attacker(chosen, dataset, teacher.network, workdir)
    network = Network.of(student)
    attacker = dataclasses.replace(attacker, networks={**attacker.networks, "student": network})
    with common.enough_memory("attack.batch_size", chosen.attack.batch_size):
        measured = evaluate(
            network,
            attacker,
            dataset,
            chosen.suite(),
            split=chosen.report.split,
            undefended=chosen.method.undefended,
            crafting=chosen.attack.crafting,
            folder=workdir / "suite",
        )

    history = training.read_history(workdir)
    seconds = dataclasses.replace(measured.evaluation.seconds, train=round(training.seconds(workdir), 3))
    facts = {"method": method, "precision": precision, "audit": None, **common.facts(chosen, dataset, teacher)}
    results = Results(**vars(measured.evaluation) | {"seconds": seconds}, **facts)
    card = reporting.model_card(records.to_json(results), **_views(dataset))
    path = workdir / "export" / f"{method}-{dataset.name}" / "1"
    serving.write_saved_model(student, path, class_names=dataset.class_names, card=card, **_views(dataset))
    seen = data.first_images(dataset, batch_size=chosen.training.batch_size, seed=chosen.seed)
    return common.write_report(workdir, results, measured, dataset, chosen, history=history, seen=seen, command=command)


def _views(dataset) -> dict:
    return {"image_shape": dataset.test.images.shape[1:], "geometry": dataset.geometry}


def _watching(watched, chosen, dataset, teacher, folder):
    if watched.images:
        crafting = chosen.attack.crafting
        yield watch.Watch(chosen.suite(), dataset, teacher, images=watched.images, folder=folder, crafting=crafting)
    if watched.profile:
        yield watch.Profile(folder)
