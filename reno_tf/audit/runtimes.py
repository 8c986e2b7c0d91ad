"""Models that can only be asked, as TFLite's and ONNX's runtimes and any function: answers, and no gradients."""

import numpy as np
import tensorflow as tf

from reno_tf.audit.foreign import Foreign, check_shapes


def from_function(function, *, name: str, size: tuple[int, int], num_outputs: int) -> Foreign:
    """The model that a function answers for: images, float32 [B, H, W, 3] in NumPy -> scores [B, num_outputs].

    size: (H, W) in pixels. name: what reports call it.
    """
    return answering(
        lambda images: np.asarray(function(images)), [None, *size, 3], [None, num_outputs], name, format=name
    )


def answering(ask, input_shape, output_shape, path, **fields) -> Foreign:
    """The model that `ask` answers for: images [B, H, W, 3] in NumPy -> scores [B, outputs].

    Where the first of `input_shape` is a number, it is asked about so many at once. Raises UserError unless the shapes
    are those of a classifier of colour images. **fields: those of `Foreign`.
    """
    check_shapes(input_shape, output_shape, path)
    width, ask_all = output_shape[1], _in_batches(ask, input_shape[0])

    def answer(images):
        scores = np.asarray(ask_all(images), np.float32)
        if scores.shape != (len(images), width):
            wanted = f"scores [{len(images)}, {width}]"
            raise ValueError(f"it gives numbers of shape {list(scores.shape)}, not {wanted}")
        return scores

    def call(images):
        return tf.ensure_shape(tf.numpy_function(answer, [images], tf.float32), [images.shape[0], width])

    fields |= {"height": input_shape[1], "width": input_shape[2], "num_outputs": width, "can_only_be_asked": True}
    return Foreign(call=call, **fields)


def _in_batches(ask, size):
    """As `ask`, for any number of images, where it takes `size` at once; None: any."""
    if size is None:
        return ask

    def ask_all(images):
        padded = np.concatenate([images, np.repeat(images[-1:], -len(images) % size, axis=0)])
        answers = [ask(padded[start : start + size]) for start in range(0, len(padded), size)]
        return np.concatenate(answers)[: len(images)]

    return ask_all
