"""Adversarial sets on disk: crafted once, checked when they are opened, bounded in size."""

import contextlib
import functools
import hashlib
import json
import math
import os
from pathlib import Path

import filelock
import numpy as np
from absl import logging

from reno_tf import files
from reno_tf.attacks import crafting
from reno_tf.errors import UserError

try:
    import fcntl
except ImportError:  # Windows itself refuses to delete a file that is mapped.
    fcntl = None

_FORMAT = 1  # Part of every key: another number, and nothing cached before is found.
_DIGEST_SIZE = 32
_BLOCK = 2**22
_FRAME = 4096  # more than an .npy's header and the checksum take


def craft_once(
    attack,
    images,
    *,
    teacher: str,
    folder: str | None,
    content: str | None = None,
    limit: float | None = None,
    **options,
) -> np.ndarray:
    """`crafting.craft`, but an adversarial set that lies in `folder` already is read, not made again.

    What is crafted depends on the teacher, the images and the attack's parameters (its seed among
    them), never on the student: their hash is the file's name. Of several processes that want the
    same set one makes it and the others wait. A damaged set is made again. Where the folder cannot
    be written, the set is made without it, with one warning.

    Args:
      attack: a `PGD` or another `Attack`. images: as `crafting.craft` takes them.
      teacher: SHA-256 of the weights that the attack goes through.
      folder: None or "" keeps nothing.
      content: a hash of the images; None: computed here, which reads all of them.
      limit: bytes that the folder may hold; above, the sets that were used longest ago are deleted,
        but none that is open anywhere and not this one. None: no limit.
      **options: of `crafting.batches`.

    Returns:
      float32 [N, H, W, 3], memory-mapped and read-only if it lies in the folder.
    """
    if not folder or not len(images):
        return crafting.craft(attack, images, **options)
    shape = tuple(images.shape)
    path = Path(folder) / f"{_key(attack, shape, teacher, content or content_hash(images))}.npy"
    if (crafted := _open(path, shape)) is not None:
        return crafted
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_lock(path))
            if (crafted := _open(path, shape)) is not None:
                return crafted  # Another process was first.
            if path.exists():
                logging.warning("%s is damaged; crafting it again", path)
            part = stack.enter_context(_part(path, shape, limit))
        except OSError as error:
            _warn_once(str(folder), error.strerror)
            return crafting.craft(attack, images, **options)
        for batch in crafting.batches(attack, images, **options):
            part.write(batch.tobytes())
        _finish(part, path)
        return _open(path, shape)


def trace_once(attack, images, *, teacher: str, folder: str | None) -> list[float]:
    """`attack.trace(images)`, kept in `folder` like an adversarial set; it takes a few hundred bytes."""
    path = Path(folder or "") / f"{_key(attack, tuple(images.shape), teacher, content_hash(images))}.json"
    with contextlib.suppress(OSError, UserError):  # Unreadable or damaged: traced again.
        if folder and (known := files.read_json(path)) is not None:
            return known
    values = attack.trace(images)
    with contextlib.suppress(OSError):  # `craft_once` warns.
        if folder:
            files.write_json(path, values)
    return values


def _key(attack, shape, teacher, content) -> str:
    parameters = json.dumps([_FORMAT, attack.parameters, shape], sort_keys=True)
    return files.digest(teacher.encode(), parameters.encode(), content.encode())


def content_hash(images) -> str:
    """SHA-256 over shape and float32 values, read block by block."""
    hasher = hashlib.sha256(str(tuple(images.shape)).encode())
    for first in range(0, len(images), 256):
        hasher.update(np.ascontiguousarray(images[first : first + 256], np.float32))
    return hasher.hexdigest()


@functools.cache
def _warn_once(folder, reason):
    logging.warning("%s: %s; adversarial sets are not kept", folder, reason)


def _lock(path) -> filelock.FileLock:
    # Lock files must not be deleted; that they share names keeps them at 256.
    return filelock.FileLock(path.with_name(f".{path.stem[:2]}.lock"))


@contextlib.contextmanager
def _part(path, shape, limit):
    """An open file beside `path`: the header of an .npy is in it, the room for the rest is reserved."""
    size = 4 * math.prod(shape)
    if limit is not None:
        _evict(path.parent, limit - size)
    part = path.with_suffix(".part")
    try:
        with open(part, "w+b") as file:
            crafting.reserve(file, size + _FRAME)
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
            yield file
    finally:
        part.unlink(missing_ok=True)


def _finish(part, path):
    """Appends the checksum of all before it, and gives the file its name: whole, or absent."""
    size = part.tell()
    part.write(_digest(part, size))
    part.truncate()
    part.flush()
    os.fsync(part.fileno())
    os.replace(part.name, path)


def _digest(file, size) -> bytes:
    """SHA-256 of the first `size` bytes, after which the file then stands."""
    hasher = hashlib.sha256()
    file.seek(0)
    while (left := size - file.tell()) > 0:
        hasher.update(file.read(min(left, _BLOCK)))
    return hasher.digest()


def _open(path, shape) -> np.memmap | None:
    """The set if it lies there undamaged, marked as used now and, as long as the array lives, as open."""
    try:
        with open(path, "rb") as file:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_SH)  # The map holds a duplicate of the file, and with it the lock.
            size = os.fstat(file.fileno()).st_size - _DIGEST_SIZE
            if size <= 0 or _digest(file, size) != file.read():
                return None
            file.seek(0)
            np.lib.format.read_magic(file)
            found, _, _ = np.lib.format.read_array_header_1_0(file)
            with contextlib.suppress(OSError):
                os.utime(path)
            return np.memmap(file, "<f4", "r", offset=file.tell(), shape=shape) if found == shape else None
    except OSError:
        return None


def _evict(folder, limit):
    """Deletes the sets that were used longest ago, and what killed processes left, until `limit` bytes are left."""
    found = [(path, path.stat()) for path in (*folder.glob("*.npy"), *folder.glob("*.part"))]
    total = sum(status.st_size for _, status in found)
    for path, status in sorted(found, key=lambda item: item[1].st_mtime):
        if total > limit and _removed(path):
            total -= status.st_size


def _removed(path) -> bool:
    """Deletes the file unless a process has it open."""
    try:
        with contextlib.ExitStack() as stack:
            if path.suffix == ".part":
                stack.enter_context(_lock(path).acquire(timeout=0))
            elif fcntl:
                fcntl.flock(stack.enter_context(open(path, "rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            return True
    except (OSError, filelock.Timeout):
        return False
