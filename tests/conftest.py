import collections
import gc
import importlib.util
import os
import signal
from pathlib import Path

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # As in what a shell's script starts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # For what imports TensorFlow itself; nothing here needs it.
for _pool in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):  # The suite has a process for each of two cores already.
    os.environ.setdefault(_pool, "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

gc.set_threshold(100_000)  # TensorFlow traces into many small objects: looking through them takes time.


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "long: one of many of its kind, or slow, as what starts main.py or compiles a whole network"
    )


def pytest_collection_modifyitems(items):
    """Files of slow tests first: else one process would end with them alone. Among equals the order stays random."""
    tests, slow = collections.Counter(), collections.Counter()
    for item in items:
        tests[item.path] += 1
        slow[item.path] += item.get_closest_marker("long") is not None
    items.sort(key=lambda item: -slow[item.path] / tests[item.path])


def load_tool(name: str):
    """The program tools/NAME.py as a module."""
    path = Path(__file__).parents[1] / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"tool_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def long(*values):
    """Values of a parametrized test that only `make test-all` tries; a tuple is one for each argument."""
    return [pytest.param(*(v if isinstance(v, tuple) else (v,)), marks=pytest.mark.long) for v in values]


@pytest.fixture(autouse=True, scope="module")
def _frozen():
    """Each attack ends with a collection, which need not look through what the tests of other files left loaded."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(size=(6, 16, 16, 3)).astype(np.float32)


@pytest.fixture
def labels():
    return np.array([0, 1, 2, 0, 1, 2])
