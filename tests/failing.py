"""main.py, whose command fails: python failing.py HOW [FOLDER OF THE RUN] [--FLAG=VALUE ...]"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import tensorflow as tf

import main
import modes
from reno_tf import files


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("not even its text")


def _recurse():
    return _recurse()


def _exit(code):
    sys.exit(code)


def _raise(error):
    raise error


HOW = {
    "value": lambda: _raise(ValueError("two\nlines")),
    "nothing": lambda: _raise(AssertionError()),
    "recursion": _recurse,
    "memory": lambda: _raise(MemoryError("Unable to allocate 3 TiB")),
    "tensorflow": lambda: tf.linalg.inv(tf.zeros([2, 2])),
    "no gradient": lambda: _raise(LookupError("No gradient defined for operation 'x'")),
    "import": lambda: __import__("no_such_package"),
    "unprintable": lambda: _raise(Unprintable()),
    "exit 0": lambda: _exit(0),
    "exit 1": lambda: _exit(1),
    "exit text": lambda: _exit("a library's own words"),
    "generator": lambda: _raise(GeneratorExit()),
    "child": lambda: subprocess.run([sys.executable, "-c", "raise SystemExit(1)"], check=True),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "sweep": lambda: _exit(128 + signal.SIGTERM),
    "disk": lambda: _raise(OSError(28, "No space left on device", "x")),
}

if __name__ == "__main__":
    tempfile.tempdir = os.environ.get("TMPDIR")  # The process that this one is forked from has looked already.
    how, *rest = sys.argv[1:]
    folder = Path(rest.pop(0)) if rest and not rest[0].startswith("--") else None

    def start(*arguments, **options):
        with files.lock(folder) if folder else contextlib.nullcontext():
            HOW[how]()

    modes.start = start
    sys.argv[1:] = rest
    main.run()
