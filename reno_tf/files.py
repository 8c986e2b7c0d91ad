"""Files that are complete or absent, their digests, and the folder of a run."""

import contextlib
import hashlib
import json
import math
import os
import tempfile
import types
from collections.abc import Iterator, Mapping
from pathlib import Path

import filelock

from reno_tf import ownership
from reno_tf.errors import UserError
from reno_tf.ownership import LOCK, MARKER

_LOG = "reno_tf_error.log"  # As in endings.py: why it ended early.
_BLOCK = 2**20  # bytes of a file that are read at once


def write_bytes(path: Path, content: bytes) -> None:
    """Writes under a temporary name beside `path`, then renames, so that no half-written file is ever there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: Path, content: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: Path, content) -> None:
    """As `write_bytes`; sorted keys, and an error for what is not JSON, such as NaN."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def finite(content):
    """The content with None in the place of every number that is not finite; for JSON."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def read_json(path: Path):
    """The file's content, or None if there is no such file. Raises UserError if it is not JSON."""
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from None


def digest(*contents: bytes) -> str:
    """SHA-256 over the contents and their lengths, in hexadecimal."""
    hasher = hashlib.sha256()
    for content in contents:
        hasher.update(len(content).to_bytes(8, "little"))
        hasher.update(content)
    return hasher.hexdigest()


def files_below(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """All files of a folder and of those in it, sorted. Links are followed, except to a folder `above` the link."""
    real = folder.resolve()
    for entry in sorted(folder.iterdir()) if real not in above else ():
        if entry.is_dir():
            yield from files_below(entry, (*above, real))
        elif entry.is_file():
            yield entry


def size_and_times(file: Path) -> tuple[int | None, int | None, int | None]:
    """Bytes, and nanoseconds of the last change of the content and of anything; None for a file that is not there."""
    try:
        status = file.stat()
    except OSError:
        return None, None, None
    # The second time changes with the content whatever a program that restores files makes of the first.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def digest_path(path: Path) -> str:
    """SHA-256 over a file's content, or over the names and contents of all files of a folder.

    Links are followed. A file is read block by block: it may be larger than the memory.
    """
    hasher = hashlib.sha256()
    if path.is_file():
        _add_content(hasher, path)
        return hasher.hexdigest()
    for file in files_below(path):
        name = str(file.relative_to(path)).encode(errors="surrogateescape")
        hasher.update(len(name).to_bytes(8, "little") + name)
        hasher.update(file.stat().st_size.to_bytes(8, "little"))
        _add_content(hasher, file)
    return hasher.hexdigest()


def _add_content(hasher, file):
    with file.open("rb") as content:
        while block := content.read(_BLOCK):
            hasher.update(block)


def size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    inside = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in inside if file.is_file() and not file.is_symlink())


def claim(
    workdir: Path,
    content: dict,
    *,
    identity: dict,
    overwrite: bool,
    inputs: Mapping[str, str] = types.MappingProxyType({}),
    request: str | None = None,
) -> None:
    """Makes `workdir` the folder of a run, unless it is that already, and writes its config.json.

    content: the run's settings, for config.json. identity: those of them that identify the run.
    inputs: digests of what the settings only name, by what it is. request: see `results_of`. `overwrite` deletes
    another run; what else lies beside its files stays. Raises UserError if the folder belongs to another run, or to
    the same with inputs that have changed since, holds other files and no run, or cannot be written; also if other
    files lie in a folder to be deleted.
    """
    if workdir.exists() and not workdir.is_dir():
        raise UserError(f"workdir {workdir} is a file, not a folder")
    existing = read_json(workdir / "config.json")
    if not isinstance(existing, dict | type(None)):
        raise UserError(f"{workdir / 'config.json'} is not a run's: it does not hold settings by name")
    if existing is None and workdir.is_dir() and any(file.name != LOCK for file in workdir.iterdir()):
        raise UserError(f"workdir {workdir} holds other files and no run; choose another --workdir")
    marker = _as_dict(read_json(workdir / MARKER))
    if existing is not None and overwrite:
        _delete_run(workdir)
    elif existing is not None:
        _refuse_another(workdir, existing, content, identity)
        _refuse_changed(workdir, _as_dict(marker.get("inputs")), inputs)
        if (workdir / "results.json").is_file():
            if request and request != marker.get("request"):
                with contextlib.suppress(OSError):  # A finished run needs no write, which could fail on a full disk.
                    write_json(workdir / MARKER, marker | {"request": request})
            return
    try:
        inputs = {**({} if overwrite else _as_dict(marker.get("inputs"))), **inputs}
        marker = {"project": "reno_tf", "format": content.get("format", 1), "inputs": inputs, "request": request}
        write_json(workdir / MARKER, marker)
        write_json(workdir / "config.json", content | {"identity": identity})
    except OSError as error:
        raise UserError(f"workdir {workdir} cannot be written: {error.strerror}") from None


