"""A worker's process: what it must find, what happens in it, and without Ray one at a time on this machine."""

import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import tensorflow as tf

from reno_tf import hardware
from reno_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one call: reason: why it failed, in one line, or None; lost: whether the process died."""

    seconds: float
    reason: str | None = None
    traceback: str | None = None
    lost: bool = False


def check_resources(place: str, needs: tuple[float, float], there: tuple[float, float]) -> None:
    """Raises UserError if a task needs more (CPUs, GPUs) than are there."""
    for unit, needed, available in zip(("CPUs", "GPUs"), needs, there, strict=True):
        if needed > available:
            raise UserError(f"each run needs {needed:g} {unit}; {place} has {available:g}")


def environment(*, cpus: int, gpus: float) -> dict[str, str]:
    """The variables that must be set before TensorFlow loads, for the same bits wherever the call runs."""
    # OMP_NUM_THREADS is for NumPy; TensorFlow's own pools do not read it.
    threads = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    variables = dict.fromkeys(threads, str(cpus))
    if not gpus:
        variables["CUDA_VISIBLE_DEVICES"] = "-1"
    elif gpus < 1:
        variables["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # Else the first of those that share it takes all its memory.
    return variables


def search_path() -> dict[str, str]:
    """The variable with which a worker finds the modules that this process finds."""
    return {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


def work(payload: bytes, folder: str) -> Outcome:
    """Calls what was pickled, in `folder`."""
    started, reason, trace = time.monotonic(), None, None
    try:
        os.chdir(folder)
        call = pickle.loads(payload)
        hardware.settle()
        call()
    except (UserError, OSError) as error:
        reason = str(error)
    except Exception as error:
        first, *_ = str(error).strip().splitlines() or [""]
        reason, trace = f"{type(error).__name__}: {first}", traceback.format_exc()
    return Outcome(time.monotonic() - started, reason and " ".join(reason.split()), trace)


class OneByOne:
    """Calls what is submitted, in that order, when the result is asked for. Raises as `check_resources` does."""

    def __init__(self, *, cpus: int, gpus: float):
        check_resources("this machine", (cpus, gpus), (os.cpu_count(), len(tf.config.list_physical_devices("GPU"))))
        self._environment = os.environ | search_path() | environment(cpus=cpus, gpus=gpus)
        if gpus:
            count = max(1, int(gpus))
            visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
            self._environment["CUDA_VISIBLE_DEVICES"] = ",".join(visible.split(",")[:count])
        self._waiting = []

    def submit(self, name: str, payload: bytes) -> None:
        self._waiting.append((name, payload))

    def finished(self) -> tuple[str, Outcome]:
        """The next one's name, and what came of it."""
        name, payload = self._waiting.pop(0)
        with tempfile.TemporaryDirectory() as folder:
            call, outcome = Path(folder) / "call", Path(folder) / "outcome"
            call.write_bytes(payload)
            started, code = time.monotonic(), f"from {__name__} import serve; serve()"
            command = [sys.executable, "-P", "-c", code, str(call), str(outcome)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, env=self._environment)
            try:
                status = process.wait()
            finally:
                process.kill()
                process.wait()
            if not status and outcome.is_file():
                return name, pickle.loads(outcome.read_bytes())
        death = f"was killed by signal {-status}" if status < 0 else f"exited with {status}"
        return name, Outcome(time.monotonic() - started, f"its process {death}", lost=True)


def serve() -> None:
    """Calls what the first file of the command line holds, and writes the outcome to the second."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver too, which ends this process.
    threading.Thread(target=_end_with_driver, daemon=True).start()
    call, outcome = map(Path, sys.argv[1:])
    outcome.write_bytes(pickle.dumps(work(call.read_bytes(), os.getcwd())))
    sys.stdout.flush()
    os._exit(0)  # Whatever threads the call has left behind.


def _end_with_driver():
    os.read(0, 1)  # The other end of standard input closes when the driver ends.
    os._exit(1)
