"""Data sets as tensorflow-datasets builders. A new one is a file with one builder, and a line here."""

import contextlib
import io

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from reno_tf.data.base import Dataset, Split, draw
from reno_tf.data.digits import HandwrittenDigits
from reno_tf.data.glyphs import PrintedGlyphs
from reno_tf.data.pipeline import batches_per_pass, eval_batches, random_affine, train_batches
from reno_tf.errors import choose

DATASETS = {"digits": HandwrittenDigits, "glyphs": PrintedGlyphs}


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
    builder = DATASETS[choose("data set", name, DATASETS)](data_dir=data_dir)
    _prepare(builder)
    train, test = (_read(builder, split) for split in ("train", "test"))
    train, validation = draw(train, shots=shots, validation_per_class=validation_per_class, seed=seed)
    return Dataset(name, builder.info.features["label"].names, train, validation, test)


def _prepare(builder):
    if builder.data_path.exists():
        return
    logging.info("preparing data set %s in %s (once)", builder.name, builder.data_path)
    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):  # It speaks of downloads, and there is none.
        builder.download_and_prepare()


def _read(builder, split):
    images, labels = builder.as_dataset(split=split, batch_size=-1, as_supervised=True, shuffle_files=False)
    return Split(np.asarray(images), np.asarray(labels))


__all__ = [
    "DATASETS",
    "Dataset",
    "Split",
    "batches_per_pass",
    "draw",
    "eval_batches",
    "load",
    "random_affine",
    "train_batches",
]
