"""What happens in a worker's process, and what it must find there."""

import dataclasses
import os
import pickle
import time
import traceback

from reno_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one call: reason: why it failed, in one line, or None; lost: whether the process died."""

    seconds: float
    reason: str | None = None
    traceback: str | None = None
    lost: bool = False


def check(place: str, **needs: tuple[float, float]) -> None:
    """`needs`: what -> (how many of it a task needs, how many the place has). Raises UserError."""
    for what, (needed, there) in needs.items():
        if needed > there:
            raise UserError(f"each run needs {needed:g} {what.upper()[:3]}s; {place} has {there:g}")


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


def work(payload: bytes, folder: str) -> Outcome:
    """Calls what was pickled, in `folder`."""
    started = time.monotonic()

    def outcome(**failure):
        return Outcome(seconds=time.monotonic() - started, **failure)

    try:
        os.chdir(folder)
        pickle.loads(payload)()
    except (UserError, OSError) as error:
        return outcome(reason=_line(str(error)))
    except Exception as error:
        first, *_ = str(error).strip().splitlines() or [""]
        return outcome(reason=_line(f"{type(error).__name__}: {first}"), traceback=traceback.format_exc())
    return outcome()


def _line(text):
    return " ".join(text.split())
