"""A student as files for devices: .tflite and .onnx."""

import contextlib
import io
import logging
import os
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from reno_tf import compat
from reno_tf.errors import UserError, one_line

FORMS = ("float16", "int8_weights", "int8")  # of .tflite files
_CALIBRATED = 200  # images that give the ranges of an "int8" file's feature maps
_OPSET = 17  # of 2022: what runtimes on devices have


def to_tflite(saved_model: Path, images: np.ndarray) -> dict[str, bytes]:
    """{one of `FORMS`: a file} of a SavedModel of `serving.write_saved_model`.

    Each takes one image, float32 [1, H, W, 3] in [0, 1], and gives its probabilities [1, classes]. "float16" keeps its
    weights so, "int8_weights" in 8 bits; "int8" also computes in 8 bits, with the ranges that `images`, training images
    [N, H, W, 3], have. Raises UserError if TensorFlow cannot convert it.
    """
    model, answer = _answering(saved_model, batch=1)

    def converted(**settings):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([answer], model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        for name, value in settings.get("target", {}).items():
            setattr(converter.target_spec, name, value)
        converter.representative_dataset = settings.get("images")
        unheard = io.StringIO()
        with compat.quiet_native_logs(), contextlib.redirect_stdout(unheard), contextlib.redirect_stderr(unheard):
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
        raise _cannot_be_converted(saved_model, error) from None


def to_onnx(saved_model: Path) -> bytes:
    """The same SavedModel as ONNX: `images`, float32 [B, H, W, 3] in [0, 1] -> `probabilities`, float32 [B, classes].

    Raises UserError if tf2onnx is not installed, or cannot convert it.
    """
    try:
        import onnx
        import tf2onnx
    except ImportError:
        raise UserError("--format=onnx needs tf2onnx: pip install 'reno-tf[onnx]'") from None
    # `model` is held: its function does not keep the variables.
    model, answer = _answering(saved_model, batch=None)
    frozen = convert_variables_to_constants_v2(answer)  # tf2onnx's own leaves the names of the classes as an input.
    (images,), (probabilities,) = frozen.inputs, frozen.outputs
    try:
        with _quiet("tensorflow", "tf2onnx"):
            converted, _ = tf2onnx.convert.from_graph_def(
                frozen.graph.as_graph_def(),
                input_names=[images.name],
                output_names=[probabilities.name],
                tensors_to_rename={images.name: "images", probabilities.name: "probabilities"},
                opset=_OPSET,
            )
        onnx.checker.check_model(converted)  # tf2onnx leaves in what it cannot convert.
    except Exception as error:  # It raises a class of its own for each kind of trouble.
        raise _cannot_be_converted(saved_model, error) from None
    return converted.SerializeToString()


@contextlib.contextmanager
def _quiet(*names):
    """Loggers of these names say nothing; the environment, by which tf2onnx silences TensorFlow, stays as it was."""
    loggers, environment = [logging.getLogger(name) for name in names], dict(os.environ)
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        os.environ.update(environment)


def _answering(saved_model, *, batch):
    """The loaded model, and images -> probabilities as a concrete function."""
    model = tf.saved_model.load(str(saved_model))
    shape = model.signatures["floats"].structured_input_signature[1]["images"].shape

    @tf.function(input_signature=[tf.TensorSpec([batch, *shape[1:]], tf.float32, name="images")])
    def answer(images):
        return {"probabilities": model.signatures["floats"](images=images)["probabilities"]}

    return model, answer.get_concrete_function()


def _cannot_be_converted(saved_model, error):
    return UserError(f"{saved_model} cannot be converted: {one_line(error)}")
