"""Attacks a whole set of images, batch by batch, and keeps what was crafted."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import logging

from reno_tf import files


def craft(attack: Callable, images: np.ndarray, *, batch_size: int = 100, progress: Callable = iter) -> np.ndarray:
    """Applies `attack(images, indices)` to all images [N, H, W, 3], float32 in [0, 1].

    The last batch is filled up to `batch_size` with copies of the last image, so that no second
    shape is compiled. `progress` wraps the iterable of batch offsets (a progress bar).
    """
    crafted = np.empty_like(images)
    for first in progress(range(0, len(images), batch_size)):
        indices = np.arange(first, first + batch_size)
        batch = images[np.minimum(indices, len(images) - 1)]
        adversarial = np.asarray(attack(batch, indices))
        crafted[first : first + batch_size] = adversarial[: len(images) - first]
    return crafted


def craft_once(attack, images: np.ndarray, *, teacher: str, folder: str | None, **options) -> np.ndarray:
    """`craft`, but an adversarial set that lies in `folder` already is read, not made again.

    What is crafted depends on the teacher, the images and the attack's parameters, never on the
    student: their hash is the file's name. A file that cannot be read is made again.

    Args:
      attack: a `PGD`. teacher: SHA-256 of the weights it goes through.
      folder: None or "" keeps nothing.
      **options: of `craft`.
    """
    if not folder:
        return craft(attack, images, **options)
    parameters = json.dumps(attack.parameters, sort_keys=True)
    key = files.digest(teacher.encode(), parameters.encode(), str(images.shape).encode(), images.tobytes())
    path = Path(folder) / f"{key}.npy"
    if path.is_file():
        try:
            crafted = np.load(path, allow_pickle=False)
            if crafted.shape == images.shape and crafted.dtype == images.dtype:
                return crafted
        except (OSError, ValueError, EOFError):
            pass
        logging.warning("%s is damaged; crafting it again", path)
    crafted = craft(attack, images, **options)
    content = io.BytesIO()
    np.save(content, crafted)
    files.write_bytes(path, content.getvalue())
    return crafted
