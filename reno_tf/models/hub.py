"""Networks of KerasHub, read from a preset, with their stages found by rule.

KerasHub builds on Keras 3, this package on Keras 2. So a network is cut at the ends of its stages. Each part is one
layer here, which has weights of its own and computes what the part computes with those.
"""

import math

import numpy as np
import tensorflow as tf
import tf_keras

from reno_tf.errors import UserError
from reno_tf.models import backbone, hub_presets, hub_stages, layers

NAME = "kerashub"  # the key of `BACKBONES`


class Part(tf_keras.layers.Layer):
    """What a model of Keras 3 computes in inference mode, with weights of its own.

    Keras 2 trains, counts, saves and restores them as any layer's. They start as the model's.
    """

    def __init__(self, part, **options):
        super().__init__(dtype=tf_keras.backend.floatx(), **options)
        self._part = lambda: part  # Keras 2 would track an attribute.

    def build(self, input_shape):
        part = self._part()
        self._trained, self._fixed = (
            [self._own(variable, trainable) for variable in variables]
            for variables, trainable in ((part.trainable_variables, True), (part.non_trainable_variables, False))
        )
        super().build(input_shape)

    def _own(self, variable, trainable):
        value = variable.numpy()
        return self.add_weight(
            name=variable.path,
            shape=value.shape,
            dtype=value.dtype,
            initializer=lambda shape, dtype: tf.constant(value, dtype),
            trainable=trainable,
        )

    def call(self, x):
        outputs, _ = self._part().stateless_call(self._trained, self._fixed, x, training=False)
        return outputs

    @property
    def learns_otherwise(self) -> bool:
        """Whether it computes something else in training: it has BatchNorm, or dropout."""
        return bool(self._part().non_trainable_variables)

    def restore(self) -> None:
        """Gives it the weights of the preset."""
        part = self._part()
        variables = [*part.trainable_variables, *part.non_trainable_variables]
        for weight, variable in zip([*self._trained, *self._fixed], variables, strict=True):
            weight.assign(variable.numpy())

    def draw(self, generator_of) -> None:
        """Random weights: kernels U(-1/sqrt(fan_in), 1/sqrt(fan_in)), tokens and positions N(0, 0.02).

        Scales are 1, shifts and biases 0. `generator_of`: a weight's name -> a generator of NumPy.
        """
        for weight in self._trained:
            name, shape = weight.name.removesuffix(":0"), tuple(weight.shape)
            kind, generator = name.rpartition("/")[2], generator_of(name)
            if kind.endswith("kernel"):
                value = generator.uniform(-1, 1, shape) / math.sqrt(_fan_in(name, shape))
            elif kind in ("gamma", "scale"):
                value = np.ones(shape)
            else:
                value = np.zeros(shape) if kind in ("bias", "beta") else 0.02 * generator.standard_normal(shape)
            weight.assign(value.astype(np.float32))
        for weight in self._fixed:
            weight.assign(tf.ones_like(weight) if "moving_variance" in weight.name else tf.zeros_like(weight))


def _fan_in(name, shape) -> int:
    """How many inputs one output sums over. Some of an attention's kernels have two axes of outputs."""
    if name.endswith("depthwise_kernel"):
        return math.prod(shape[:2])
    splits_heads = any(f"/{part}/" in name for part in ("query", "key", "value"))
    return shape[0] if splits_heads else math.prod(shape[:-1])


class Hub(backbone.Backbone):
    """A network of KerasHub, from a preset."""

    def build(self, name, *, preset=None, num_classes=None, image_size=None, **options) -> tf_keras.Model:
        """As `Backbone.build`. `preset`: the folder.

        Raises UserError: no preset, another `image_size` than the network's, or a student with BatchNorm or dropout.
        """
        if preset is None:
            raise UserError(f"{name} needs a preset of KerasHub: its folder is given as the weights")
        folder, _ = hub_presets.locate(preset)
        network = hub_presets.read_backbone(folder)
        shape = tuple(network.input.shape)
        side = shape[1]
        if shape[1:] != (side, side, 3):
            raise UserError(f"{folder} takes inputs of shape {shape}, not square colour images")
        if side is not None and image_size not in (None, side):
            raise UserError(f"{folder} takes images of {side} pixels, not of image_size={image_size}")
        model = super().build(
            name, num_classes=num_classes, image_size=side or image_size, network=network, preset=folder, **options
        )
        if num_classes is not None and any(part.learns_otherwise for part in parts(model)):
            raise UserError(
                f"{folder} has BatchNorm or dropout, which {name} has in inference mode alone: attacks go through it, "
                "training does not; take a network of Keras Applications (keras_...), or for an audit attacks that "
                "train no student of the attacker's (config.attack.suite)"
            )
        return model


def parts(model) -> list[Part]:
    """The layers that KerasHub's network consists of; none in other networks."""
    return [layer for layer in model.layers if isinstance(layer, Part)]


def restore(model) -> None:
    """Gives the model the weights of its preset."""
    for part in parts(model):
        part.restore()


def _hub_layers(images, stages, *, network, preset):
    x = layers.normalize(images, **hub_presets.read_normalization(preset))
    ending_stages, rest = hub_stages.parts(network)
    for number, part in enumerate(ending_stages, 1):
        x = stages(Part(part, name=f"part{number}")(x))
    return Part(rest, name="rest")(x) if rest else x


HUB = {NAME: Hub(_hub_layers)}
