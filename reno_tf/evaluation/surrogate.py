"""The attacker's own student: trained from the public teacher on the attacker's own images."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import filelock
import numpy as np
from absl import logging

from reno_tf import files, models, settings
from reno_tf.data import Dataset
from reno_tf.training.trainer import Transfer
from reno_tf.training.training import train

_SEED_OFFSET = 10**6  # The attacker does not know the defender's seed.
# How a student is measured does not change it; and the attacker's is trained by one process on one device.
_IRRELEVANT = ("attack", "curve", "split", "distribution")


def train_once(config, folder, build: Callable, dataset, teacher: tuple) -> tuple:
    """Trains the attacker's student on the validation split, which the defender's never learns from.

    Args:
      config: resolved for the attacker's method.
      folder: keeps it, in a folder of its own, for every later run. Where it cannot be written, nothing
        is kept, with a warning.
      build: (config, num_classes=...) -> an untrained student.
      teacher: (model, SHA-256).

    Returns:
      The student, and the SHA-256 of its weights.
    """
    config = config.copy_and_resolve_references()
    config.seed += _SEED_OFFSET
    empty = dataset.validation.take(np.arange(0))
    own = Dataset(dataset.name, dataset.class_names, dataset.validation, empty, empty)

    def trained_in(workdir):
        student = build(config, num_classes=len(dataset.class_names))
        train(Transfer(student, teacher[0], settings.build_method(config), seed=config.seed), own, config, workdir)
        return models.as_float32(student)  # As it is attacked.

    workdir = Path(folder) / f"surrogate-{_key(config, own, teacher[1])[:16]}"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(workdir / ".lock"):
            student = trained_in(workdir)
    except OSError as error:
        logging.warning("%s: %s; the attacker's student is not kept", folder, error.strerror)
        with tempfile.TemporaryDirectory() as scratch:
            student = trained_in(Path(scratch))
    return student, models.sha256(models.save(student))


def _key(config, own, teacher_hash) -> str:
    relevant = {key: value for key, value in config.to_dict().items() if key not in _IRRELEVANT}
    told = json.dumps([relevant, own.class_names, own.train.labels.tolist()], sort_keys=True)
    return files.digest(told.encode(), own.train.digest().encode(), teacher_hash.encode())
