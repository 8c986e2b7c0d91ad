import os
import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # As in what a shell's script starts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
for _pool in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):  # The suite has a process for each of two cores already.
    os.environ.setdefault(_pool, "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

import reno_tf  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "long: starts main.py more than once, or compiles much that no version of Python changes"
    )


def tiny(**options):
    """The smallest backbone of the package: width 2, 16 penultimate features."""
    return reno_tf.models.build("resnet18_cifar", width=2, **options)


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(size=(6, 16, 16, 3)).astype(np.float32)


@pytest.fixture
def labels():
    return np.array([0, 1, 2, 0, 1, 2])
