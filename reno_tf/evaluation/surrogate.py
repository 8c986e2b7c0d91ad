"""The attacker's own student: trained from the public teacher on the attacker's own images."""

import dataclasses
import json
import re
import tempfile
from pathlib import Path

import filelock
import numpy as np
from absl import logging
from scipy.stats import binomtest

from reno_tf import attacks, files, models, ownership, training
from reno_tf.data import Dataset
from reno_tf.evaluation import rates
from reno_tf.settings import Settings

_TRIED = 500  # images
_ERROR = 0.05  # the chance with which a student that only guesses is called better
_SAMPLES = 4  # beside the average
_SEED_OFFSET = 10**6  # The attacker does not know the defender's seed.


def train_once(settings: Settings, folder, dataset, teacher: tuple) -> dict:
    """Trains the attacker's student on the validation split, which the defender's never learns from.

    `folder` keeps it for every later run; where that cannot be written, nothing is kept, with a warning.
    `teacher`: (model, SHA-256).

    Returns {"surrogate": (the student, SHA-256 of its weights)}; if its training averages the weights, also
    "ensemble": the student and four more whose weights are drawn around that average (LGV, Gubri et al., ECCV 2022,
    and Li et al., "Making Substitute Models More Bayesian Can Enhance Transferability", ICLR 2023, attack such).
    """
    alone = dataclasses.replace(settings.training, distribution="none")  # It is trained by one process on one device.
    settings = dataclasses.replace(settings, seed=settings.seed + _SEED_OFFSET, training=alone)
    empty = dataset.validation.take(np.arange(0))
    own = Dataset(dataset.name, dataset.class_names, dataset.validation, empty, empty)

    def trained_in(workdir):
        model = training.new_transfer(settings, own, teacher[0])
        return [models.as_float32(s) for s in training.fit_students(settings, model, own, workdir, samples=_SAMPLES)]

    workdir = Path(folder) / f"surrogate-{_key(settings, own, teacher[1])[:16]}"
    try:
        if not (workdir / ownership.MARKER).exists():
            files.write_json(workdir / ownership.MARKER, {"project": "reno_tf"})
        with filelock.FileLock(workdir / ownership.LOCK):
            students = trained_in(workdir)
    except OSError as error:
        logging.warning("%s: %s; the attacker's student is not kept", folder, error.strerror)
        with tempfile.TemporaryDirectory() as scratch:
            students = trained_in(Path(scratch))
    digests = [models.sha256(models.save(student)) for student in students]
    found = {"surrogate": (students[0], digests[0])}
    if len(students) > 1:
        found["ensemble"] = attacks.Ensemble(tuple(students)), files.digest(*(digest.encode() for digest in digests))
    return found


def kept(folder: Path) -> list[Path]:
    """The students that `train_once` keeps there: folders with its names and marker, and nothing but its files."""
    return [path for path in sorted(folder.glob("surrogate-*")) if _is_own(path)]


def _is_own(path):
    is_marked = re.fullmatch(r"surrogate-[0-9a-f]{16}", path.name) and (path / ownership.MARKER).is_file()
    return is_marked and not path.is_symlink() and not any(ownership.foreign(path, ownership.TRAINING))


def why_useless(student, others) -> str | None:
    """Why the attacker's student tells nothing of the task: it is no better than chance. None if it is better.

    It is asked about up to 500 images of the split `others`, from which it did not learn. Of images so few that a
    perfect student would be called no better it is not asked.
    """
    drawn = others.take(np.random.default_rng(0).permutation(len(others))[:_TRIED])
    chance = float(np.bincount(drawn.labels).max() / len(drawn))
    if chance ** len(drawn) > _ERROR:
        return None
    right = int((rates.predict(student, drawn.floats()) == drawn.labels).sum())
    if binomtest(right, len(drawn), chance, alternative="greater").pvalue <= _ERROR:
        return None
    return f"the attacker's own student gets {right} of {len(drawn)} images right, no more than chance"


def _key(settings, own, teacher_hash) -> str:
    # How a student is measured does not change it.
    relevant = {key: value for key, value in settings.as_json().items() if key not in ("attack", "report")}
    described = json.dumps([relevant, own.class_names, own.train.labels.tolist()], sort_keys=True)
    return files.digest(described.encode(), own.train.digest().encode(), teacher_hash.encode())
