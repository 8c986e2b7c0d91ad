"""Opens models of Keras 2, Keras 3 and TensorFlow without running Python code of theirs."""

from pathlib import Path

import tensorflow as tf

from reno_tf.audit import runtimes, safety
from reno_tf.audit.foreign import Foreign, check_shapes
from reno_tf.errors import UserError, choose, one_line


def open_model(path: str, *, trust: bool = False, scores: str | None = None) -> Foreign:
    """Opens a SavedModel folder, a .keras or .h5 file of Keras 2 or 3, a .tflite or a .onnx.

    A SavedModel and what Keras wrote are looked through before.
    `trust`: a SavedModel may also do more than compute. `scores`: which of several outputs has the scores. Raises
    UserError if it is none of these, names what is not Keras's, runs an operation that does more than compute, or is no
    classifier of colour images.
    """
    if not Path(path).exists():
        raise UserError(f"there is no model {path}")
    if Path(path).is_dir():
        if not trust:
            safety.check_saved_model(path)
        return _open_saved_model(path, scores)
    if asked := {".tflite": runtimes.open_tflite, ".onnx": runtimes.open_onnx}.get(Path(path).suffix):
        return asked(path)
    if Path(path).suffix not in (".keras", ".h5", ".hdf5"):
        raise UserError(f"{path} must be a SavedModel folder, or a file .keras, .h5, .tflite or .onnx")
    safety.check_keras(path)
    model, version = _load_keras(path)
    inputs = model.inputs or []
    if len(inputs) != 1:
        raise UserError(f"{path} takes {len(inputs)} inputs, not one batch of images")
    shape = inputs[0].shape
    run = tf.function(lambda images: model(images, training=False), input_signature=[tf.TensorSpec(shape)])
    try:
        outputs = run.get_concrete_function().structured_outputs
    except Exception as error:  # Whatever its layers raise.
        raise UserError(f"{path} cannot be run: {one_line(error)}") from None

    def call(images):
        return _only_scores(run(images), scores, path)

    found = _only_scores(outputs, scores, path).shape
    return _foreign(call, shape, found, path, format=version, layers=_telling(model))


def _telling(model) -> tuple[str, ...]:
    """The networks inside of it, and what prepares its images."""
    prepares = ("Rescaling", "Normalization", "Resizing", "CenterCrop")
    told = []
    for layer in model.layers:
        if hasattr(layer, "layers"):
            told += [layer.name, *_telling(layer)]
        elif type(layer).__name__ in prepares or type(layer).__name__.startswith("Random"):
            told.append(type(layer).__name__)
    return tuple(told)


def _load_keras(path):
    import keras
    import tf_keras

    reasons = []
    for version, library in (("Keras 2", tf_keras), ("Keras 3", keras)):
        try:
            model = library.models.load_model(path, compile=False)
        except Exception as error:  # Each raises its own kinds for the other's files.
            reasons.append(f"{library.__name__}: {one_line(error)}")
        else:
            if isinstance(model, library.Model):
                return model, version
            reasons.append(f"{library.__name__}: it is no model, but a {type(model).__name__}")
    raise UserError(f"{path} cannot be opened ({'; '.join(reasons)})")


def _open_saved_model(path, scores):
    try:
        loaded = _load_saved_model(path)
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(f"{path} is no SavedModel: {one_line(error)}") from None
    signature = _signature(loaded.signatures, path)
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise UserError(f"{path} takes {', '.join(inputs) or 'nothing'}, not one batch of images")
    ((name, spec),) = inputs.items()

    # Inlined into an attack's loop, a loaded graph makes TensorFlow's optimizer complain.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def call(images, kept=loaded):  # `kept`: a signature does not keep its variables alive.
        taken = tf.round(images) if spec.dtype.is_integer else images
        return _only_scores(signature(**{name: tf.cast(taken, spec.dtype)}), scores, path)

    shape = _only_scores(signature.structured_outputs, scores, path).shape
    return _foreign(call, spec.shape, shape, path, format="SavedModel", integers=spec.dtype.is_integer)


def _signature(signatures, path):
    """serving_default, or the only one; where that takes encoded images, the only other one that takes numbers."""
    names = list(signatures)
    if "serving_default" not in names and len(names) != 1:
        raise UserError(f"{path} has no signature serving_default, but: {', '.join(names) or 'none'}")
    first = "serving_default" if "serving_default" in names else names[0]
    if not _takes_text(signatures[first]):
        return signatures[first]
    numbers = [name for name in names if not _takes_text(signatures[name])]
    if len(numbers) != 1:
        others = f"those that take numbers are {', '.join(numbers)}" if numbers else "no other takes numbers"
        raise UserError(f"{path}: its signature {first} takes encoded images, and {others}; export it with one")
    return signatures[numbers[0]]


def _takes_text(signature) -> bool:
    return any(spec.dtype == tf.string for spec in signature.structured_input_signature[1].values())


def _load_saved_model(path):
    try:
        return tf.saved_model.load(path)
    except ValueError as error:
        if "tags" not in str(error):
            raise
        return tf.saved_model.load(path, tags=["serve"])  # Of several graphs, the one that is made to be served.


def _only_scores(outputs, name, path):
    """The output of that name; or the logits, or else the only output of numbers of rank 2."""
    if not isinstance(outputs, dict):
        outputs = dict(enumerate(outputs)) if isinstance(outputs, (list, tuple)) else {"logits": outputs}
    outputs = {str(key): value for key, value in outputs.items()}
    if name is not None:
        return outputs[choose("config.audit.scores", name, outputs)]
    numbers = {key: value for key, value in outputs.items() if value.dtype in _FLOATS}
    if unknown := [key for key, value in numbers.items() if value.shape.rank is None]:
        raise UserError(f"{path} gives {unknown[0]!r} in no known shape; export it with one, [None, classes]")
    found = {key: value for key, value in numbers.items() if value.shape.rank == 2}
    if "logits" in found or len(found) == 1:
        return found.get("logits", next(iter(found.values())))
    if not found:
        raise UserError(f"{path} gives no output of rank 2: [images, classes]; it has {', '.join(outputs)}")
    raise UserError(
        f"{path} gives {', '.join(found)}, each of rank 2: say which has the scores, --config.audit.scores=NAME"
    )


_FLOATS = (tf.float32, tf.float64, tf.float16, tf.bfloat16)


def _foreign(call, input_shape, output_shape, path, **facts) -> Foreign:
    check_shapes(input_shape, output_shape, path)
    facts |= {"height": input_shape[1], "width": input_shape[2], "num_outputs": int(output_shape[-1])}
    return Foreign(call=call, **facts)
