"""Adversarial sets that are crafted once: the file's name is a digest of all they depend on."""

import contextlib
import functools
import hashlib
import json
from pathlib import Path

import numpy as np
from absl import logging

from reno_tf import files
from reno_tf.attacks import crafting
from reno_tf.attacks.cache import store
from reno_tf.errors import UserError

_FORMAT = 2  # Part of every key: with another number the cache ignores every older set.


def craft_once(attack, images, *, teacher, folder, content=None, limit=None, eight_bit=False, **options) -> np.ndarray:
    """`crafting.craft`, but an adversarial set that is in `folder` already is read, not made again.

    What is crafted depends on the teacher, the images and the attack's parameters (its seed among
    them), never on the student: their hash is the file's name. Of several processes that want the
    same set one makes it and the others wait. A damaged set is made again. Where the folder cannot
    be written, the set is made without it, with one warning.

    Args:
      teacher: SHA-256 of the weights that the attack goes through.
      folder: a path; None or "" keeps nothing.
      content: a hash of the images; None: computed here, which reads all of them.
      limit: bytes that the cache's own sets may take; above, the cache deletes those used longest
        ago, but neither this one nor any that is open. None: no limit.
      eight_bit: see `crafting.batches`; such a set takes a quarter of the room.

    Returns float32 or uint8 [N, H, W, 3], memory-mapped and read-only if it lies in the folder.
    """
    options |= {"eight_bit": eight_bit}
    if not folder or not len(images):
        return crafting.craft(attack, images, **options)
    shape, kind = tuple(images.shape), crafting.dtype(eight_bit)
    path = Path(folder) / f"{_key(attack, shape, teacher, content or content_hash(images), kind.name)}.npy"
    if (crafted := store.open_set(path, shape, kind)) is not None:
        return crafted
    try:
        store.mark_as_cache(path.parent)
        with store.lock(path):
            if (crafted := store.open_set(path, shape, kind)) is not None:
                return crafted  # Another process was first.
            if path.exists():
                logging.warning("%s is damaged; crafting it again", path)
            with store.unfinished_set(path, shape, kind, limit) as file:
                for batch in crafting.batches(attack, images, **options):
                    file.write(batch.tobytes())
                store.finish(file, path)
            if (crafted := store.open_set(path, shape, kind)) is not None:
                return crafted
    except OSError as error:  # Also midway: where a file system compresses, reserved room may not be there.
        _warn_once(str(folder), error.strerror)
    return crafting.craft(attack, images, **options)


def trace_once(attack, images, *, teacher: str | None, folder: str | None, batch_size: int = 100) -> list[float]:
    """`crafting.trace`, kept in `folder` like an adversarial set; it takes a few hundred bytes."""
    if not folder:
        return crafting.trace(attack, images, batch_size=batch_size)
    path = Path(folder) / f"{_key(attack, tuple(images.shape), teacher, content_hash(images))}.json"
    with contextlib.suppress(OSError, UserError):  # Unreadable or damaged: traced again.
        if (values := files.read_json(path)) is not None:
            return values
    values = crafting.trace(attack, images, batch_size=batch_size)
    with contextlib.suppress(OSError):  # `craft_once` warns.
        store.mark_as_cache(path.parent)
        files.write_json(path, values)
    return values


def _key(attack, shape, teacher, content, kind="float32") -> str:
    parameters = json.dumps([_FORMAT, attack.parameters, shape, kind], sort_keys=True)
    return files.digest(teacher.encode(), parameters.encode(), content.encode())


def content_hash(images) -> str:
    """SHA-256 over shape and float32 values, read block by block."""
    hasher = hashlib.sha256(str(tuple(images.shape)).encode())
    for first in range(0, len(images), 256):
        hasher.update(np.ascontiguousarray(images[first : first + 256], np.float32).data)
    return hasher.hexdigest()


@functools.cache
def _warn_once(folder, reason):
    logging.warning("%s: %s; adversarial sets are not kept", folder, reason)
