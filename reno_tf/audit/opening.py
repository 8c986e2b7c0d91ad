"""Opens models of Keras 2, Keras 3 and TensorFlow without running Python code of theirs."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from reno_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Foreign:
    """A classifier as its file describes it."""

    call: Callable  # images [B, H, W, 3] in its own range -> scores [B, classes]
    height: int | None  # of its input in pixels, None where it takes any
    width: int | None
    num_classes: int
    integers: bool = False  # whether it takes whole numbers, as an image file has them


def open_model(path: str) -> Foreign:
    """Opens a SavedModel folder, or a .keras or .h5 file of Keras 2 or 3, and refuses Python code in a file.

    Raises UserError if it is none of these, or no classifier of colour images.
    """
    if not Path(path).exists():
        raise UserError(f"there is no model {path}")
    if Path(path).is_dir():
        return _open_saved_model(path)
    if Path(path).suffix not in (".keras", ".h5", ".hdf5"):
        raise UserError(f"{path} must be a SavedModel folder, or a file .keras or .h5")
    _refuse_code(path)
    model = _load_keras(path)
    if len(model.inputs) != 1:
        raise UserError(f"{path} takes {len(model.inputs)} inputs, not one batch of images")
    shape = model.inputs[0].shape
    trace = tf.function(lambda images: model(images, training=False), input_signature=[tf.TensorSpec(shape)])
    scores = _only_scores(trace.get_concrete_function().structured_outputs, path)
    return _foreign(lambda images: _only_scores(model(images, training=False), path), shape, scores.shape, path)


def _refuse_code(path):
    """Loading a Lambda layer from HDF5, whatever the file's name, runs it; .keras is read in Keras's safe mode."""
    import h5py

    if not h5py.is_hdf5(path):
        return
    with h5py.File(path) as file:
        config = json.loads(file.attrs.get("model_config", "{}"))
    if "Lambda" in set(_class_names(config)):
        raise UserError(f"{path} holds a Lambda layer: Python code, which is not run; export it as a SavedModel")


def _class_names(config):
    if isinstance(config, dict):
        yield config.get("class_name")
    for part in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from _class_names(part)


def _load_keras(path):
    import keras
    import tf_keras

    reasons = []
    for library in (tf_keras, keras):
        try:
            return library.models.load_model(path, compile=False)
        except Exception as error:  # Each raises its own kinds for the other's files.
            reasons.append(f"{library.__name__}: {' '.join(str(error).split())[:200]}")
    raise UserError(f"{path} cannot be opened ({'; '.join(reasons)})")


def _open_saved_model(path):
    try:
        loaded = tf.saved_model.load(path)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise UserError(f"{path} is no SavedModel: {str(error).splitlines()[0]}") from None
    names = list(loaded.signatures)
    if "serving_default" not in names and len(names) != 1:
        raise UserError(f"{path} has no signature serving_default, but: {', '.join(names) or 'none'}")
    signature = loaded.signatures["serving_default" if "serving_default" in names else names[0]]
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise UserError(f"{path} takes {', '.join(inputs) or 'nothing'}, not one batch of images")
    ((name, spec),) = inputs.items()

    # Inlined into an attack's loop, a loaded graph makes TensorFlow's optimizer complain.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def call(images, kept=loaded):  # `kept`: a signature does not keep its variables alive.
        taken = tf.round(images) if spec.dtype.is_integer else images
        return _only_scores(signature(**{name: tf.cast(taken, spec.dtype)}), path)

    opened = _foreign(call, spec.shape, _only_scores(signature.structured_outputs, path).shape, path)
    return dataclasses.replace(opened, integers=spec.dtype.is_integer)


def _only_scores(outputs, path):
    """The logits, or else the only output of rank 2."""
    if not isinstance(outputs, dict):
        outputs = dict(enumerate(outputs)) if isinstance(outputs, (list, tuple)) else {"logits": outputs}
    scores = {name: value for name, value in outputs.items() if len(value.shape) == 2}
    if "logits" not in scores and len(scores) != 1:
        raise UserError(f"{path} gives {len(scores)} outputs of rank 2 and none is named logits: which are the scores?")
    return scores.get("logits", next(iter(scores.values())))


def _foreign(call, input_shape, output_shape, path) -> Foreign:
    if len(input_shape) == 4 and input_shape[0] is not None:
        raise UserError(f"{path} takes batches of {input_shape[0]} alone; export it for batches of any size")
    if len(input_shape) != 4 or input_shape[-1] != 3:
        raise UserError(f"{path} takes inputs of shape {tuple(input_shape)}, not colour images [B, H, W, 3]")
    if not output_shape[-1] or output_shape[-1] < 2:
        raise UserError(f"{path} gives outputs of shape {tuple(output_shape)}, not scores of two classes or more")
    return Foreign(call, input_shape[1], input_shape[2], int(output_shape[-1]))
