"""Opens a .keras or .h5 file of Keras 2 or Keras 3, after checking what it holds."""

import numpy as np
import tensorflow as tf

from reno_tf.audit import outputs, safety
from reno_tf.audit.foreign import Foreign, make_foreign
from reno_tf.errors import UserError, one_line
from reno_tf.models.kernels import WeightArray


def open_keras(path: str, scores: str | None) -> Foreign:
    """See `open_model`."""
    needs_hub = safety.check_keras(path)
    model, version = _load(path, (3,) if needs_hub else (2, 3))
    return as_foreign(model, version, path, scores)


def as_foreign(model, version: str, path: str, scores: str | None) -> Foreign:
    """The classifier that a Keras model is. version: what its format is called. Raises UserError if it is none."""
    inputs = model.inputs or []
    if len(inputs) != 1:
        raise UserError(f"{path} takes {len(inputs)} inputs, not one batch of images")
    shape = inputs[0].shape

    # Inlined into an attack's loop, its Rescaling and the audit's own make a cycle in TensorFlow's optimizer.
    @tf.function(input_signature=[tf.TensorSpec(shape)], experimental_attributes={"_noinline": True})
    def run(images):
        return model(images, training=False)

    try:
        model_outputs = run.get_concrete_function().structured_outputs
    except Exception as error:  # Whatever its layers raise.
        raise UserError(f"{path} cannot be run: {one_line(error)}") from None

    def call(images):
        return outputs.only_scores(run(images), scores, path)

    output = outputs.only_scores(model_outputs, scores, path)
    reads = {"layers": _telling_layers(model), "read_weights": lambda: read_model(model)}
    return make_foreign(call, shape, output, path, format=version, **reads)


def read_model(model) -> list[WeightArray]:
    """The weights of a model of either Keras, layer by layer in its order, also of the models inside of it."""
    arrays = []
    for layer in model.layers:
        if hasattr(layer, "layers"):
            arrays += read_model(layer)
            continue
        for weight in layer.weights:
            parameter = weight.name.removesuffix(":0").rpartition("/")[2]
            arrays.append(WeightArray(f"{layer.name}/{parameter}", np.asarray(weight)))
    return arrays


def _telling_layers(model) -> tuple[str, ...]:
    """The names of the networks inside of it, and of what prepares its images."""
    prepares = ("Rescaling", "Normalization", "Resizing", "CenterCrop")
    names = []
    for layer in model.layers:
        if hasattr(layer, "layers"):
            names += [layer.name, *_telling_layers(layer)]
        elif type(layer).__name__ in prepares or type(layer).__name__.startswith("Random"):
            names.append(type(layer).__name__)
    return tuple(names)


def _load(path, versions):
    import keras
    import tf_keras

    reasons, libraries = [], {2: tf_keras, 3: keras}
    for version in versions:
        library = libraries[version]
        try:
            model = library.models.load_model(path, compile=False)
        except Exception as error:  # Each raises its own kinds for the other's files.
            reasons.append(f"{library.__name__}: {one_line(error)}")
        else:
            if isinstance(model, library.Model):
                return model, f"Keras {version}"
            reasons.append(f"{library.__name__}: it is not a model, but a {type(model).__name__}")
    raise UserError(f"{path} cannot be opened ({'; '.join(reasons)})")
