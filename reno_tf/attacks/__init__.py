"""Attacks through the public teacher: objective x step x projection x start.

The attacker has the teacher's weights and architecture, never the student's.
"""

import numpy as np

from reno_tf.attacks.crafting import craft, craft_once
from reno_tf.attacks.objectives import reference_polarization, target_distance
from reno_tf.attacks.pgd import PGD, resolve_jit
from reno_tf.errors import UserError
from reno_tf.hardware import resolve_precision
from reno_tf.models import freeze, normalization


def penultimate_pgd(
    teacher,
    *,
    epsilon=0.1,
    step_size=0.01,
    steps=40,
    start="uniform",
    low=0.0,
    high=1.0,
    objective=target_distance,
    target_scale=1000.0,
    neuron=0,
    seed=0,
    precision="auto",
    jit_compile="auto",
) -> PGD:
    """Polarises the teacher's penultimate features (paper, equation 1; Rezaei and Liu, 2019).

    Args:
      teacher: a model of this package (its "penultimate" output is attacked), or any callable
        images [B, H, W, 3] in [0, 1] -> {"penultimate": [B, D]}. The attack keeps the weights that
        the model has now.
      epsilon, step_size, low, high: in [0, 1] pixels. steps, start, seed, jit_compile: see `PGD`.
      objective: `target_distance` or `reference_polarization`.
      target_scale: m, the value that the neuron is driven to; neuron: which one.
      precision: of the teacher's weights and feature maps: "float32", "bfloat16", or "auto":
        bfloat16 where the hardware has it. Only a model of this package can be cast.
    """
    width = getattr(teacher, "output", {}).get("penultimate")
    if width is not None and not 0 <= neuron < width.shape[-1]:
        raise UserError(f"neuron must be from 0 to {width.shape[-1] - 1}, not {neuron}")
    loss, precision = objective(scale=target_scale, neuron=neuron), resolve_precision(precision)
    frozen = freeze(teacher, ["penultimate"], precision=precision)

    def penultimate_loss(images):
        return loss(frozen(images)["penultimate"])

    return PGD(
        penultimate_loss,
        epsilon=epsilon,
        step_size=step_size,
        steps=steps,
        start=start,
        low=low,
        high=high,
        seed=seed,
        jit_compile=jit_compile,
        objective={
            "objective": objective.__name__,
            "target_scale": target_scale,
            "neuron": neuron,
            "precision": precision,
        },
    )


def paper(teacher, *, epsilon=0.4, step_size=0.01, steps=40, start="zero", **parameters) -> PGD:
    """The paper's text, literally: 40 steps of 0.01 in a ball of 0.4, which therefore hardly binds."""
    return penultimate_pgd(teacher, epsilon=epsilon, step_size=step_size, steps=steps, start=start, **parameters)


def reference(teacher, *, epsilon=0.1, step_size=0.01, steps=40, mean=None, std=None, bound=2.2, **parameters) -> PGD:
    """The paper's published code: budget, step and range count after mean/std normalisation.

    Here images are in [0, 1], so each becomes one value per channel: epsilon * std,
    step_size * std, and mean -/+ bound * std for the valid range. A signed step does not
    change under such a scaling. mean and std are the teacher's own unless given.
    """
    if mean is None or std is None:
        mean, std = normalization(teacher)
    mean, std = np.float32(mean), np.float32(std)
    return penultimate_pgd(
        teacher,
        epsilon=epsilon * std,
        step_size=step_size * std,
        steps=steps,
        low=mean - bound * std,
        high=mean + bound * std,
        objective=reference_polarization,
        **parameters,
    )


ATTACKS = {"pixel": penultimate_pgd, "paper": paper, "reference": reference}

__all__ = [
    "ATTACKS",
    "PGD",
    "craft",
    "craft_once",
    "paper",
    "penultimate_pgd",
    "reference",
    "reference_polarization",
    "resolve_jit",
    "target_distance",
]
