"""What GPUs run: the training step of every method compiled by XLA, here on the CPU, beside the same one uncompiled."""

import numpy as np
import pytest
import tensorflow as tf
from families import SIZE, toy

import reno_tf
from reno_tf import models
from reno_tf.methods import METHODS
from reno_tf.training import optimizers

pytestmark = pytest.mark.long


def _after_two_steps(name, *, jit_compile):
    """{weight: its values} and {metric: its values}."""
    student = toy("torch", num_classes=3, dropout=0.5, seed=2)
    model = reno_tf.Transfer(student, toy("torch", seed=1), METHODS[name](), seed=4, total_steps=2)
    model.compile(optimizer=optimizers.SGD(0.01, 0.9), jit_compile=jit_compile)
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(size=(6, SIZE, SIZE, 3)).astype(np.float32), rng.integers(0, 3, 6)
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(6, drop_remainder=True).repeat()
    history = model.fit(data, steps_per_epoch=2, verbose=0).history
    return {key: weight.numpy() for key, weight in models.named_weights(student).items()}, history


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"remos", "seam"}))  # Their step is fine-tuning's.
def test_compiled_equals_uncompiled(name):
    (plain, losses), (compiled, compiled_losses) = (_after_two_steps(name, jit_compile=jit) for jit in (False, True))
    assert losses.keys() == compiled_losses.keys()
    for key, values in losses.items():
        np.testing.assert_allclose(compiled_losses[key], values, rtol=1e-4, atol=1e-6, err_msg=key)
    for key, weight in plain.items():
        np.testing.assert_allclose(compiled[key], weight, atol=1e-5, err_msg=key)
