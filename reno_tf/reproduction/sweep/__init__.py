"""Many runs, each in a process of its own: over a Ray cluster, or one by one."""

import collections
import contextlib
import dataclasses
import datetime
import importlib.util
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import filelock
import tensorflow as tf

from reno_tf.errors import UserError
from reno_tf.reproduction.sweep.cluster import cluster
from reno_tf.reproduction.sweep.worker import OneByOne


@dataclasses.dataclass(frozen=True)
class Task:
    """name: unlike the others'; call: picklable, without arguments; it keeps its results, and resumes, itself."""

    name: str
    call: Callable[[], object]


def execute(
    tasks: Iterable[Task],
    *,
    cpus: int,
    gpus: float = 0,
    address: str | None = None,
    report: Callable[[str], None] = print,
    tries: int = 3,
) -> dict[str, str]:
    """Calls every task in a fresh process: several with Ray, as many at once as there is room for, else one by one.

    A task whose process dies is called again after the others, up to `tries` times; one that raises is not, and the
    others go on. If this process is interrupted or terminated, its workers end with it.

    Args:
      cpus, gpus: of each task. TensorFlow's sums in it depend on its CPUs; several share a GPU below 1, 0 hides them.
      address: the Ray cluster to join, "auto" or host:port, whose machines see this folder under the same path
        (one that asks for a token: RAY_AUTH_MODE=token). None: this machine alone.
      report: takes one line for each task that ends, and what else is worth telling.

    Returns task name -> one line saying why it failed. Raises UserError: no such cluster, Ray is not installed
    for it, or a task needs more than a machine has.
    """
    payloads = {task.name: pickle.dumps(task.call) for task in tasks}
    tried, done, failed, started = collections.Counter(), 0, {}, time.monotonic()
    if not payloads:
        return failed
    with _ending_on_sigterm(), _pool(len(payloads), cpus, gpus, address) as pool:
        for name, payload in payloads.items():
            pool.submit(name, payload)
        while done < len(payloads):
            name, outcome = pool.finished()
            tried[name] += 1
            if outcome.lost and tried[name] < tries:
                report(f"{name}: {outcome.reason}; it is tried again")
                pool.submit(name, payloads[name])
                continue
            done += 1
            verdict = "done"
            if outcome.reason:
                failed[name], verdict = outcome.reason, f"failed ({outcome.reason})"
            if outcome.traceback:
                report(outcome.traceback)
            left = (time.monotonic() - started) / done * (len(payloads) - done)
            took, left = (datetime.timedelta(seconds=round(seconds)) for seconds in (outcome.seconds, left))
            report(f"{done}/{len(payloads)} {name} {verdict} after {took}; about {left} left")
    return failed


@contextlib.contextmanager
def lock_sweep(folder: Path):
    """Keeps a second sweep out of `folder` until this process ends or is killed. Raises UserError if one is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            yield
    except filelock.Timeout:
        raise UserError(f"another process works in {folder}; wait for it, or choose another --workdir") from None


def room(*, cpus: int, gpus: float) -> int:
    """How many such tasks this machine does at once; at least 1."""
    if not _has_ray():
        return 1
    fits = [os.cpu_count() // cpus, *([len(tf.config.list_physical_devices("GPU")) // gpus] if gpus else [])]
    return max(1, int(min(fits)))


def _pool(tasks, cpus, gpus, address):
    if _has_ray() and (tasks > 1 or address):  # Ray takes seconds to start, for which a single task has no use.
        return cluster(cpus=cpus, gpus=gpus, address=address)
    if address:
        raise UserError(
            f"to join the Ray cluster at {address}, install the extra sweeps: pip install 'reno-tf[sweeps]'"
        )
    return contextlib.nullcontext(OneByOne(cpus=cpus, gpus=gpus))


def _has_ray():
    return importlib.util.find_spec("ray") is not None


@contextlib.contextmanager
def _ending_on_sigterm():
    """SIGTERM unwinds the stack, as Ctrl-C does, rather than leave the workers behind."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    except SystemExit:
        sys.exit(128 + signal.SIGTERM)  # On its way through Ray the status becomes 1.
    finally:
        signal.signal(signal.SIGTERM, before)
