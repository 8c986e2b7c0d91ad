"""Data sets as tensorflow-datasets builders. A new one is a file with one builder, and a line here."""

import contextlib
import io
from pathlib import Path

import filelock
import numpy as np
import tensorflow_datasets as tfds

from reno_tf.data.actions import StanfordActions
from reno_tf.data.base import Dataset, Split, draw
from reno_tf.data.digits import HandwrittenDigits
from reno_tf.data.folder import FolderImages
from reno_tf.data.glyphs import PrintedGlyphs
from reno_tf.data.indoor import IndoorScenes
from reno_tf.data.pipeline import batches_per_pass, eval_batches, random_affine, train_batches
from reno_tf.data.scripts import ArmenianLetters, GeorgianLetters, GreekLetters, MathOperators
from reno_tf.errors import choose

DATASETS = {
    "actions": StanfordActions,
    "armenian": ArmenianLetters,
    "digits": HandwrittenDigits,
    "georgian": GeorgianLetters,
    "glyphs": PrintedGlyphs,
    "greek": GreekLetters,
    "indoor": IndoorScenes,
    "operators": MathOperators,
}


def load(
    name: str, *, seed: int = 0, shots: int = 0, validation_per_class: int = 0, data_dir: str | None = None
) -> Dataset:
    """Builds the data set once (nothing is downloaded), then reads it.

    Args:
      name: a key of `DATASETS`.
      seed: of the draw of training and validation images; the test split never changes.
      shots: training images per class; 0 takes all.
      validation_per_class: images held out of the training split.
      data_dir: where tensorflow-datasets keeps what it built; its own default if None.
    """
    make = DATASETS[choose("data set", name, DATASETS)]
    _prepare(make(data_dir=data_dir))
    builder = make(data_dir=data_dir)
    train, test = (_read(builder, split) for split in ("train", "test"))
    train, validation = draw(train, shots=shots, validation_per_class=validation_per_class, seed=seed)
    return Dataset(name, builder.info.features["label"].names, train, validation, test)


def _prepare(builder):
    if builder.data_path.exists():
        return
    folder = Path(builder.data_path).parent
    folder.mkdir(parents=True, exist_ok=True)
    tfds.disable_progress_bar()
    # Two processes that build the same data set would take each other's temporary files away.
    with filelock.FileLock(folder / ".lock"), contextlib.redirect_stdout(io.StringIO()):  # It talks of downloads.
        builder.download_and_prepare()  # Returns at once if another process was first.


def _read(builder, split):
    images, labels = builder.as_dataset(split=split, batch_size=-1, as_supervised=True, shuffle_files=False)
    return Split(np.asarray(images), np.asarray(labels))


__all__ = [
    "DATASETS",
    "Dataset",
    "FolderImages",
    "Split",
    "batches_per_pass",
    "draw",
    "eval_batches",
    "load",
    "random_affine",
    "train_batches",
]
