"""Scripts in processes of their own, forked from one that has loaded TensorFlow, which takes seconds each time."""

import multiprocessing
import os
import runpy
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.preloaded"])


class Script:
    """`python SCRIPT ARGUMENTS` in the folder `cwd`, begun; SCRIPT's path is from the repository's folder.

    All are begun and ended by one thread: beginning one also asks the others for their ends, which are told once.
    """

    def __init__(self, script, *arguments, cwd=ROOT, environment=()):
        self._folder = tempfile.TemporaryDirectory()
        self._files = [Path(self._folder.name) / name for name in ("out", "err")]
        words = [str(word) for word in (ROOT / script, *arguments)]
        self._process = _CONTEXT.Process(target=_run, args=(words, cwd, dict(environment), self._files))
        self._process.start()

    def end(self, seconds=300):
        """(status, stdout, stderr); a status below 0 is the signal that ended it."""
        self._process.join(seconds)
        if self.lives:
            self._process.kill()
            self._process.join()
        return self._process.exitcode, *(file.read_text() for file in self._files)

    @property
    def lives(self):
        return self._process.is_alive()

    def signal(self, number):
        if self.lives:
            os.kill(self._process.pid, number)


def run_main(*arguments):
    return Script("main.py", *arguments).end()


def _run(words, cwd, environment, files):
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    os.chdir(cwd)
    os.environ.update(environment)
    sys.argv, sys.path[:0] = words, [str(Path(words[0]).parent), str(ROOT)]
    runpy.run_path(words[0], run_name="__main__")
