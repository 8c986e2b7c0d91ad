"""What GPUs run: every attack compiled by XLA, here on the CPU, beside the same one uncompiled."""

import numpy as np
import pytest
from families import SIZE, network

from reno_tf.attacks import ATTACKS, Budget

pytestmark = pytest.mark.long

_IMAGES = np.random.default_rng(5).uniform(size=(4, SIZE, SIZE, 3)).astype(np.float32)


def _pairs(name, precision):
    """(label, the attack uncompiled, the same compiled) for each attack of the entry."""
    teacher, entry = network("torch"), ATTACKS[name]
    options = {"precision": precision, "others": 1 - _IMAGES if entry.others else None}
    for label, attack in list(entry.attacks(teacher, neurons=(1,)).items())[:1]:  # The others differ in a name.
        yield label, *(attack.on(teacher, Budget(steps=3), jit_compile=jit, **options) for jit in (False, True))


@pytest.mark.parametrize("name", ATTACKS)
def test_compiled_gives_the_same_images(name):
    for label, *pair in _pairs(name, "float32"):
        plain, compiled = (attack(_IMAGES).numpy() for attack in pair)
        # Where a gradient is 0 but for rounding, its sign may be either: a few values may differ by whole steps.
        assert np.mean(np.abs(compiled - plain) > 1e-5) <= 0.01, label
        assert np.abs(plain - _IMAGES).mean() > 0.01, label


@pytest.mark.parametrize("name", ["pixel", "disruption", "bsr"])
def test_compiled_in_bfloat16_lowers_the_objective_as_far(name):
    # XLA may round to bfloat16 in fewer places: signs may differ, and the objective alone agrees.
    for label, *pair in _pairs(name, "bfloat16"):
        plain, compiled = (np.array(attack.trace(_IMAGES)) for attack in pair)
        assert plain[-1] < plain[0], label
        np.testing.assert_allclose(compiled, plain, rtol=0, atol=0.1 * (plain[0] - plain[-1]), err_msg=label)
