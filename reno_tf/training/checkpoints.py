"""The newest checkpoint that can be read."""

from pathlib import Path

import tensorflow as tf
from absl import logging


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
