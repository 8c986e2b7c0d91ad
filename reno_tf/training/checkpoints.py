"""Whole checkpoints: one is written or the run ends, and a run resumes from the newest that can be read."""

import re
from pathlib import Path

import tensorflow as tf
from absl import logging

from reno_tf import ownership
from reno_tf.errors import UserError, reason


def save(manager: tf.train.CheckpointManager) -> None:
    """Raises UserError, with nothing half-written left, if there is no room."""
    try:
        manager.save()
    except tf.errors.OpError as error:
        for path in Path(manager.directory).iterdir():
            if re.fullmatch(ownership.CHECKPOINT_BEGUN, path.name) and not path.is_symlink():
                ownership.remove(path, ownership.CHECKPOINT_PART)
        message = f"no checkpoint can be written to {manager.directory}: {reason(error)}"
        raise UserError(f"{message}; with more room, the same command resumes from the one before") from None


def newest(folder: Path) -> str | None:
    """The newest whole checkpoint of a phase, or None. Newer ones that are damaged are named, and removed."""
    written = [re.fullmatch(r"ckpt-(\d+)\.index", path.name) for path in folder.glob("ckpt-*.index")]
    for number in sorted((int(name[1]) for name in written if name), reverse=True):
        path = str(folder / f"ckpt-{number}")
        if _is_whole(path):
            return path
        logging.warning("%s is damaged, perhaps cut short; the training resumes from the one before", path)
        for file in folder.glob(f"ckpt-{number}.*"):
            if re.fullmatch(ownership.CHECKPOINT, file.name):
                file.unlink(missing_ok=True)  # Another worker may have done it.
    return None


def _is_whole(path) -> bool:
    """Whether every tensor agrees with its checksum."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, RuntimeError, LookupError, ValueError):  # The reader raises many classes for one thing.
        return False
    return True
