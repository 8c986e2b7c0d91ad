"""Without Ray: one worker at a time on this machine."""

import collections
import contextlib
import multiprocessing
import os
import signal
import threading
import time

import tensorflow as tf

from reno_tf.reproduction.sweep.worker import Outcome, check, environment, work

_SPAWN = multiprocessing.get_context("spawn")
_PATIENCE = 10  # Seconds for a worker to exit that has done its work.


class OneByOne(contextlib.AbstractContextManager):
    """Calls what is submitted, in that order, when the result is asked for.

    Raises:
      UserError: this machine has fewer CPUs or GPUs than asked for.
    """

    def __init__(self, *, cpus: int, gpus: float):
        check("this machine", cpus=(cpus, os.cpu_count()), gpus=(gpus, len(tf.config.list_physical_devices("GPU"))))
        self._environment = environment(cpus=cpus, gpus=gpus)
        if gpus:
            count = max(1, int(gpus))
            visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
            self._environment["CUDA_VISIBLE_DEVICES"] = ",".join(visible.split(",")[:count])
        self._waiting = collections.deque()

    def __exit__(self, *error):
        self._waiting.clear()

    def submit(self, name: str, payload: bytes) -> None:
        self._waiting.append((name, payload))

    def finished(self) -> tuple[str, Outcome]:
        """The next one's name, and what came of it."""
        name, payload = self._waiting.popleft()
        started = time.monotonic()
        receiver, sender = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=_child, args=(sender, payload, os.getcwd()))
        try:
            with _environ(self._environment):
                process.start()
            sender.close()
            outcome = _receive(receiver)
            process.join(_PATIENCE)
        finally:
            if process.is_alive():
                process.kill()
                process.join()
        return name, outcome or Outcome(time.monotonic() - started, _death(process.exitcode), lost=True)


def _child(sender, payload, folder):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver too, which ends this process.
    threading.Thread(target=_end_with_driver, daemon=True).start()
    sender.send(work(payload, folder))


def _end_with_driver():
    multiprocessing.parent_process().join()
    os._exit(1)


def _receive(receiver):
    try:
        return receiver.recv()
    except (EOFError, OSError):
        return None  # The process died before it had sent all.


def _death(exitcode):
    return f"its process was killed by signal {-exitcode}" if exitcode < 0 else f"its process exited with {exitcode}"


@contextlib.contextmanager
def _environ(variables):
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
