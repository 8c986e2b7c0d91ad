"""A folder of adversarial sets: whole or absent, checked when opened, shared by processes, bounded in size."""

import contextlib
import hashlib
import math
import os
import re
from pathlib import Path

import filelock
import numpy as np
from absl import logging

from reno_tf import files
from reno_tf.attacks.crafting import reserve
from reno_tf.errors import UserError

try:
    import fcntl
except ImportError:  # Windows itself refuses to delete a file that is mapped.
    fcntl = None

_DIGEST_SIZE, _BLOCK = 32, 2**22
_FRAME = 4096  # more than an .npy's header and the checksum take
_MARKER = ".reno_tf-cache"  # A file that says which of the folder's files are not the cache's, despite their names.
_NAME = re.compile(r"[0-9a-f]{64}\.(npy|part|json)")


def mark_as_cache(folder: Path) -> None:
    """Allows `own_files` of the folder to be deleted. Files that have such names already never are."""
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / _MARKER
    if marker.exists():
        return
    with filelock.FileLock(folder / f"{_MARKER}.lock"):
        if not marker.exists():
            others = sorted(path.name for path in folder.iterdir() if _NAME.fullmatch(path.name))
            files.write_json(marker, {"project": "reno_tf", "others": others})
            if others:
                message = "files that were there before, named like adversarial sets; never deleted, nor counted"
                logging.warning("%s: %s: %d", folder, message, len(others))


def own_files(folder: Path) -> list[Path]:
    """The files that the cache wrote, sorted; none in a folder without its marker. A link is never one."""
    try:
        others = set((files.read_json(folder / _MARKER) or {})["others"])
    except (OSError, UserError, KeyError, TypeError):
        return []
    named = [path for path in sorted(folder.iterdir()) if _NAME.fullmatch(path.name) and path.name not in others]
    return [path for path in named if path.is_file() and not path.is_symlink()]


def lock(path) -> filelock.FileLock:
    # Lock files must not be deleted; that they share names keeps them at 256.
    return filelock.FileLock(path.with_name(f".{path.stem[:2]}.lock"))


@contextlib.contextmanager
def unfinished_set(path, shape, kind, limit):
    """An open file beside `path`: the header of an .npy is in it, the room for the rest is reserved."""
    size = kind.itemsize * math.prod(shape)
    if limit is not None:
        _evict(path.parent, limit - size)
    temporary = path.with_suffix(".part")
    try:
        with open(temporary, "w+b") as file:
            reserve(file, size + _FRAME)
            np.lib.format.write_array_header_1_0(
                file, {"descr": kind.newbyteorder("<").str, "fortran_order": False, "shape": shape}
            )
            yield file
    finally:
        temporary.unlink(missing_ok=True)


def finish(file, path):
    """Appends the checksum of all before it, and gives the file its name: whole, or absent."""
    size = file.tell()
    file.write(_digest(file, size))
    file.truncate()
    file.flush()
    os.fsync(file.fileno())
    os.replace(file.name, path)


def _digest(file, size) -> bytes:
    """SHA-256 of the first `size` bytes; the file's position is then after them."""
    hasher = hashlib.sha256()
    file.seek(0)
    while (left := size - file.tell()) > 0:
        hasher.update(file.read(min(left, _BLOCK)))
    return hasher.digest()


def open_set(path, shape, kind) -> np.memmap | None:
    """The set if it is there undamaged, marked as used now and, as long as the array lives, as open."""
    try:
        with open(path, "rb") as file:
            if fcntl:
                with contextlib.suppress(OSError):  # Some network file systems have no locks.
                    fcntl.flock(file, fcntl.LOCK_SH)  # The map holds a duplicate of the file, and with it the lock.
            size = os.fstat(file.fileno()).st_size - _DIGEST_SIZE
            if size <= 0 or _digest(file, size) != file.read():
                return None
            file.seek(0)
            np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0(file)
            with contextlib.suppress(OSError):
                os.utime(path)
            matches = (header[0], header[2]) == (shape, kind.newbyteorder("<"))
            return np.memmap(file, header[2], "r", offset=file.tell(), shape=shape) if matches else None
    except OSError:
        return None


def _evict(folder, limit):
    """Deletes the sets that were used longest ago, and what killed processes left, until `limit` bytes are left."""
    sets = {}
    for path in own_files(folder):
        with contextlib.suppress(FileNotFoundError):  # Another process deletes too.
            if path.suffix != ".json":  # of some hundred bytes
                sets[path] = path.stat()
    total = sum(status.st_size for status in sets.values())
    for path in sorted(sets, key=lambda path: sets[path].st_mtime):
        if total > limit and _removed(path):
            total -= sets[path].st_size


def _removed(path) -> bool:
    """Deletes the file unless a process has it open."""
    try:
        with contextlib.ExitStack() as stack:
            if path.suffix == ".part":
                stack.enter_context(lock(path).acquire(timeout=0))
            elif fcntl:
                fcntl.flock(stack.enter_context(open(path, "rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            return True
    except (OSError, filelock.Timeout):
        return False
