"""The attacker's own students: trained from the public teacher on the attacker's own images."""

import dataclasses
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import filelock
import numpy as np
from absl import logging
from scipy.stats import binomtest

from reno_tf import attacks, files, models, ownership
from reno_tf.data import Dataset
from reno_tf.evaluation.asking import predict
from reno_tf.evaluation.attacker import Network
from reno_tf.training import Job

_TRIED = 500  # images
_ERROR = 0.05  # the chance with which a student that only guesses is called better
SAMPLES = 4  # of an ensemble, beside the average
_SEED_OFFSET = 10**6  # The attacker does not know the defender's seed.


def train_once(
    job: Job, attackers: Dataset, teacher: Network, *, identity: str, folder, number: int = 0, samples: int = 0
) -> list[Network]:
    """Trains an attacker's student on the training images of the data set `attackers`.

    `folder` keeps it for every later run; where that cannot be written, nothing is kept, with a warning. `identity`:
    tells jobs apart, for two runs share the student only if they would train the same one. `number`: which of several
    that differ by their seed.

    Returns the student; if its training averages the weights, then `samples` more whose weights are drawn around that
    average (LGV, Gubri et al., ECCV 2022, and Li et al., "Making Substitute Models More Bayesian Can Enhance
    Transferability", ICLR 2023, attack such).
    """
    # One process trains it, on one device.
    job = dataclasses.replace(job, seed=job.seed + (1 + number) * _SEED_OFFSET, distribution="none")

    def trained_in(workdir):
        students = job.train_several(job.transfer(attackers, teacher.model), attackers, workdir, samples=samples)
        return [models.as_float32(student) for student in students]

    learnt_from = [identity, str(job.seed), teacher.digest, attackers.train.digest(), repr(attackers.class_names)]
    learnt_from.append(repr(attackers.train.labels.tolist()))
    learnt_from += ["augmented"] if attackers.augment else []
    learnt_from += [] if samples else ["alone"]
    workdir = Path(folder) / f"surrogate-{files.digest(*(text.encode() for text in learnt_from))[:16]}"
    try:
        if not (workdir / ownership.MARKER).exists():
            files.write_json(workdir / ownership.MARKER, {"project": "reno_tf"})
        with filelock.FileLock(workdir / ownership.LOCK):
            students = trained_in(workdir)
    except OSError as error:
        logging.warning("%s: %s; the attacker's student is not kept", folder, error.strerror)
        with tempfile.TemporaryDirectory() as scratch:
            students = trained_in(Path(scratch))
    return [Network.of(student) for student in students]


def together(networks: Sequence[Network]) -> Network:
    """The ensemble that attacks go through by turns."""
    digest = files.digest(*(network.digest.encode() for network in networks))
    return Network(attacks.Ensemble(tuple(network.model for network in networks)), digest)


def stored_students(folder: Path) -> list[Path]:
    """The students that `train_once` keeps there: folders with its names and marker, and nothing but its files."""
    return [path for path in sorted(folder.glob("surrogate-*")) if _is_own(path)]


def _is_own(path):
    is_marked = re.fullmatch(r"surrogate-[0-9a-f]{16}", path.name) and (path / ownership.MARKER).is_file()
    return is_marked and not path.is_symlink() and not any(ownership.foreign(path, ownership.TRAINING))


def why_useless(student, others) -> str | None:
    """Why the attacker's student knows nothing of the task: it is no better than chance. None if it is better.

    It is asked about up to 500 images of the split `others`, from which it did not learn, unless these are so few that
    even a perfect student could not be called better.
    """
    drawn = others.take(np.random.default_rng(0).permutation(len(others))[:_TRIED])
    chance = float(np.bincount(drawn.labels).max() / len(drawn))
    if chance ** len(drawn) > _ERROR:
        return None
    right = int((predict(student, drawn.floats()) == drawn.labels).sum())
    if binomtest(right, len(drawn), chance, alternative="greater").pvalue <= _ERROR:
        return None
    return f"the attacker's own student gets {right} of {len(drawn)} images right, no more than chance"
