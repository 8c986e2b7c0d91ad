"""What an attack minimises: the outputs it reads, what it keeps of the clean image, one loss for each image."""

import dataclasses
import re
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import tensorflow as tf

from reno_tf.errors import UserError, choose

_TINY = 1e-12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Objective:
    """A loss of what the network puts out."""

    compares_with_clean: ClassVar[bool] = False  # With the clean image's own features: the gradient is zero there.

    outputs: tuple[str, ...]  # Names of those that the loss reads.

    @property
    def name(self) -> str:
        """TargetDistance is "target_distance"."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    def on(self, network) -> "Objective":
        """The objective for this network. Raises UserError if the network lacks what it reads."""
        names = getattr(network, "output", {})
        for output in self.outputs if names else ():
            choose("output of the network", output, names)
        return self

    def remember(self, features: Callable, images, indices, others) -> tuple:
        """What the loss compares with, as tensors with a row for each clean image; computed once for a batch.

        `features`: images -> {output: features} of the attacked network. `others`: see `Crafter`.
        """
        return ()

    def loss(self, features: dict, *remembered):
        """{output: features}, and what was remembered -> [B], lowered for each image by itself."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetDistance(Objective):
    """||f - t||^2 with t = target_scale * one_hot(neuron): the paper's equation 1, on the penultimate features.

    Rezaei and Liu, "A Target-Agnostic Attack on Deep Models", ICLR 2020, try the neurons one by one.
    """

    outputs: tuple[str, ...] = ("penultimate",)
    target_scale: float = 1000.0  # m of section 5.1
    neuron: int = 0  # the feature that is driven to it

    def on(self, network):
        width = getattr(network, "output", {}).get("penultimate")
        if width is not None and not 0 <= self.neuron < width.shape[-1]:
            raise UserError(f"neuron must be from 0 to {width.shape[-1] - 1}, not {self.neuron}")
        return super().on(network)

    def loss(self, features):
        return _target_distance(features["penultimate"], self.target_scale, self.neuron)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReferencePolarization(TargetDistance):
    """(f_n - target_scale)^2 + 0.1 mean_{j != n} f_j^2: what the paper's published code computes."""

    def loss(self, features):
        f = features["penultimate"]
        others = 1.0 - tf.one_hot(self.neuron, f.shape[-1], dtype=f.dtype)
        mean_square = tf.reduce_sum(others * tf.square(f), axis=-1) / tf.reduce_sum(others)
        return tf.square(f[:, self.neuron] - self.target_scale) + 0.1 * mean_square


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageDistance(TargetDistance):
    """mean_l ||mean_{h,w} f_l - target_scale * one_hot(neuron mod c)||^2: equation 1 on whole stages.

    Inner layers as targets: Inkawhich et al., "Feature Space Perturbations Yield More Transferable
    Adversarial Examples", CVPR 2019. outputs: names of stages; (): all of the network's.
    """

    outputs: tuple[str, ...] = ()

    def on(self, network):
        stages = _or_all_stages(self.outputs, network)
        return super(StageDistance, dataclasses.replace(self, outputs=stages)).on(network)

    def loss(self, features):
        means = [tf.reduce_mean(features[stage], axis=[1, 2]) for stage in self.outputs]
        return tf.add_n([_target_distance(f, self.target_scale, self.neuron % f.shape[-1]) for f in means]) / len(means)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Disruption(Objective):
    """Drives the features away from the clean ones, anywhere (untargeted).

    At one inner layer, by the L2 distance: Naseer et al., "Task-generalizable Adversarial Attack based on Perceptual
    Metric", 2018; at all layers together: Ganeshan et al., "FDA: Feature Disruptive Attack", ICCV 2019. The angle in
    the distance's place is this project's: the features' length, which a student need not share, does not enter it.

    outputs: names of stages, "penultimate", ...; (): all stages. distance: "cosine", the cosine of the angle between
    f(x) and f(x_clean), all of a stage as one vector; "l2", -||f(x) - f(x_clean)||^2 / ||f(x_clean)||^2. Of several
    outputs the mean counts.
    """

    compares_with_clean = True

    outputs: tuple[str, ...] = ("penultimate",)
    distance: str = "cosine"

    def __post_init__(self):
        choose("distance", self.distance, ("l2", "cosine"))

    def on(self, network):
        return super(Disruption, dataclasses.replace(self, outputs=_or_all_stages(self.outputs, network))).on(network)

    def remember(self, features, images, indices, others):
        clean = features(images)
        return tuple(clean[output] for output in self.outputs)

    def loss(self, features, *clean):
        likeness = cosine_similarity if self.distance == "cosine" else _negative_relative_distance
        pairs = zip((features[output] for output in self.outputs), clean, strict=True)
        return tf.add_n([likeness(f, g) for f, g in pairs]) / len(self.outputs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Guide(Objective):
    """Matches another image's features (Sabour et al., "Adversarial Manipulation of Deep Representations", ICLR 2016).

    If the other images are the attacked ones, none is its own guide: a fixed cycle runs through all of them.
    """

    outputs: tuple[str, ...] = ("penultimate",)

    def remember(self, features, images, indices, others):
        count = len(others)
        if count < 2:
            raise UserError(f"guide needs at least 2 guide images, not {count}")
        cycle = np.random.default_rng([0, count]).permutation(count)
        after = np.empty(count, int)
        after[cycle] = np.roll(cycle, -1)
        guides = others[after[np.asarray(indices) % count]]
        return (features(tf.convert_to_tensor(guides))["penultimate"],)

    def loss(self, features, target):
        return squared_distance(features["penultimate"], target)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NegativeCrossEntropy(Objective):
    """Minus the cross-entropy of the label that the network gives the clean image.

    Papernot et al., "Practical Black-Box Attacks against Machine Learning", 2017, on a network of the
    attacker's own; Madry et al., ICLR 2018, on the attacked model itself.
    """

    outputs: tuple[str, ...] = ("logits",)

    def remember(self, features, images, indices, others):
        return (tf.argmax(features(images)["logits"], axis=-1),)

    def loss(self, features, labels):
        return negative_cross_entropy(features["logits"], labels)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lift(Objective):
    """Makes the first stage respond as strongly as possible.

    Layer-wise lifting: Ban and Dong, "Pre-trained Adversarial Perturbations", NeurIPS 2022.
    """

    outputs: tuple[str, ...] = ("stage1",)

    def loss(self, features):
        # -||f||_2 / sqrt(number of features)
        # The root of 0 has no gradient, and a black image has no features in a network without shift and bias.
        return -tf.sqrt(tf.reduce_mean(tf.square(_flat(features[self.outputs[0]])), axis=-1) + _TINY)


def squared_distance(features, others):
    """||f - g||^2, over all but the first axis."""
    return tf.reduce_sum(_flat(tf.math.squared_difference(features, others)), axis=-1)


def cosine_similarity(features, others):
    """<f, g> / (||f|| ||g||), over all but the first axis."""
    return tf.reduce_sum(tf.math.l2_normalize(_flat(features), -1) * tf.math.l2_normalize(_flat(others), -1), axis=-1)


def _negative_relative_distance(features, others):
    length = tf.reduce_sum(_flat(tf.square(others)), axis=-1)
    return -squared_distance(features, others) / tf.maximum(length, _TINY)


def negative_cross_entropy(logits, labels):
    """log softmax(logits)_label: lowest where the label is least likely."""
    return -tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def _or_all_stages(outputs, network):
    return outputs or tuple(name for name in network.output if name.startswith("stage"))


def _target_distance(features, scale, neuron):
    target = scale * tf.one_hot(neuron, features.shape[-1], dtype=features.dtype)
    return tf.reduce_sum(tf.math.squared_difference(features, target), axis=-1)


def _flat(features):
    return tf.reshape(features, [tf.shape(features)[0], -1])
