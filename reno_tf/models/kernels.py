"""Weights whatever file they came in: one form of each kernel, a digest of its content, and a sketch of its direction.

A converter multiplies each output channel of a kernel by a number of its own (that of the BatchNorm behind it), rounds
it, and turns its axes. The sketch survives all of that, so a network is recognised where its weights are not at hand.
"""

import dataclasses
import hashlib
import math

import ml_dtypes
import numpy as np

SKETCH_BITS = 64
_LEAST_INPUTS = 4  # of an output channel; up to a scale, kernels of fewer are too much alike


@dataclasses.dataclass(frozen=True)
class WeightArray:
    """One array of a model's file.

    name: as the file has it, LAYER/PARAMETER. Arrays of one layer share all but the last part. values: in Keras's axes
    ([h, w, in, out]; depthwise [h, w, in, multiplier]; [in, out]; [channels]), floats of the type that they are stored
    in; of whole numbers those that they stand for. step: between two numbers that the file can hold, 0 for floats; a
    number, or an array that broadcasts to `values`.
    """

    name: str
    values: np.ndarray
    step: float | np.ndarray = 0.0

    @property
    def layer(self) -> str:
        return self.name.rpartition("/")[0] or self.name

    @property
    def is_kernel(self) -> bool:
        return self.values.ndim in (2, 4)


def as_columns(values: np.ndarray) -> np.ndarray:
    """The kernel as [inputs of a channel, output channels]: float32. `values`: a kernel of a `WeightArray`."""
    shape = values.shape
    if values.ndim == 4 and 1 in shape[2:] and shape[0] * shape[1] > 1:  # Depthwise, also where groups say so.
        shape = (shape[0] * shape[1], shape[2] * shape[3])
    return values.astype(np.float32, copy=False).reshape(-1, shape[-1])


def shape_name(values: np.ndarray) -> str:
    """The kernel's shape as text, the same for all forms of one kernel: "3x3x32x64", depthwise "3x3x32", "1280x2"."""
    shape = values.shape
    if values.ndim == 4 and shape[:2] == (1, 1):  # A converter may make it a matrix.
        shape = shape[2:]
    elif values.ndim == 4 and 1 in shape[2:]:
        shape = (*shape[:2], shape[2] * shape[3])
    return "x".join(map(str, shape))


def is_telling(values: np.ndarray) -> bool:
    """Whether the kernel is finite, and has enough numbers for each output channel to be known by its direction."""
    columns = as_columns(values)
    return columns.shape[0] >= _LEAST_INPUTS and columns.size > 0 and bool(np.isfinite(columns).all())


def digest(*arrays: np.ndarray) -> str:
    """16 hexadecimal digits over the arrays' content as float32, whatever their axes of size 1."""
    hasher = hashlib.sha256()
    for values in arrays:
        columns = as_columns(values) if values.ndim > 1 else values.astype(np.float32, copy=False)
        hasher.update(f"{columns.shape}".encode() + np.ascontiguousarray(columns, "<f4").tobytes())
    return hasher.hexdigest()[:16]


def directions(columns: np.ndarray) -> np.ndarray:
    """Each output channel at length 1, with the sign that makes the sum of its cubes positive; 0 stays 0."""
    columns = columns.astype(np.float64)
    columns = columns / np.maximum(np.abs(columns).max(0), 1e-300)  # So that no square is 0 in float64.
    signs = np.where((columns**3).sum(0) < 0, -1.0, 1.0)
    return signs * columns / np.maximum(np.sqrt((columns**2).sum(0)), 1e-300)


def sketch(values: np.ndarray) -> int:
    """64 bits of the kernel's direction: of two kernels, a part that grows with the angle between them differs.

    Each number is added to one of 64 sums or subtracted, as a hash of its place says; a bit is a sum's sign. The hash
    is splitmix64, so the bits never change.
    """
    flat = directions(as_columns(values)).ravel()
    hashes = _splitmix64(np.arange(flat.size, dtype=np.uint64))
    sums = np.bincount(
        (hashes % SKETCH_BITS).astype(int), flat * np.where(hashes >> np.uint64(63), -1.0, 1.0), SKETCH_BITS
    )
    return sum(1 << place for place in np.flatnonzero(sums > 0).tolist())


def differing_bits(first: int, second: int) -> int:
    return (first ^ second).bit_count()


def distance_of_sketches(bits: float) -> float:
    """The relative distance that goes with so many different bits: the sine of the angle; 1 for 32 and more."""
    return math.sin(math.pi * min(bits / SKETCH_BITS, 0.5))


def _splitmix64(numbers):
    """Steele, Lea and Flood, 2014."""
    with np.errstate(over="ignore"):
        z = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


@dataclasses.dataclass(frozen=True)
class Fit:
    """How near a kernel is to a public one, up to a scale of each output channel.

    distance: what is left of it after the best scales, relative; 0: the same, 1: nothing in common. within_storage:
    whether all that is left is what the file's type rounds away.
    """

    distance: float
    within_storage: bool


def fit(kernel: WeightArray, public: np.ndarray) -> Fit:
    """The kernel beside the public one of the same `shape_name`, which may be float16."""
    ours, theirs = as_columns(kernel.values).astype(np.float64), as_columns(public).astype(np.float64)
    energy = (theirs**2).sum(0)
    own = (ours**2).sum(0)
    dots = (ours * theirs).sum(0)
    scales = np.divide(dots, energy, out=np.zeros_like(dots), where=energy > 0)
    left = ours - scales * theirs
    lost = np.divide((left**2).sum(0), own, out=np.ones_like(own), where=own > 0)
    distance = math.sqrt(max(float((energy * lost).sum() / energy.sum()), 0.0)) if energy.sum() else 1.0
    step = as_columns(np.broadcast_to(kernel.step, kernel.values.shape)).astype(np.float64)
    relative, least = _rounding(kernel.values, public)
    allowed = step + relative * np.abs(ours) + least * (1 + np.abs(scales))
    return Fit(distance, bool(distance < 0.1 and (np.abs(left) <= allowed).all()))


def _rounding(*stored) -> tuple[float, float]:
    """(relative, absolute): by how much storing in the types of these arrays, after float32's products, may change."""
    types = [ml_dtypes.finfo(values.dtype) for values in stored]  # NumPy's does not have bfloat16.
    relative = max(float(kind.eps) for kind in types) + 3 * float(np.finfo(np.float32).eps)
    return relative, max(float(kind.smallest_subnormal) for kind in types)


def same_values(array: WeightArray, public: np.ndarray) -> bool:
    """Whether the file holds these public numbers, as far as its type, or theirs, can hold them."""
    ours = array.values
    if ours.size != public.size:
        return False
    ours, theirs = (as_columns(v) if v.ndim > 1 else v for v in (ours, public))
    if ours.shape != theirs.shape:
        return False
    if np.any(array.step):
        step = np.broadcast_to(array.step, array.values.shape).reshape(ours.shape)
        return bool((np.abs(ours - theirs) <= step).all())
    narrow = min((array.values.dtype, public.dtype), key=lambda dtype: dtype.itemsize)
    return np.array_equal(ours.astype(narrow), theirs.astype(narrow))
