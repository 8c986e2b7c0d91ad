"""Checkpoints that are whole: one is written or the run ends, and the newest that can be read is gone on from."""

import shutil
from pathlib import Path

import tensorflow as tf
from absl import logging

from reno_tf.errors import UserError, reason


def save(manager: tf.train.CheckpointManager) -> None:
    """Raises UserError, with nothing half-written left, if there is no room."""
    try:
        manager.save()
    except tf.errors.OpError as error:
        for path in Path(manager.directory).glob("*_temp"):
            shutil.rmtree(path, ignore_errors=True)
        told = f"no checkpoint can be written to {manager.directory}: {reason(error)}"
        raise UserError(f"{told}; with more room, the same command goes on from the one before") from None


def newest(folder: Path) -> str | None:
    """The newest whole checkpoint of a phase, or None. Newer ones that are damaged are named, and removed."""
    written = {int(path.stem.removeprefix("ckpt-")): path for path in folder.glob("ckpt-*.index")}
    for number in sorted(written, reverse=True):
        path = str(written[number].with_suffix(""))
        if _is_whole(path):
            return path
        logging.warning("%s is damaged, perhaps cut short; the training goes on from the one before", path)
        for part in folder.glob(f"ckpt-{number}.*"):
            part.unlink(missing_ok=True)  # Another worker may have done it.
    return None


def _is_whole(path) -> bool:
    """Whether every tensor agrees with its checksum."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, RuntimeError, LookupError, ValueError):  # The reader has many names for one thing.
        return False
    return True
