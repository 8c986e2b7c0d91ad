"""Models that can only be asked: TFLite's, ONNX's, any function. They give answers, and no gradients."""

import math

import numpy as np
import tensorflow as tf

from reno_tf.audit.foreign import Foreign, check_shapes
from reno_tf.audit.outputs import COARSE, EXACT
from reno_tf.errors import UserError

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
        interpreter = Interpreter(model_path=path)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(f"{path} cannot be opened: {_one_line(error)}") from None
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1:
        raise UserError(f"{path} takes {len(inputs)} inputs, not one batch of images")
    scores = [detail for detail in outputs if len(detail["shape"]) == 2]
    if len(scores) != 1:
        raise UserError(f"{path} gives {len(scores)} outputs of rank 2, not the scores alone")
    (taken,), (given,) = inputs, scores

    def ask(images):
        answers = []
        for image in images:  # A .tflite is made for one image at a time.
            interpreter.set_tensor(taken["index"], _quantised(image[None], taken))
            interpreter.invoke()
            answers.append(_real(interpreter.get_tensor(given["index"]), given)[0])
        return np.stack(answers)

    # A batch of one is what it is made for; `ask` takes any.
    shape, width = [None, *map(int, taken["shape"][1:])], int(given["shape"][1])
    near = EXACT + math.sqrt(width) * given["quantization"][0]  # As many roundings of that size as there are classes.
    return _foreign(ask, shape, [None, width], path, format="TFLite", near=near, limits=_limits(taken))


def open_onnx(path: str) -> Foreign:
    """A .onnx of images [B, 3, H, W] or [B, H, W, 3]. Raises UserError if it is damaged or no classifier of images."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{path} needs ONNX Runtime: pip install 'reno-tf[onnx]'") from None
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # It raises a class of its own for each kind of damage.
        raise UserError(f"{path} cannot be opened: {_one_line(error)}") from None
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
    one_by_one = bool(shape) and shape[0] == 1

    def ask(images):
        images = images.transpose(0, 3, 1, 2) if channels_first else images
        images = np.round(images).astype(kind) if kind is np.uint8 else images.astype(kind)
        parts = [images[i : i + 1] for i in range(len(images))] if one_by_one else [images]
        answers = [session.run([scores[0].name], {taken.name: np.ascontiguousarray(part)})[0] for part in parts]
        return np.concatenate(answers).astype(np.float32)

    seen = [shape[0], *shape[2:], shape[1]] if channels_first else shape
    width = scores[0].shape[1] if isinstance(scores[0].shape[1], int) else None
    near = COARSE if scores[0].type == "tensor(float16)" else EXACT
    own = {"format": "ONNX", "near": near, "integers": kind is np.uint8}
    return _foreign(ask, [None, *seen[1:]], [None, width], path, **own)


def _foreign(ask, input_shape, output_shape, path, **facts) -> Foreign:
    check_shapes(input_shape, output_shape, path)
    width = output_shape[1]

    def call(images):
        scores = tf.numpy_function(lambda images: ask(images).astype(np.float32), [images], tf.float32)
        return tf.ensure_shape(scores, [images.shape[0], width])

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


def _one_line(error):
    return " ".join(str(error).split())[:200] or type(error).__name__