def results_of(workdir: Path, request: str | None) -> dict | None:
    """The results of a finished run that was claimed with the same `request`: a digest of all that it was asked for.

    None: there is no such run, or that cannot be known.
    """
    marker = _as_dict(read_json(workdir / MARKER))
    return read_json(workdir / "results.json") if request and marker.get("request") == request else None


def _as_dict(content) -> dict:
    """The content of a file that may have been changed by hand; {} if it is not a dictionary."""
    return content if isinstance(content, dict) else {}


def _delete_run(workdir):
    if not (workdir / MARKER).is_file():
        why = f"no file {MARKER} says that this project, or this version of it, wrote {workdir}"
        raise UserError(f"{why}; nothing is deleted: choose another --workdir")
    with lock(workdir):
        ownership.clear_run(workdir)


def _instead(workdir) -> str:
    return "choose another --workdir" + ", or --overwrite it" * (workdir / MARKER).is_file()


def _refuse_changed(workdir, before, inputs):
    if changed := sorted(key for key in before.keys() & inputs.keys() if before[key] != inputs[key]):
        why = f"changed since then: {', '.join(changed)}"
        raise UserError(f"workdir {workdir} holds another run ({why}); {_instead(workdir)}")


def _refuse_another(workdir, existing, content, identity):
    """Raises UserError unless `existing`, the content of config.json, is of the same run."""
    instead = _instead(workdir)
    if existing.get("format") != content.get("format"):
        version = "a run of another version, whose settings this one does not read"
        formats = f"format {existing.get('format', 1)}, not {content.get('format', 1)}"
        raise UserError(f"workdir {workdir} holds {version} ({formats}); {instead}")
    identity = json.loads(json.dumps(identity))  # As config.json gives it back: tuples are lists.
    if differences := list(_differences(_as_dict(existing.get("identity")), identity)):
        why = ", ".join(f"{key} is {there}, not {here}" for key, there, here in differences)
        raise UserError(f"workdir {workdir} holds another run ({why}); {instead}")


@contextlib.contextmanager
def lock(workdir: Path) -> Iterator[None]:
    """This process alone writes the folder, as long as it lives. Raises UserError if another one does."""
    held = filelock.FileLock(workdir / LOCK, timeout=0)
    try:
        held.acquire()
    except filelock.Timeout:
        raise UserError(f"another process is writing {workdir}; wait for it, or choose another --workdir") from None
    except OSError as error:
        raise UserError(f"workdir {workdir} cannot be written: {error.strerror}") from None
    try:
        yield
    except Exception as error:
        error.run_folder = workdir  # Where main.py puts the traceback of what is not a user's mistake.
        raise
    else:
        (workdir / _LOG).unlink(missing_ok=True)  # Of an earlier attempt, which has been made good.
    finally:
        held.release()


def _differences(there, here, prefix=""):
    for key in sorted(there.keys() | here.keys()):
        a, b = there.get(key), here.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            yield f"{prefix}{key}", a, b
