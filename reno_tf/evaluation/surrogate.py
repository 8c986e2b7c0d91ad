"""The attacker's own student: trained from the public teacher on the attacker's own images."""

import dataclasses
import json
import tempfile
from pathlib import Path

import filelock
import numpy as np
from absl import logging

from reno_tf import files, models, training
from reno_tf.data import Dataset
from reno_tf.settings import Settings

_SEED_OFFSET = 10**6  # The attacker does not know the defender's seed.


def train_once(settings: Settings, folder, dataset, teacher: tuple) -> tuple:
    """Trains the attacker's student on the validation split, which the defender's never learns from.

    `folder` keeps it for every later run; where that cannot be written, nothing is kept, with a warning.
    `teacher`: (model, SHA-256). Returns the student, and the SHA-256 of its weights.
    """
    alone = dataclasses.replace(settings.training, distribution="none")  # It is trained by one process on one device.
    settings = dataclasses.replace(settings, seed=settings.seed + _SEED_OFFSET, training=alone)
    empty = dataset.validation.take(np.arange(0))
    own = Dataset(dataset.name, dataset.class_names, dataset.validation, empty, empty)

    def trained_in(workdir):
        model = training.new_transfer(settings, own, teacher[0])
        return models.as_float32(training.fit_student(settings, model, own, workdir))  # As it is attacked.

    workdir = Path(folder) / f"surrogate-{_key(settings, own, teacher[1])[:16]}"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(workdir / ".lock"):
            student = trained_in(workdir)
    except OSError as error:
        logging.warning("%s: %s; the attacker's student is not kept", folder, error.strerror)
        with tempfile.TemporaryDirectory() as scratch:
            student = trained_in(Path(scratch))
    return student, models.sha256(models.save(student))


def _key(settings, own, teacher_hash) -> str:
    # How a student is measured does not change it.
    relevant = {key: value for key, value in settings.as_json().items() if key not in ("attack", "report")}
    described = json.dumps([relevant, own.class_names, own.train.labels.tolist()], sort_keys=True)
    return files.digest(described.encode(), own.train.digest().encode(), teacher_hash.encode())
