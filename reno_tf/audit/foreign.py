"""A model that was made elsewhere, as its file describes it."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from reno_tf.audit.outputs import EXACT, as_floats
from reno_tf.errors import UserError, one_line
from reno_tf.models.kernels import WeightArray

_LONGEST_SIDE = 4096  # pixels of an input; more is a mistake, or meant to fill the memory


@dataclasses.dataclass(frozen=True)
class Foreign:
    """A classifier as its file describes it."""

    call: Callable  # images [B, H, W, 3] in its own range -> scores [B, outputs], of whatever kind
    format: str  # "SavedModel", "Keras 2", "Keras 3", "TFLite", "ONNX", or the name of a caller's own function
    height: int | None  # of its input in pixels, None where it takes any
    width: int | None
    num_outputs: int  # 1 stands for two classes
    integers: bool = False  # whether it takes whole numbers, as an image file has them
    near: float = EXACT  # how closely its probabilities add up to 1
    limits: tuple[float, float] | None = None  # the least and the most that its input can hold, if that says its range
    can_only_be_asked: bool = False  # whether it gives no gradient
    layers: tuple[str, ...] = ()  # the names of the layers that say what it is: "EfficientNetB0", "Rescaling"
    read_weights: Callable[[], Sequence[WeightArray]] | None = None  # in the order of their use; None: it shows none

    @property
    def num_classes(self) -> int:
        return max(self.num_outputs, 2)

    def answer(self, images) -> tuple[np.ndarray, float]:
        """Scores, float32 [B, outputs], for images [B, H, W, 3] in its own range.

        Also how closely probabilities of their type add up to 1. Raises UserError if it fails.
        """
        try:
            return as_floats(self.call(tf.constant(images, tf.float32)))
        except Exception as error:  # Whatever its file, or a caller's function, raises.
            size = "x".join(map(str, images.shape[1:3]))
            raise UserError(f"the model does not answer images of {size} pixels: {one_line(error)}") from error


def make_foreign(call, input_shape, output, path, **fields) -> Foreign:
    """The model that gives what `output` specifies, [images, classes], for images of that shape [B, H, W, 3].

    Where B is a number, it is called with so many at once, and gradients still pass. Raises UserError unless the shapes
    are those of a classifier of colour images. **fields: those of `Foreign`.
    """
    check_shapes(input_shape, output.shape, path)
    fields |= {"height": input_shape[1], "width": input_shape[2], "num_outputs": int(output.shape[-1])}
    return Foreign(call=_in_batches(call, input_shape[0], output), **fields)


def _in_batches(call, size, output):
    """As `call`, for any number of images, where it takes `size` at once; None: any."""
    if size is None:
        return call
    scores = tf.TensorSpec([size, output.shape[-1]], output.dtype)

    def call_all(images):
        count, sides = images.shape[0] or tf.shape(images)[0], tf.shape(images)[1:]
        filled = tf.concat([images, tf.repeat(images[-1:], -count % size, axis=0)], axis=0)
        parts = tf.reshape(filled, tf.concat([[-1, size], sides], axis=0))
        answers = tf.map_fn(call, parts, fn_output_signature=scores)
        return tf.reshape(answers, [-1, output.shape[-1]])[:count]

    return call_all


def check_shapes(input_shape, output_shape, path) -> None:
    """Raises UserError unless they are those of a classifier of colour images."""
    if tf.TensorShape(input_shape).rank is None:
        raise UserError(f"{path} takes inputs of unknown shape; export it for images [None, height, width, 3]")
    if len(input_shape) != 4 or input_shape[-1] != 3:
        raise UserError(f"{path} takes inputs of shape {tuple(input_shape)}, not colour images [B, H, W, 3]")
    if any(side and side > _LONGEST_SIDE for side in input_shape[1:3]):
        raise UserError(f"{path} takes images of {input_shape[1]}x{input_shape[2]} pixels, more than {_LONGEST_SIDE}")
    if not output_shape[-1]:
        raise UserError(f"{path} gives outputs of shape {tuple(output_shape)}, not scores of a known number of classes")
