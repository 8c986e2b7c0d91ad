"""Opens a TensorFlow.js layers model as the Keras 2 model that it describes."""

import contextlib
import json

import tensorflow as tf

from reno_tf.audit import safety, tfjs_files
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.keras_models import as_foreign
from reno_tf.errors import UserError, one_line

_SPARE = 1000  # numbers, of layers that draw at random


def open_tfjs(path: str, scores: str | None) -> Foreign:
    """See `open_model`. `path`: the folder, its model.json, or the module of one."""
    described = tfjs_files.describe(tfjs_files.find_description(path))
    safety.check_config(described.topology, str(described.file))
    weights = tfjs_files.read_weights(described)
    model = _build(described.topology, sum(values.size for values in weights.values()), described.file)
    _fill(model, weights, described.file)
    return as_foreign(model, "TensorFlow.js", path, scores)


def _build(topology, num_weights, file):
    """The model, of as many weights as there are."""
    import tf_keras

    try:
        with _at_most(num_weights + _SPARE, file):
            model = tf_keras.models.model_from_json(json.dumps(topology), {"relu6": tf.nn.relu6})
    except UserError:
        raise
    except Exception as error:  # Whatever its layers raise.
        raise UserError(f"{file} cannot be opened: {one_line(error)}") from None
    if not isinstance(model, tf_keras.Model):
        raise UserError(f"{file} is not a model, but a {type(model).__name__}")
    return model


def _at_most(limit, file) -> contextlib.AbstractContextManager:
    """Within it, variables of at most `limit` numbers are made: what only claims its size takes no memory."""
    made = 0

    def create(make, **options):
        nonlocal made
        made += tf.TensorShape(options.get("shape") or []).num_elements()
        if made > limit:
            raise UserError(f"{file} describes layers with more weights than its files hold")
        return make(**options)

    return tf.variable_creator_scope(create)


def _fill(model, weights, file):
    """Puts the weights into the variables that they are named after. Raises UserError unless they are the same."""
    variables = {variable.name.removesuffix(":0"): variable for variable in model.variables}
    if len(variables) < len(model.variables):
        raise UserError(f"{file} has two layers of one name, whose weights cannot be told apart")
    named = {name if name in variables else _without_cell(name): values for name, values in weights.items()}
    wanted = {name for name, variable in variables.items() if variable.dtype.is_floating or name in named}
    if differing := sorted(wanted ^ named.keys()):
        title = "has no weights" if differing[0] in wanted else "has weights of no layer"
        raise UserError(f"{file} {title}: {differing[0][:80]!r}")
    for name in wanted:
        if variables[name].shape != named[name].shape:
            shapes = f"{list(named[name].shape)}, and its layer wants {list(variables[name].shape)}"
            raise UserError(f"{file} has the weights {name[:80]!r} of shape {shapes}")
        variables[name].assign(tf.cast(named[name], variables[name].dtype))


def _without_cell(name) -> str:
    """layer/cell/weight -> layer/weight, as TensorFlow.js reads it too."""
    parts = name.split("/")
    return "/".join([*parts[:-2], parts[-1]])
