"""--mode=pretrain: trains the teacher of the embedded task and writes it to pretrained/."""

import functools
from pathlib import Path

import tensorflow as tf

from reno_tf import data, evaluation, files, methods, models, settings, training
from reno_tf.commands import common
from reno_tf.models import weights


def pretrain(config, *, command: str, workdir: str | None = None, overwrite: bool = False) -> None:
    """Trains `config.model.backbone` on `config.pretrain.data`; then weights and manifest entry.

    Writes pretrained/<backbone>_<data>.safetensors and its entry: SHA-256, command and accuracy on
    the held-out test split, which is looked at once, at the end.
    """
    pretraining, backbone = settings.read_pretrain(config), settings.read_networks(config).backbone
    phase = methods.Phase(name="pretrain", steps=pretraining.steps, learning_rate=pretraining.learning_rate)
    phase.interval(pretraining.interval)  # Refuses what does not divide.
    workdir = Path(workdir or f"runs/pretrain-{backbone}-{pretraining.data}-{config.seed}")
    common.seed_everything(config.seed)
    dataset = common.load_data(
        settings.read_data(config),
        name=pretraining.data,
        seed=config.seed,
        shots=0,
        fraction=1.0,
        validation_per_class=pretraining.validation_per_class,
    )
    student = models.build(backbone, num_classes=len(dataset.class_names), seed=config.seed)
    plain = methods.Retraining(weight_decay=pretraining.weight_decay, head_decay=0.0)
    model = training.Transfer(student, None, plain, seed=config.seed)
    claimed = {"mode": "pretrain", "seed": config.seed, "backbone": backbone, **vars(pretraining)}
    files.claim(workdir, {**claimed, "format": settings.FORMAT}, identity=claimed, overwrite=overwrite)

    def batches_from(step):
        # Mild: "c" and "C" differ by their size alone.
        augment = functools.partial(data.random_affine, rotation=0.1, scale=0.03, shift=1.0)
        return data.train_batches(
            dataset.train, start_step=step, batch_size=pretraining.batch_size, seed=config.seed, augment=augment
        )

    course = training.Course(
        workdir=workdir,
        batches_from=batches_from,
        batch_size=pretraining.batch_size,
        interval=pretraining.interval,
        validation=data.eval_batches(dataset.validation, batch_size=100),
    )
    training.RunningPhase(model, phase, course).run()

    test = dataset.test
    accuracy = evaluation.accuracy(test.labels, evaluation.predict(student, test.floats())).rate
    entry = {
        "url": None,
        "licence": "as this project; rendered from fonts that matplotlib ships",
        "input": "RGB in [0, 1], 32x32",
        "command": command,
        "accuracy": accuracy,
        "tensorflow": tf.__version__,
    }
    path = weights.keep(backbone, pretraining.data, models.save(student), entry)
    print(f"{path.name}: {100 * accuracy:.2f} % on {len(dataset.test)} held-out glyphs")
