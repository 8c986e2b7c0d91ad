"""Contenders measured in turn, A B C A B C ..., so that a machine that speeds up or slows down does so for all.

Each lives in a process of its own, which sleeps while another one runs.
"""

import multiprocessing
import os
import statistics
import time

MATMULS = ("matmul float32", "matmul bfloat16")  # What the machine multiplies at most, beside the contenders.
_MATMUL, _MATMUL_ON_GPU = 4096, 16384
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def measure(build, names, *, rounds: int, **options) -> tuple[dict, dict]:
    """Seconds of `rounds` runs of each contender.

    Args:
      build: (name, **options) -> a callable without arguments, which is run once to warm up; what
        it returns is kept as the contender's result. A function of an importable module.

    Returns:
      {name: {"seconds": [...], "cpu_seconds": [...], "first_seconds": of the run that warms up, "result": ...}},
      and {name: why it was skipped}.
    """
    spawn, pipes, skipped = multiprocessing.get_context("spawn"), {}, {}
    measured = {}
    for name in names:
        pipe, far = spawn.Pipe()
        spawn.Process(target=_serve, args=(far, build, name, options), daemon=True).start()
        far.close()
        outcome, value = pipe.recv()
        print(f"{name}: {outcome}{'' if outcome == 'ready' else f', {value}'}", flush=True)
        if outcome == "ready":
            pipes[name], measured[name] = pipe, {"seconds": [], "cpu_seconds": [], **value}
        else:
            skipped[name] = value
    for _ in range(rounds):
        for name, pipe in pipes.items():
            pipe.send("run")
            seconds, cpu_seconds = pipe.recv()
            measured[name]["seconds"].append(seconds)
            measured[name]["cpu_seconds"].append(cpu_seconds)
    return measured, skipped


def _serve(pipe, build, name, options):
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # The contenders share a GPU's memory.
    try:
        run = build(name, **options)
        start = time.perf_counter()
        value = {"result": run(), "first_seconds": time.perf_counter() - start}
    except Exception as error:  # A peer that is absent or broken is left out, and the table says why.
        pipe.send(("skipped", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"))
        return
    pipe.send(("ready", value))
    while _asked(pipe):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        pipe.send((time.perf_counter() - wall, time.process_time() - cpu))


def _asked(pipe):
    try:
        return pipe.recv() == "run"
    except EOFError:  # The measuring process has ended.
        return False


def rates(entry: dict, amount: float) -> dict:
    """Median, lowest and highest amount a second over the rounds, and the median for each CPU second."""
    per_second = [amount / seconds for seconds in entry["seconds"]]
    return {
        "median": statistics.median(per_second),
        "low": min(per_second),
        "high": max(per_second),
        "per_cpu_second": statistics.median(amount / seconds for seconds in entry["cpu_seconds"]),
    }


def ratio(entry: dict, other: dict) -> float:
    """How many times as fast as `other`: the median over rounds, in each of which they ran one after the other."""
    return statistics.median(b / a for a, b in zip(entry["seconds"], other["seconds"], strict=True))


def matmul(name: str):
    """The contender of one of `MATMULS`: TensorFlow's product of two square matrices. Returns its GFLOP."""
    import tensorflow as tf

    size = _MATMUL_ON_GPU if tf.config.list_physical_devices("GPU") else _MATMUL
    left, right = (tf.cast(tf.random.normal([size, size]), name.split()[1]) for _ in range(2))

    def run():
        float(tf.matmul(left, right)[0, 0])  # A GPU is asked for the outcome.
        return 2 * size**3 / 1e9

    return run


def matmul_rates(measured: dict) -> dict:
    """Takes `MATMULS` out of what was measured: {"float32": rates in GFLOP/s, "bfloat16": ...}."""
    entries = {name.split()[1]: measured.pop(name) for name in MATMULS}
    return {dtype: rates(entry, entry["result"]) for dtype, entry in entries.items()}


def use_threads() -> None:
    """TensorFlow and PyTorch compute with one thread for each core."""
    import torch

    import reno_tf  # noqa: F401  First: it selects Keras 2.

    # isort: split
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    torch.set_num_threads(THREADS)


def require_gpu() -> None:
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        raise RuntimeError("no GPU is visible")


def torch_device():
    """The GPU where PyTorch sees one."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def machine() -> str:
    import reno_tf.hardware

    return reno_tf.hardware.device_name()
