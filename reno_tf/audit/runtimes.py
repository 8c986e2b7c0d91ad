"""Models that can only be asked: TFLite's, ONNX's, any function. They give answers, and no gradients."""

import math

import numpy as np
import tensorflow as tf

from reno_tf import compat
from reno_tf.audit.foreign import Foreign, check_shapes
from reno_tf.audit.outputs import COARSE, EXACT
from reno_tf.errors import UserError, one_line

_ONNX_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


def from_function(function, *, name: str, size: tuple[int, int], num_outputs: int) -> Foreign:
    """Whatever answers: images, float32 [B, H, W, 3] as NumPy has them -> scores [B, num_outputs].

    size: (H, W) in pixels. name: what reports call it.
    """
    return _foreign(
        lambda images: np.asarray(function(images)), [None, *size, 3], [None, num_outputs], name, format=name
    )


def open_tflite(path: str) -> Foreign:
    """A .tflite, of floats or of quantised numbers. Raises UserError if it is damaged or no classifier of images."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise UserError(f"{path} needs LiteRT: pip install 'reno-tf[tflite]'") from None
    try:
        with compat.quiet_native_logs():  # It says which delegate it has made.
            interpreter = Interpreter(model_path=path)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(f"{path} cannot be opened: {one_line(error)}") from None
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1:
        raise UserError(f"{path} takes {len(inputs)} inputs, not one batch of images")
    scores = [detail for detail in outputs if len(detail["shape"]) == 2]
    if len(scores) != 1:
        raise UserError(f"{path} gives {len(scores)} outputs of rank 2, not the scores alone")
    (taken,), (given,) = inputs, scores
    shape = [None if side < 0 else int(side) for side in taken["shape_signature"]]

    def ask(images):
        if images.shape != tuple(interpreter.get_input_details()[0]["shape"]):  # It leaves its size open.
            interpreter.resize_tensor_input(taken["index"], images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], _quantised(images, taken))
        interpreter.invoke()
        return _real(interpreter.get_tensor(given["index"]), given)

    width = int(given["shape"][1])
    near = EXACT + math.sqrt(width) * given["quantization"][0]  # As many roundings of that size as there are classes.
    own = {"format": "TFLite", "near": near, "limits": _limits(taken)}
    batch = shape[0] if shape and shape[0] else 1  # What leaves its batch open is made for one image at a time, too.
    return _foreign(_in_batches(ask, batch), [None, *shape[1:]], [None, width], path, **own)


def open_onnx(path: str) -> Foreign:
    """A .onnx of images [B, 3, H, W] or [B, H, W, 3]. Raises UserError if it is damaged or no classifier of images."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{path} needs ONNX Runtime: pip install 'reno-tf[onnx]'") from None
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # It raises a class of its own for each kind of damage.
        raise UserError(f"{path} cannot be opened: {one_line(error)}") from None
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1:
        raise UserError(f"{path} takes {', '.join(one.name for one in inputs)}, not one batch of images")
    (taken,), scores = inputs, [one for one in outputs if len(one.shape) == 2 and one.type in _ONNX_TYPES]
    if len(scores) != 1:
        raise UserError(f"{path} gives {len(scores)} outputs of rank 2, not the scores alone")
    if taken.type not in _ONNX_TYPES:
        raise UserError(f"{path} takes {taken.type}; allowed are {', '.join(_ONNX_TYPES)}")
    shape = [side if isinstance(side, int) else None for side in taken.shape]
    channels_first, kind = len(shape) == 4 and shape[1] == 3 and shape[3] != 3, _ONNX_TYPES[taken.type]

    def ask(images):
        images = images.transpose(0, 3, 1, 2) if channels_first else images
        images = np.round(images).astype(kind) if kind is np.uint8 else images.astype(kind)
        return session.run([scores[0].name], {taken.name: np.ascontiguousarray(images)})[0].astype(np.float32)

    seen = [shape[0], *shape[2:], shape[1]] if channels_first else shape
    width = scores[0].shape[1] if isinstance(scores[0].shape[1], int) else None
    near = COARSE if scores[0].type == "tensor(float16)" else EXACT
    own = {"format": "ONNX", "near": near, "integers": kind is np.uint8}
    return _foreign(_in_batches(ask, seen[0] if seen else None), [None, *seen[1:]], [None, width], path, **own)


def _in_batches(ask, size):
    """As `ask`, for any number of images, where it takes `size` at once; None: any."""
    if size is None:
        return ask

    def ask_all(images):
        padded = np.concatenate([images, np.repeat(images[-1:], -len(images) % size, axis=0)])
        answers = [ask(padded[start : start + size]) for start in range(0, len(padded), size)]
        return np.concatenate(answers)[: len(images)]

    return ask_all


def _foreign(ask, input_shape, output_shape, path, **facts) -> Foreign:
    check_shapes(input_shape, output_shape, path)
    width = output_shape[1]

    def answer(images):
        scores = np.asarray(ask(images), np.float32)
        if scores.shape != (len(images), width):
            wanted = f"scores [{len(images)}, {width}]"
            raise ValueError(f"it gives numbers of shape {list(scores.shape)}, not {wanted}")
        return scores

    def call(images):
        return tf.ensure_shape(tf.numpy_function(answer, [images], tf.float32), [images.shape[0], width])

    facts |= {"height": input_shape[1], "width": input_shape[2], "num_outputs": width, "can_only_be_asked": True}
    return Foreign(call=call, **facts)


def _quantised(values, detail):
    """Real numbers as the tensor wants them."""
    kind, (scale, zero) = np.dtype(detail["dtype"]), detail["quantization"]
    if kind.kind == "f" or not scale:
        return (np.round(values) if kind.kind != "f" else values).astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(kind)


def _limits(detail):
    """The real numbers between which a quantised tensor lies."""
    kind, (scale, zero) = np.dtype(detail["dtype"]), detail["quantization"]
    if kind.kind == "f" or not scale:
        return None
    limits = np.iinfo(kind)
    return scale * (limits.min - zero), scale * (limits.max - zero)


def _real(values, detail):
    scale, zero = detail["quantization"]
    return scale * (values.astype(np.float32) - zero) if scale else values.astype(np.float32)
