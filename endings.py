"""How the program ends: with one line and an exit status. It needs no package: absl or TensorFlow may be what fails.

0: all was written. 1: a model is more exposed than --fail_above, and nothing else. 2: a user's mistake, or what the
operating system refuses, as on a full disk. 70: an error of the program's own, whose traceback is in a file. 128 and
the signal's number: Ctrl-C, SIGTERM, or nobody reads what is printed.
"""

import contextlib
import os
import platform
import shlex
import signal
import sys
import tempfile
import traceback
from pathlib import Path

EXPOSED, MISTAKE, INTERNAL = 1, 2, 70
_INSTALL = "install what it needs, as README.md says, with the versions of constraints.txt"
_KEPT = "what the run has done is kept: the same command, without --overwrite, resumes from there"


class End(SystemExit):
    """The line is printed."""


def fail(message, status: int = MISTAKE):
    """Ends the program with the line, as far as that can be printed."""
    with contextlib.suppress(OSError):
        sys.stderr.reconfigure(errors="backslashreplace")
        print(f"{Path(sys.argv[0]).name}: {' '.join(str(message).split())}", file=sys.stderr, flush=True)
    raise End(status)


@contextlib.contextmanager
def one_line(verbose=lambda: False):
    """Whatever is raised inside ends the program with one line; `verbose`: whether its traceback is printed too.

    `SystemExit` passes if it says that all is well, or names a signal: else it is some library's.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        fail(str(stop) or "interrupted", getattr(stop, "status", 128 + signal.SIGINT))
    except BrokenPipeError:
        _print_or_drop()
        fail("nobody reads what it prints any more", 128 + signal.SIGPIPE)
    except OSError as error:
        _print_or_drop()
        fail(error)
    except SystemExit as end:
        if not isinstance(end, End) and end.code and not names_a_signal(end):
            _fail_internally(end, verbose())
        raise
    except BaseException as error:
        _fail_internally(error, verbose())


def names_a_signal(end: SystemExit) -> bool:
    return isinstance(end.code, int) and end.code > 128


def open_closed_streams() -> None:
    """Replaces those that Python lacks, as their descriptor was closed before it began (`>&-`)."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115


def _print_or_drop():
    """Drops what cannot be printed: it would fail again when Python ends, with a status of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail_internally(error, verbose):
    folder = getattr(error, "run_folder", None)  # `reno_tf.files.lock` says so.
    lines = [f"internal error: {_said(error)}", _log(error, folder)]
    lines += [_KEPT] if folder else []
    lines += [_INSTALL] if isinstance(error, ImportError) else []
    if verbose:
        traceback.print_exception(error)
    fail("; ".join(lines), INTERNAL)


def _said(error):
    try:
        said = " ".join(str(error).split())[:300]
    except Exception:  # Its own __str__ may be what is wrong.
        said = ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _log(error, folder) -> str:
    """Where the traceback is: in the run's folder, or else among the temporary files, whole or not at all."""
    content = f"{shlex.join(sys.argv)}\nPython {sys.version} on {platform.platform()}\n\n"
    content += "".join(traceback.format_exception(error))
    try:
        places = [Path(folder) / "reno_tf_error.log"] if folder else []
        places.append(Path(tempfile.gettempdir()) / f"reno-tf-error-{os.getpid()}.log")
    except OSError as full:  # There is no folder for temporary files.
        return f"no traceback could be written ({full})"
    for path in places:
        try:
            _write(path, content)
            return f"its traceback is in {path}"
        except OSError as full:
            why = full.strerror
    return f"no traceback could be written ({why})"


def _write(path, content):
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
