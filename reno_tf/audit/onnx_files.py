"""Opens a .onnx, and lists the files in which it keeps its weights."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError, Message

from reno_tf import archives
from reno_tf.audit import outputs
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.onnx_weights import read_onnx
from reno_tf.audit.outputs import COARSE, EXACT
from reno_tf.audit.runtimes import answering
from reno_tf.errors import UserError, one_line

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


def open_onnx(path: str, scores: str | None) -> Foreign:
    """See `open_model`. Its images are [B, 3, H, W] or [B, H, W, 3]. Raises UserError if it is damaged or not a
    classifier of images, or if a file that it keeps weights in is missing or lies outside of its folder.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{path} needs ONNX Runtime: pip install 'reno-tf[onnx]'") from None
    for file in files_beside(path).values():
        archives.refuse_stand_in(file)
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # It raises a class of its own for each kind of damage.
        raise UserError(f"{path} cannot be opened: {one_line(error)}") from None
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise UserError(f"{path} takes {', '.join(one.name for one in inputs)}, not one batch of images")
    (taken,), output = inputs, _scores(session, scores, path)
    if taken.type not in _TYPES:
        raise UserError(f"{path} takes {taken.type}; allowed are {', '.join(_TYPES)}")
    shape = [side if isinstance(side, int) else None for side in taken.shape]
    channels_first, kind = len(shape) == 4 and shape[1] == 3 and shape[3] != 3, _TYPES[taken.type]

    def ask(images):
        images = images.transpose(0, 3, 1, 2) if channels_first else images
        images = np.round(images).astype(kind) if kind is np.uint8 else images.astype(kind)
        return session.run([output.name], {taken.name: np.ascontiguousarray(images)})[0].astype(np.float32)

    seen = [shape[0], *shape[2:], shape[1]] if channels_first else shape
    width = output.shape[1] if isinstance(output.shape[1], int) else None
    near = COARSE if output.type == "tensor(float16)" else EXACT
    fields = {"near": near, "integers": kind is np.uint8, "read_weights": lambda: read_onnx(path)}
    return answering(ask, seen, [None, width], path, format="ONNX", **fields)


def _scores(session, wanted, path):
    """What the runtime says about the output that has the scores."""
    named = {one.name: one for one in session.get_outputs()}
    ranks = {name: len(one.shape) for name, one in named.items() if one.type in _TYPES}
    return named[outputs.name_of_scores(ranks, named.keys() - ranks.keys(), wanted, path)]


def files_beside(path: str) -> dict[str, Path]:
    """The files that the model keeps weights in, by the names that it uses for them.

    Raises UserError if it is damaged, or names one that is missing or lies outside of its folder.
    """
    try:
        import onnx
    except ImportError:
        raise UserError(f"{path} needs ONNX: pip install 'reno-tf[onnx]'") from None
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise UserError(f"{path} cannot be opened: {one_line(error)}") from None
    named = {
        entry.value for tensor in _tensors_outside(model) for entry in tensor.external_data if entry.key == "location"
    }
    return {name: _inside(Path(path), name) for name in sorted(named)}


def _tensors_outside(message) -> Iterator:
    """Every tensor, however deep in the model, whose numbers lie in another file."""
    if message.DESCRIPTOR.name == "TensorProto":
        if message.data_location == message.EXTERNAL:
            yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if isinstance(value, Message) else value:
                yield from _tensors_outside(inner)


def _inside(path, name) -> Path:
    if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name):
        raise UserError(f"{path} keeps weights in {name!r}, outside of its folder")
    if not (path.parent / name).is_file():
        raise UserError(f"{path} keeps weights in {name!r}, which is not beside it")
    return path.parent / name
