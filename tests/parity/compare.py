"""When two cases agree, and the small files that let a machine without PyTorch compare."""

from pathlib import Path

import numpy as np

_GOLDEN = Path(__file__).parents[1] / "golden"
_TOLERANCE = 1e-4  # of an array's root mean square
_SAMPLES = 256
# A gradient that is 0 but for rounding may have another sign, and its pixel moves the other way.
_FEW = 0.02


def assert_close(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    """Every entry within the tolerance, and of attacked images all but a few."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name].shape == value.shape, name
        beyond = np.abs(ours[name] - value) > _TOLERANCE * np.sqrt(np.mean(np.square(value)))
        assert np.mean(beyond) <= (_FEW if name.startswith("images") else 0), f"{name}: {np.sum(beyond)} entries differ"


def summarize(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of each array its mean, its root mean square and up to 256 evenly spaced entries."""
    return {name: _summary(np.asarray(value, np.float64).ravel()) for name, value in arrays.items()}


def _summary(entries):
    places = np.unique(np.linspace(0, entries.size - 1, _SAMPLES).astype(int))
    return np.float32([entries.mean(), np.sqrt(np.mean(entries**2)), *entries[places]])


def read_golden(case: str) -> dict[str, np.ndarray] | None:
    """What `write_golden` wrote, or None if it has not yet."""
    path = _GOLDEN / f"{case}.npz"
    if not path.is_file():
        return None
    with np.load(path) as file:
        return dict(file)


def write_golden(case: str, arrays: dict[str, np.ndarray]) -> None:
    _GOLDEN.mkdir(exist_ok=True)
    np.savez_compressed(_GOLDEN / f"{case}.npz", **summarize(arrays))
