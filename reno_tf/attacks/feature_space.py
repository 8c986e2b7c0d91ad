"""Attacks on the teacher's features other than one penultimate neuron."""

import numpy as np
import tensorflow as tf

from reno_tf.attacks.cache import content_hash
from reno_tf.attacks.features import feature_pgd
from reno_tf.attacks.objectives import cosine_similarity, negative_cross_entropy, squared_distance, stage_distance
from reno_tf.attacks.pgd import PGD
from reno_tf.errors import UserError
from reno_tf.models import stage_names


def joint(
    teacher, *, layers=None, epsilon=0.1, step_size=0.01, steps=40, target_scale=1000.0, neuron=0, **options
) -> PGD:
    """Polarises one channel of several stages at once: `objectives.stage_distance`.

    The paper's objective (equation 1) on the mean over positions of every stage instead of the
    penultimate features; inner layers as targets: Inkawhich et al., "Feature Space Perturbations
    Yield More Transferable Adversarial Examples", CVPR 2019. `layers`: names of stages; None: all.
    In a stage of C channels the target is channel `neuron` mod C.
    """
    layers = list(layers or stage_names(teacher))
    return feature_pgd(
        teacher,
        layers,
        stage_distance(scale=target_scale, neuron=neuron),
        epsilon=epsilon,
        step_size=step_size,
        steps=steps,
        objective={"objective": "stage_distance", "layers": layers, "target_scale": target_scale, "neuron": neuron},
        **options,
    )


def stages(
    teacher, *, epsilon=0.1, step_size=0.01, steps=40, target_scale=1000.0, neuron=0, **options
) -> dict[str, PGD]:
    """`joint` on each stage by itself: one attack per stage."""
    options |= {"epsilon": epsilon, "step_size": step_size, "steps": steps}
    options |= {"target_scale": target_scale, "neuron": neuron}
    return {stage: joint(teacher, layers=[stage], **options) for stage in stage_names(teacher)}


def disruption(teacher, *, epsilon=0.1, step_size=0.01, steps=40, distance="l2", **options) -> PGD:
    """Drives the penultimate features away from the clean ones, anywhere (untargeted).

    Naseer et al., "Task-generalizable Adversarial Attack based on Perceptual Metric", 2018. The
    distance is "l2", ||f(x) - f(x_clean)||, or "cosine". It is smallest at the clean image, where
    its gradient is zero: the start must be random.
    """
    if options.get("start", "uniform") == "zero":
        raise UserError('disruption needs start="uniform": at the clean image its gradient is zero')
    losses = {"l2": lambda f, clean: -squared_distance(f, clean), "cosine": cosine_similarity}
    if distance not in losses:
        raise UserError(f'distance must be "l2" or "cosine", not {distance!r}')
    return feature_pgd(
        teacher,
        ["penultimate"],
        lambda features, clean: losses[distance](features["penultimate"], clean),
        reference=lambda features, images, _: (features(images)["penultimate"],),
        epsilon=epsilon,
        step_size=step_size,
        steps=steps,
        objective={"objective": "disruption", "distance": distance},
        **options,
    )


def disruption_cosine(teacher, *, epsilon=0.1, step_size=0.01, steps=40, **options) -> PGD:
    """`disruption` by the angle between the features, which their length does not enter."""
    return disruption(teacher, epsilon=epsilon, step_size=step_size, steps=steps, distance="cosine", **options)


def guide(teacher, *, guides, epsilon=0.1, step_size=0.01, steps=40, seed=0, **options) -> PGD:
    """Matches another image's penultimate features (Sabour et al., "Adversarial Manipulation of
    Deep Representations", ICLR 2016).

    Args:
      guides: images, float [N, H, W, 3] in [0, 1], at least two. If they are the attacked images
        themselves, image i is never its own guide: a seeded cycle runs through all of them.
    """
    count = len(guides)
    if count < 2:
        raise UserError(f"guide needs at least 2 guide images, not {count}")
    cycle = np.random.default_rng([seed, count]).permutation(count)
    after = np.empty(count, int)
    after[cycle] = np.roll(cycle, -1)

    def guide_features(features, _, indices):
        return (features(tf.convert_to_tensor(guides[after[indices.numpy() % count]]))["penultimate"],)

    return feature_pgd(
        teacher,
        ["penultimate"],
        lambda features, target: squared_distance(features["penultimate"], target),
        reference=guide_features,
        epsilon=epsilon,
        step_size=step_size,
        steps=steps,
        seed=seed,
        objective={"objective": "guide", "guides": content_hash(guides)},
        **options,
    )


def surrogate(surrogate, *, epsilon=0.1, step_size=0.01, steps=40, **options) -> PGD:
    """Attacks the logits of the attacker's own student, which carries over to the one that is meant.

    Papernot et al., "Practical Black-Box Attacks against Machine Learning", 2017: the loss is minus
    the cross-entropy of the label that the surrogate gives the clean image.
    """
    return feature_pgd(
        surrogate,
        ["logits"],
        lambda features, labels: negative_cross_entropy(features["logits"], labels),
        reference=lambda features, images, _: (tf.argmax(features(images)["logits"], axis=-1),),
        epsilon=epsilon,
        step_size=step_size,
        steps=steps,
        objective={"objective": "negative_cross_entropy"},
        **options,
    )


def white_box(student, *, epsilon=0.1, step_size=0.01, steps=40, **options) -> PGD:
    """OUTSIDE THE THREAT MODEL, for reference: PGD on the student itself (Madry et al., 2018)."""
    return surrogate(student, epsilon=epsilon, step_size=step_size, steps=steps, **options)
