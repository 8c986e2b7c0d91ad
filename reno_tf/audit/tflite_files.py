"""Opens a .tflite, of floats or of quantised numbers."""

import math

import numpy as np

from reno_tf import compat
from reno_tf.audit import outputs
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.outputs import EXACT
from reno_tf.audit.runtimes import answering
from reno_tf.audit.tflite_weights import read_tflite
from reno_tf.errors import UserError, one_line


def open_tflite(path: str, scores: str | None) -> Foreign:
    """See `open_model`. Raises UserError if it is damaged or not a classifier of images."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise UserError(f"{path} needs LiteRT: pip install 'reno-tf[tflite]'") from None
    try:
        with compat.quiet_native_logs():  # It logs which delegate it has made.
            interpreter = Interpreter(model_path=path)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(f"{path} cannot be opened: {one_line(error)}") from None
    inputs = interpreter.get_input_details()
    if len(inputs) != 1:
        raise UserError(f"{path} takes {len(inputs)} inputs, not one batch of images")
    (taken,), output = inputs, _scores(interpreter, scores, path)
    shape = [None if side < 0 else int(side) for side in taken["shape_signature"]]

    def ask(images):
        if images.shape != tuple(interpreter.get_input_details()[0]["shape"]):  # It leaves its size open.
            interpreter.resize_tensor_input(taken["index"], images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], _quantised(images, taken))
        interpreter.invoke()
        return _real(interpreter.get_tensor(output["index"]), output)

    width = int(output["shape"][1])
    near = EXACT + math.sqrt(width) * output["quantization"][0]  # One rounding of that size for each class.
    if shape:  # A file that leaves its batch open is made for one image at a time, too.
        shape[0] = shape[0] or 1
    fields = {"near": near, "limits": _limits(taken), "read_weights": lambda: read_tflite(path)}
    return answering(ask, shape, [None, width], path, format="TFLite", **fields)


def _scores(interpreter, wanted, path) -> dict:
    """What the runtime says about the output that has the scores."""
    named = _named_outputs(interpreter)
    ranks = {name: len(detail["shape"]) for name, detail in named.items() if _is_real(detail)}
    return named[outputs.name_of_scores(ranks, named.keys() - ranks.keys(), wanted, path)]


def _named_outputs(interpreter) -> dict[str, dict]:
    """The outputs by the names in the file's signature, or else by those of its tensors."""
    details = {detail["name"]: detail for detail in interpreter.get_output_details()}
    signatures = list(interpreter.get_signature_list())
    if len(signatures) != 1:
        return details
    named = interpreter.get_signature_runner(signatures[0]).get_output_details()
    return {name: details[detail["name"]] for name, detail in named.items()}


def _is_real(detail) -> bool:
    """Whether the tensor holds real numbers, as floats or quantised, and not whole ones or texts."""
    return np.dtype(detail["dtype"]).kind == "f" or bool(detail["quantization"][0])


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
