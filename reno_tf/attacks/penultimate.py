"""The paper's attack: one penultimate neuron of the teacher is driven high."""

import numpy as np

from reno_tf.attacks.features import check_neuron, feature_pgd
from reno_tf.attacks.objectives import reference_polarization, target_distance
from reno_tf.attacks.pgd import PGD
from reno_tf.models import normalization


def penultimate_pgd(
    teacher,
    *,
    epsilon=0.1,
    step_size=0.01,
    steps=40,
    objective=target_distance,
    target_scale=1000.0,
    neuron=0,
    **options,
) -> PGD:
    """Polarises the teacher's penultimate features (paper, equation 1; Rezaei and Liu, 2019).

        attack = penultimate_pgd(teacher, epsilon=0.1)
        adversarial = attack(images)            # a NumPy array or tensor, float [B, H, W, 3] in [0, 1]
        adversarial = craft(attack, images)     # the same for more images than a batch holds
        dataset = attack.map(dataset)           # batches of a tf.data.Dataset, with labels or without

    Args:
      teacher: a model of this package (its "penultimate" output is attacked), or any callable
        images [B, H, W, 3] in [0, 1] -> {"penultimate": [B, D]}.
      epsilon, step_size: in [0, 1] pixels: 0.1 is a tenth of the range from black to white.
      steps: how many.
      objective: `target_distance` or `reference_polarization`.
      target_scale: m, the value that the neuron is driven to; neuron: which one, from 0 to D - 1.
      **options: precision (see `frozen_features`), and of `PGD`: start, ball,
        restarts, momentum, diversity, smoothing, low, high, seed, jit_compile.

    Returns:
      A `PGD`: images float [B, H, W, 3] in [0, 1] -> adversarial images, float32 of the same shape.

    Raises:
      UserError: a parameter out of its range.
    """
    check_neuron(teacher, neuron)
    loss = objective(scale=target_scale, neuron=neuron)
    return feature_pgd(
        teacher,
        ["penultimate"],
        lambda features: loss(features["penultimate"]),
        epsilon=epsilon,
        step_size=step_size,
        steps=steps,
        objective={"objective": objective.__name__, "target_scale": target_scale, "neuron": neuron},
        **options,
    )


def paper(
    teacher, *, epsilon=0.4, step_size=0.01, steps=40, start="zero", target_scale=1000.0, neuron=0, **options
) -> PGD:
    """The paper's text, literally: 40 steps of 0.01 in a ball of 0.4, which therefore hardly binds."""
    options |= {"epsilon": epsilon, "step_size": step_size, "steps": steps, "start": start}
    return penultimate_pgd(teacher, target_scale=target_scale, neuron=neuron, **options)


def reference(
    teacher,
    *,
    epsilon=0.1,
    step_size=0.01,
    steps=40,
    mean=None,
    std=None,
    bound=2.2,
    target_scale=1000.0,
    neuron=0,
    **options,
) -> PGD:
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
        target_scale=target_scale,
        neuron=neuron,
        **options,
    )
