"""Networks and objectives on which what each attack should find is known."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tf_keras

from reno_tf.attacks import Objective
from reno_tf.data import Dataset, Split
from reno_tf.evaluation import predict

SIZE, CHANNELS, NEURONS, CLASSES = 4, 5, 6, 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loss(Objective):
    """Any loss of the image itself, on the network `itself`. function: images -> [B]."""

    outputs: tuple[str, ...] = ("image",)
    function: Callable

    def loss(self, features):
        return self.function(features["image"])


def itself(images):
    return {"image": images}


def linear_teacher(seed=3):
    """images [B, 4, 4, 3] -> stage1 [B, 4, 4, 5], stage2, penultimate [B, 6], logits [B, 3]; no weight is near 0."""
    images = tf_keras.Input([SIZE, SIZE, 3])
    stage1 = tf_keras.layers.Conv2D(CHANNELS, 1, use_bias=False, name="conv1")(images)
    stage2 = tf_keras.layers.Conv2D(CHANNELS, 1, use_bias=False, name="conv2")(images)
    flat = tf_keras.layers.Flatten()(images)
    penultimate = tf_keras.layers.Dense(NEURONS, use_bias=False, name="penultimate")(flat)
    outputs = {"stage1": stage1, "stage2": stage2, "penultimate": penultimate}
    outputs["logits"] = tf_keras.layers.Dense(CLASSES, use_bias=False, name="head")(flat)
    model = tf_keras.Model(images, outputs)
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.uniform(0.2, 1.0, weight.shape) * rng.choice([-1, 1], weight.shape))
    return model


def kernel(model, output):
    """The weights that make an output: [48, units], or [3, channels] of a stage."""
    return model.output[output]._keras_history.layer.kernel.numpy().reshape(-1, model.output[output].shape[-1])


def grey_images(count=6):
    """Away from black and white by more than any ball in the tests."""
    return np.random.default_rng(4).uniform(0.3, 0.7, [count, SIZE, SIZE, 3]).astype(np.float32)


def linear_dataset(student):
    """6 training, 9 validation and 12 test images, all of which the student gets right."""
    rng = np.random.default_rng(0)

    def split(count):
        images = rng.integers(0, 256, [count, SIZE, SIZE, 3]).astype(np.uint8)
        return Split(images, predict(student, images.astype(np.float32) / 255))

    return Dataset("toy", ["a", "b", "c"], split(6), split(9), split(12))
