"""Opens models of Keras 2, Keras 3 and TensorFlow without running Python code of theirs."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from reno_tf.audit import safety
from reno_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Foreign:
    """A classifier as its file describes it."""

    call: Callable  # images [B, H, W, 3] in its own range -> scores [B, classes]
    height: int | None  # of its input in pixels, None where it takes any
    width: int | None
    num_classes: int
    integers: bool = False  # whether it takes whole numbers, as an image file has them


def open_model(path: str, *, trust: bool = False) -> Foreign:
    """Opens a SavedModel folder, or a .keras or .h5 file of Keras 2 or 3, after it was looked through.

    `trust`: a SavedModel may also do more than compute. Raises UserError if it is none of these, names what is not
    Keras's, runs an operation that does more than compute, or is no classifier of colour images.
    """
    if not Path(path).exists():
        raise UserError(f"there is no model {path}")
    if Path(path).is_dir():
        if not trust:
            safety.check_saved_model(path)
        return _open_saved_model(path)
    if Path(path).suffix not in (".keras", ".h5", ".hdf5"):
        raise UserError(f"{path} must be a SavedModel folder, or a file .keras or .h5")
    safety.check_keras(path)
    model = _load_keras(path)
    inputs = model.inputs or []
    if len(inputs) != 1:
        raise UserError(f"{path} takes {len(inputs)} inputs, not one batch of images")
    shape = inputs[0].shape
    trace = tf.function(lambda images: model(images, training=False), input_signature=[tf.TensorSpec(shape)])
    try:
        outputs = trace.get_concrete_function().structured_outputs
    except Exception as error:  # Whatever its layers raise.
        raise UserError(f"{path} cannot be run: {_one_line(error)}") from None
    scores = _only_scores(outputs, path)
    return _foreign(lambda images: _only_scores(model(images, training=False), path), shape, scores.shape, path)


def _load_keras(path):
    import keras
    import tf_keras

    reasons = []
    for library in (tf_keras, keras):
        try:
            model = library.models.load_model(path, compile=False)
        except Exception as error:  # Each raises its own kinds for the other's files.
            reasons.append(f"{library.__name__}: {_one_line(error)}")
        else:
            if isinstance(model, library.Model):
                return model
            reasons.append(f"{library.__name__}: it is no model, but a {type(model).__name__}")
    raise UserError(f"{path} cannot be opened ({'; '.join(reasons)})")


def _one_line(error):
    return " ".join(str(error).split())[:200] or type(error).__name__


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
    if unknown := [name for name, value in outputs.items() if value.shape.rank is None]:
        raise UserError(f"{path} gives {unknown[0]!r} in no known shape; export it with one, [None, classes]")
    scores = {name: value for name, value in outputs.items() if value.shape.rank == 2}
    if "logits" not in scores and len(scores) != 1:
        raise UserError(f"{path} gives {len(scores)} outputs of rank 2 and none is named logits: which are the scores?")
    return scores.get("logits", next(iter(scores.values())))


def _foreign(call, input_shape, output_shape, path) -> Foreign:
    if tf.TensorShape(input_shape).rank is None:
        raise UserError(f"{path} takes inputs of no known shape; export it for images [None, height, width, 3]")
    if len(input_shape) == 4 and input_shape[0] is not None:
        raise UserError(f"{path} takes batches of {input_shape[0]} alone; export it for batches of any size")
    if len(input_shape) != 4 or input_shape[-1] != 3:
        raise UserError(f"{path} takes inputs of shape {tuple(input_shape)}, not colour images [B, H, W, 3]")
    if not output_shape[-1] or output_shape[-1] < 2:
        raise UserError(f"{path} gives outputs of shape {tuple(output_shape)}, not scores of two classes or more")
    return Foreign(call, input_shape[1], input_shape[2], int(output_shape[-1]))
