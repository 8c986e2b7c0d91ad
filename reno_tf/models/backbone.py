"""What all backbones share, whatever their family: taps, head, and ways to read both."""

import binascii
import dataclasses
from collections.abc import Callable, Mapping

import tensorflow as tf
import tf_keras

from reno_tf import draws
from reno_tf.models.replicas import own_rows


class SpatialDropout2D(tf_keras.layers.SpatialDropout2D):
    """Keras's SpatialDropout2D whose mask can be a pure function of (seed, step, layer name).

    `Transfer` sets `key`, a callable without arguments that returns the int32 [2] tensor (seed, step): a
    resumed run then drops what the uninterrupted one would have dropped. Without a key it is Keras's layer.
    """

    key: Callable | None = None

    def call(self, inputs, training=None):
        if not training or self.key is None or self.rate == 0:
            return super().call(inputs, training=training)
        name_hash = binascii.crc32(self.name.encode()) >> 1
        seed = tf.random.experimental.stateless_fold_in(self.key(), name_hash, alg="philox")
        shape = tf.shape(inputs)
        # One draw per feature map: it is kept or dropped as a whole (Tompson et al., 2015).
        draw = own_rows(lambda rows: draws.uniform([rows, 1, 1, shape[3]], seed), shape[0])
        return inputs * tf.cast(draw >= self.rate, inputs.dtype) / (1 - self.rate)


class Stages:
    """Collects the tapped stages while a family connects its layers.

    Args:
      dropout: rate of SpatialDropout2D after each tapped stage; 0 adds no layer.
      tap: "before_dropout" (the paper's: a stage's output is read before its own maps are
        dropped) or "after_dropout" (an ablation).
    """

    def __init__(self, dropout: float = 0.0, tap: str = "before_dropout"):
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), not {dropout}")
        if tap not in ("before_dropout", "after_dropout"):
            raise ValueError(f'tap must be "before_dropout" or "after_dropout", not {tap!r}')
        self._dropout, self._tap, self.outputs = dropout, tap, {}

    def __call__(self, features):
        """Records `features` as the next stage, and returns the tensor that the layers after it read."""
        name = f"stage{len(self.outputs) + 1}"
        dropped = SpatialDropout2D(self._dropout, name=f"{name}_dropout")(features) if self._dropout else features
        self.outputs[name] = features if self._tap == "before_dropout" else dropped
        return dropped


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A network of one family.

    layers: (images in [0, 1], stages, **options) -> the last feature map. The function normalises the
      images, and calls `stages` on the output of each stage.
    published_names: {name of a layer here: name of its module in a published state dict}, for every layer with
      weights; one for each form in which state dicts are published, as by torchvision and by timm.
    """

    layers: Callable
    published_names: tuple[Mapping[str, str], ...] = ()

    def build(
        self, name: str, *, num_classes=None, dropout=0.0, tap="before_dropout", image_size=None, **options
    ) -> tf_keras.Model:
        """The layers, then a global average pool and a head: what `reno_tf.models.build` describes.

        Pool and head compute in float32 under any policy. `dropout` and `tap` are those of `Stages`, `options`
        those of `layers`; `image_size` is the side of the square input in pixels, or None for any.
        """
        images, stages = tf_keras.Input([image_size, image_size, 3], name="images"), Stages(dropout, tap)
        features, floatx = self.layers(images, stages, **options), tf_keras.backend.floatx()
        penultimate = tf_keras.layers.GlobalAveragePooling2D(name="penultimate", dtype=floatx)(features)
        outputs = {**stages.outputs, "penultimate": penultimate}
        if num_classes is not None:
            outputs["logits"] = tf_keras.layers.Dense(num_classes, name="head", dtype=floatx)(penultimate)
        return tf_keras.Model(images, outputs, name=name)


def stage_names(model: tf_keras.Model) -> list[str]:
    """The model's tapped stages, from the input to the output: ["stage1", ...]."""
    return sorted((name for name in model.output if name.startswith("stage")), key=lambda name: int(name[5:]))


def stage_shapes(model: tf_keras.Model) -> list[tuple[int, int, int]]:
    """Height, width and channels of each stage, for 224x224 images where the model takes any size."""
    side = model.input.shape[1] or 224
    try:
        shapes = model.compute_output_shape((None, side, side, 3))
    except NotImplementedError:  # Keras's layers for bare operations raise it, as in ConvNeXt. Tracing takes longer.
        trace = tf.function(model).get_concrete_function(tf.TensorSpec([None, side, side, 3]), training=False)
        shapes = {name: output.shape for name, output in trace.structured_outputs.items()}
    return [tuple(shapes[stage][1:]) for stage in stage_names(model)]


def head_layer(model: tf_keras.Model) -> tf_keras.layers.Layer | None:
    """The linear layer that computes the logits, or None for a bare backbone."""
    return next((layer for layer in model.layers if layer.name == "head"), None)
