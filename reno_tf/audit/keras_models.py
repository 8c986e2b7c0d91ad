"""Opens what Keras 2 and Keras 3 wrote, a .keras or .h5 file, once it is looked through."""

import tensorflow as tf

from reno_tf.audit import outputs, safety
from reno_tf.audit.foreign import Foreign, described
from reno_tf.errors import UserError, one_line


def open_keras(path: str, scores: str | None) -> Foreign:
    """See `open_model`."""
    safety.check_keras(path)
    model, version = _load(path)
    inputs = model.inputs or []
    if len(inputs) != 1:
        raise UserError(f"{path} takes {len(inputs)} inputs, not one batch of images")
    shape = inputs[0].shape
    run = tf.function(lambda images: model(images, training=False), input_signature=[tf.TensorSpec(shape)])
    try:
        given = run.get_concrete_function().structured_outputs
    except Exception as error:  # Whatever its layers raise.
        raise UserError(f"{path} cannot be run: {one_line(error)}") from None

    def call(images):
        return outputs.only_scores(run(images), scores, path)

    found = outputs.only_scores(given, scores, path)
    return described(call, shape, found, path, format=version, layers=_telling(model))


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


def _load(path):
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
