"""The paper's attack and its variants: one penultimate neuron of the teacher is driven high."""

import math

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


def momentum(
    teacher, *, epsilon=0.1, step_size=0.01, steps=40, target_scale=1000.0, neuron=0, momentum=1.0, **options
) -> PGD:
    """MI-FGSM: gradients accumulate (Dong et al., "Boosting Adversarial Attacks with Momentum", CVPR 2018)."""
    options |= {"epsilon": epsilon, "step_size": step_size, "steps": steps, "momentum": momentum}
    return penultimate_pgd(teacher, target_scale=target_scale, neuron=neuron, **options)


def diverse(
    teacher, *, epsilon=0.1, step_size=0.01, steps=40, target_scale=1000.0, neuron=0, diversity=0.5, **options
) -> PGD:
    """`momentum` on diverse inputs (Xie et al., "Improving Transferability of Adversarial Examples
    with Input Diversity", CVPR 2019)."""
    options |= {"epsilon": epsilon, "step_size": step_size, "steps": steps, "diversity": diversity}
    return momentum(teacher, target_scale=target_scale, neuron=neuron, **options)


def smoothed(
    teacher, *, epsilon=0.1, step_size=0.01, steps=40, target_scale=1000.0, neuron=0, smoothing=1.0, **options
) -> PGD:
    """`momentum` with smoothed gradients (Dong et al., "Evading Defenses to Transferable Adversarial
    Examples by Translation-Invariant Attacks", CVPR 2019).

    `smoothing` is the Gaussian's sigma in pixels: 1 suits small images, 3 those of ImageNet's size.
    """
    options |= {"epsilon": epsilon, "step_size": step_size, "steps": steps, "smoothing": smoothing}
    return momentum(teacher, target_scale=target_scale, neuron=neuron, **options)


def euclidean(
    teacher, *, image_shape, epsilon=0.1, step_size=0.01, steps=40, target_scale=1000.0, neuron=0, **options
) -> PGD:
    """The paper's objective in an L2 ball (Madry et al., ICLR 2018, have both balls).

    Args:
      image_shape: (H, W, 3).
      epsilon: the ball's radius is the length that uniform noise of this size has, epsilon sqrt(H W 3 / 3);
        step_size is scaled alike.
    """
    noise = math.sqrt(math.prod(image_shape) / 3)  # A uniform draw from [-1, 1] has variance 1/3.
    options |= {"epsilon": epsilon * noise, "step_size": step_size * noise, "steps": steps, "ball": "l2"}
    return penultimate_pgd(teacher, target_scale=target_scale, neuron=neuron, **options)


def neurons(
    teacher, *, targets=(0, 1, 2, 3), epsilon=0.1, step_size=0.01, steps=40, target_scale=1000.0, **options
) -> dict[str, PGD]:
    """One attack per penultimate neuron in `targets` (Rezaei and Liu, 2019, try them one by one).

    The attacker keeps, for each image, the one that works; that needs the student at test time alone.
    """
    options |= {"epsilon": epsilon, "step_size": step_size, "steps": steps, "target_scale": target_scale}
    return {f"neuron {neuron}": penultimate_pgd(teacher, neuron=neuron, **options) for neuron in targets}
