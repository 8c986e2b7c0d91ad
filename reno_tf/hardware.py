"""What the machine computes natively."""

import contextlib
import ctypes
import gc
import os
import platform
from importlib import metadata
from pathlib import Path

import tensorflow as tf

from reno_tf import compat
from reno_tf.errors import choose

PRECISIONS = ("auto", "bfloat16", "float32")


def settle() -> None:
    """Prepares a process of the project's own, once it has loaded what it needs."""
    with compat.quiet_native_logs():
        tf.config.list_physical_devices()  # Where a GPU is absent, says so at length.
    gc.freeze()  # What is loaded stays: the collection after each attack need not look through it.


def resolve_precision(precision: str) -> str:
    """ "float32", "bfloat16", or "auto": bfloat16 where the hardware has it. Raises UserError.

    float16 is not among them: the attack's objective, about 1000^2, is infinite there.
    """
    choose("precision", precision, PRECISIONS)
    if precision == "auto":
        return "bfloat16" if has_bfloat16() else "float32"
    return precision


def resolve_jit(jit_compile: bool | str) -> bool:
    """Whether XLA compiles: True, False, or "auto": where a GPU is visible (on CPUs it is many times slower)."""
    return bool(tf.config.list_physical_devices("GPU")) if jit_compile == "auto" else bool(jit_compile)


def devices() -> list[str]:
    """This process's devices to spread a batch over: the visible GPUs, or if there are none the (logical) CPUs."""
    logical = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    here = tf.DeviceSpec.from_string(tf.constant(0).device)
    specs = [tf.DeviceSpec.from_string(device.name) for device in logical]  # In a cluster, those of all workers.
    return [spec.to_string() for spec in specs if (spec.job or here.job, spec.task or 0) == (here.job, here.task)]


def has_bfloat16() -> bool:
    """Whether TensorFlow's fastest visible device multiplies matrices of bfloat16 itself."""
    if tf.config.list_physical_devices("TPU"):
        return True
    if gpus := tf.config.list_physical_devices("GPU"):
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return all(detail.get("compute_capability", (0, 0)) >= (8, 0) for detail in details)
    return bool({"avx512_bf16", "amx_bf16"} & cpu_flags())


def device_name() -> str:
    """The first GPU's name, or the processor's with the number of cores that this process may use."""
    if gpus := tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    models = [line.partition(":")[2].strip() for line in _processor_lines("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{models[0] if models else platform.machine()}, {cores} core{'s' * (cores > 1)}"


def versions() -> dict:
    """What results depend on beside this project: Python, packages (None where one is absent), the device and whether
    "auto" means bfloat16 on it."""
    packages = ("tensorflow", "tf-keras", "tensorflow-addons", "numpy")
    distributions = {package: next(iter(metadata.distributions(name=package)), None) for package in packages}
    packages_found = {package: distribution and distribution.version for package, distribution in distributions.items()}
    return {
        "python": platform.python_version(),
        **packages_found,
        "device": device_name() + " with bfloat16" * has_bfloat16(),
    }


def cpu_flags() -> set[str]:
    """The processor's features as Linux names them; none elsewhere."""
    return {flag for line in _processor_lines("flags") for flag in line.split()}


def _processor_lines(start):
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    return [line for line in lines if line.startswith(start)]


def release_memory() -> None:
    """Frees what nothing refers to any more, and hands it back to the system where the C library can."""
    gc.collect()  # TensorFlow's functions and the objects that own them refer to each other.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
