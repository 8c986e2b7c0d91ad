"""A student as .tflite files, for devices."""

import contextlib
import io
from pathlib import Path

import numpy as np
import tensorflow as tf

from reno_tf.errors import UserError

_CALIBRATED = 200  # images by which the ranges of an "int8" file's feature maps are found


def convert(saved_model: Path, images: np.ndarray) -> dict[str, bytes]:
    """{"float16", "int8_weights", "int8"} of a SavedModel of `serving.write_saved_model`.

    Each takes one image, float32 [1, H, W, 3] in [0, 1], and gives its probabilities [1, classes]. "float16" keeps its
    weights so, "int8_weights" in 8 bits; "int8" also computes in 8 bits, with the ranges that `images`, training images
    [N, H, W, 3], have. Raises UserError if TensorFlow cannot convert it.
    """
    model = tf.saved_model.load(str(saved_model))
    shape = model.signatures["floats"].structured_input_signature[1]["images"].shape

    @tf.function(input_signature=[tf.TensorSpec([1, *shape[1:]], tf.float32, name="images")])
    def answer(images):
        return {"probabilities": model.signatures["floats"](images=images)["probabilities"]}

    def converted(**settings):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([answer.get_concrete_function()], model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        for name, value in settings.get("target", {}).items():
            setattr(converter.target_spec, name, value)
        converter.representative_dataset = settings.get("images")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return converter.convert()

    def calibration():
        for image in images[:_CALIBRATED]:
            yield [image[None]]

    try:
        return {
            "float16": converted(target={"supported_types": [tf.float16]}),
            "int8_weights": converted(),
            "int8": converted(target={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]}, images=calibration),
        }
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(f"{saved_model} cannot be converted: {' '.join(str(error).split())[:200]}") from None
