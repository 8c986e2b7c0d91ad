"""--mode=pretrain: trains the teacher of the embedded task and writes it to pretrained/."""

from pathlib import Path

import tensorflow as tf

from reno_tf import data, files, methods, models, settings
from reno_tf.errors import UserError
from reno_tf.evaluation import rates as evaluation
from reno_tf.models.weights import PRETRAINED, manifest
from reno_tf.training import optimizers, phases
from reno_tf.training.trainer import Transfer


def pretrain(config, *, command: str, workdir: str | None = None, overwrite: bool = False) -> None:
    """Trains `config.model.backbone` on `config.pretrain.data`; then weights and manifest entry.

    Writes pretrained/<backbone>_<data>.safetensors and its entry: SHA-256, command and accuracy on
    the held-out test split, which is looked at once, at the end.
    """
    recipe, backbone = config.pretrain, config.model.backbone
    if recipe.steps < 1 or recipe.interval < 1 or recipe.steps % recipe.interval:
        raise UserError(
            f"config.pretrain.interval ({recipe.interval}) must be at least 1 and divide config.pretrain.steps "
            f"({recipe.steps})"
        )
    workdir = Path(workdir or f"runs/pretrain-{backbone}-{recipe.data}-{config.seed}")
    settings.seed_everything(config.seed)
    dataset = data.load(
        recipe.data, seed=config.seed, validation_per_class=recipe.validation_per_class, data_dir=config.data.tfds_dir
    )
    student = models.build(backbone, num_classes=len(dataset.class_names), seed=config.seed)
    plain = methods.Retraining(weight_decay=recipe.weight_decay, head_decay=0.0)
    model = Transfer(student, None, plain, seed=config.seed)
    files.claim(workdir, {"mode": "pretrain", "seed": config.seed, "backbone": backbone, **recipe}, overwrite=overwrite)

    def augment(images, key):  # Mild: "c" and "C" differ by their size alone.
        return data.random_affine(images, key, rotation=0.1, scale=0.03, shift=1.0)

    schedule = optimizers.cosine(recipe.learning_rate, recipe.steps)
    phases.fit(
        model,
        phases.Phase(name="pretrain", optimizer=optimizers.SGD(schedule, 0.9), steps=recipe.steps),
        lambda step: data.train_batches(
            dataset.train, batch_size=recipe.batch_size, seed=config.seed, start_step=step, augment=augment
        ),
        workdir=workdir,
        interval=recipe.interval,
        validation=data.eval_batches(dataset.validation, batch_size=100),
    )

    predicted = evaluation.predict(student, dataset.test.floats())
    accuracy = float((predicted == dataset.test.labels).mean())
    file, content = f"{backbone}_{recipe.data}.safetensors", models.save(student)
    files.write_bytes(PRETRAINED / file, content)
    known = manifest()
    known.setdefault(backbone, {})[recipe.data] = {
        "file": file,
        "sha256": models.sha256(content),
        "url": None,
        "licence": "as this project; rendered from fonts that matplotlib ships",
        "input": "RGB in [0, 1], 32x32",
        "command": command,
        "accuracy": accuracy,
        "tensorflow": tf.__version__,
    }
    files.write_json(PRETRAINED / "manifest.json", known)
    print(f"{file}: {100 * accuracy:.2f} % on {len(dataset.test)} held-out glyphs")
