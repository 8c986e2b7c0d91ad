"""Variants of the paper's attack: other steps, another ball, other neurons."""

import math

from reno_tf.attacks.penultimate import penultimate_pgd
from reno_tf.attacks.pgd import PGD


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
    """One attack per penultimate neuron in `targets`, or per neuron if it is empty (Rezaei and Liu, 2019,
    try them one by one).

    The attacker keeps, for each image, the one that works; that needs the student at test time alone.
    """
    options |= {"epsilon": epsilon, "step_size": step_size, "steps": steps, "target_scale": target_scale}
    targets = targets or range(teacher.output["penultimate"].shape[-1])
    return {f"neuron {neuron}": penultimate_pgd(teacher, neuron=neuron, **options) for neuron in targets}
