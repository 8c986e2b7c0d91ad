"""--mode=run: data -> teacher and student -> training -> attack -> evaluation -> report -> export."""

import functools
import platform
import time
from importlib import metadata
from pathlib import Path

import tensorflow as tf

from reno_tf import attacks, data, evaluation, export, files, models, optimizers, phases, progress, reporting, swa
from reno_tf.experiment import settings
from reno_tf.trainer import Transfer


def run(config, *, method: str, workdir: str | None, overwrite: bool, command: str) -> dict:
    """Trains one student and measures it; see DESIGN in the README for what `workdir` then holds.

    A finished run is not redone, an interrupted one resumes from its newest checkpoint and ends
    with the same numbers. Returns the content of results.json.
    """
    config = settings.resolve(config, method)
    workdir = Path(workdir or f"runs/{method}-{config.data.name}-{config.seed}")
    settings.seed_everything(config.seed)

    backbone, weights = config.model.backbone, config.model.weights
    _, teacher_hash = models.locate(backbone, weights)
    teacher = models.build(backbone, weights=weights)
    dataset = load_data(config)
    student = models.build(
        backbone,
        num_classes=len(dataset.class_names),
        dropout=config.dropout,
        tap=config.model.tap,
        seed=config.seed,
    )
    model = Transfer(student, teacher, settings.build_method(config), seed=config.seed)
    attack = settings.build_attack(config, teacher)

    files.claim(workdir, config.to_dict(), overwrite=overwrite)
    if results := files.read_json(workdir / "results.json"):
        print(f"{workdir} is finished already; --overwrite starts it anew")
        return results

    train(model, dataset, config, workdir)
    history = phases.read_history(workdir)

    craft = functools.partial(
        attacks.craft_once,
        teacher=teacher_hash,
        folder=config.attack.cache,
        batch_size=config.attack.batch_size,
        progress=functools.partial(progress.bar, label="crafting", unit="batch"),
    )
    evaluated = dataset.test if config.split == "test" else dataset.validation
    images = evaluated.floats()
    started = time.monotonic()
    adversarial = craft(attack, images)
    crafted = time.monotonic()
    noise = attacks.craft(attack.noise, images, batch_size=config.attack.batch_size)
    predictions = {
        name: evaluation.predict(student, x, progress=functools.partial(progress.bar, label=f"evaluating {name}"))
        for name, x in {"clean": images, "adversarial": adversarial, "noise": noise}.items()
    }
    train_images = dataset.train.floats()
    results = {
        "method": method,
        "seed": config.seed,
        "split": config.split,
        "dataset": {
            "name": dataset.name,
            "num_classes": len(dataset.class_names),
            "num_train": len(dataset.train),
            "num_validation": len(dataset.validation),
            "num_test": len(dataset.test),
        },
        "teacher": {"name": f"{backbone}/{weights}", "sha256": teacher_hash},
        **evaluation.success_rates(evaluated.labels, **predictions),
        "validation_accuracy": validation_accuracy(student, dataset),
        "feature_distance": evaluation.feature_distance(student, teacher, train_images),
        "weight_distance": evaluation.weight_distance(student, teacher),
        "attack": {"preset": config.attack.preset, **attack.parameters},
        "seconds": {
            "train": round(sum(row["seconds"] for row in history), 3),
            "craft": round(crafted - started, 3),
            "evaluate": round(time.monotonic() - crafted, 3),
        },
        "versions": versions(),
    }
    curve = epsilon_curve(config, teacher, student, evaluated, craft, results)
    reporting.write(
        workdir,
        results=results,
        config=config.to_dict(),
        history=history,
        curve=curve,
        examples=reporting.Examples.choose(evaluated, adversarial, dataset.class_names, **predictions),
        command=command,
    )
    name = f"{method}-{dataset.name}"
    export.export(
        student, workdir / "export" / name / "1", class_names=dataset.class_names, image_shape=images.shape[1:]
    )
    files.write_json(workdir / "results.json", results)  # Last: its presence says that all was written.
    print(f"{reporting.headline(results)}; report in {workdir / 'report.html'}")
    return results


def load_data(config) -> data.Dataset:
    return data.load(
        config.data.name,
        seed=config.seed,
        shots=config.data.shots,
        validation_per_class=config.data.validation_per_class,
        data_dir=config.data.dir,
    )


def train(model: Transfer, dataset, config, workdir: Path) -> None:
    """The method's phase under cosine decay; then, if it averages, a second one at a constant rate."""

    def batches_from(step):
        return data.train_batches(
            dataset.train, batch_size=config.batch_size, seed=config.seed, start_step=step, augment=data.random_affine
        )

    fit = functools.partial(
        phases.fit,
        model,
        batches_from=batches_from,
        workdir=workdir,
        validation=data.eval_batches(dataset.validation, batch_size=100) if len(dataset.validation) else None,
        jit_compile=attacks.resolve_jit("auto"),
    )
    steps, optimizer = config.steps, config.optimizer
    schedule = optimizers.cosine(optimizer.learning_rate, steps.train)
    first = phases.Phase(name="train", optimizer=optimizers.SGD(schedule, optimizer.momentum), steps=steps.train)
    fit(first, interval=settings.interval_of(config, "train"))
    if not config.swa:
        return
    constant = optimizers.SGD(optimizer.swa_learning_rate, optimizer.momentum)  # Fresh momentum.
    averaging = swa.wrap(constant, period=steps.swa_period)
    second = phases.Phase(name="swa", optimizer=averaging, steps=steps.swa, first_step=steps.train)
    fit(second, interval=settings.interval_of(config, "swa"))
    swa.assign_averages(averaging, model.student.trainable_variables, period=steps.swa_period)

    def forward(images):
        model.step.assign_add(1)  # The next dropout mask.
        model.student(images, training=True)

    one_pass = batches_from(steps.train + steps.swa).take(data.batches_per_pass(dataset.train, config.batch_size))
    swa.reestimate_batch_norm(model.student, one_pass.map(lambda images, labels: images), forward)


def validation_accuracy(student, dataset) -> float | None:
    if not len(dataset.validation):
        return None
    return float((evaluation.predict(student, dataset.validation.floats()) == dataset.validation.labels).mean())


def epsilon_curve(config, teacher, student, test, craft, results) -> list[dict]:
    """Attack and noise success at multiples of the attack's epsilon, each with its interval."""
    few = test.take(range(min(config.curve.images, len(test))))
    base = config.attack.epsilon
    points = [{"epsilon": base, "num_images": len(test), **_rates(results)}]
    for factor in config.curve.factors:
        other = settings.build_attack(config, teacher, epsilon=factor * base)
        rates = evaluation.attack_success(student, other, few, craft=craft)
        points.append({"epsilon": factor * base, "num_images": len(few), **_rates(rates)})
    return sorted(points, key=lambda point: point["epsilon"])


def _rates(results):
    return {key: value for key, value in results.items() if "success_rate" in key or key == "num_attacked"}


def versions() -> dict:
    packages = ("tensorflow", "tf-keras", "tensorflow-addons", "numpy")
    installed = {name: _version(name) for name in packages}
    return {"python": platform.python_version(), **installed, "device": _device()}


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _device():
    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"
