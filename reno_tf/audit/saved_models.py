"""Opens a SavedModel, after checking the operations that it runs."""

from pathlib import Path

import tensorflow as tf

from reno_tf import archives, files
from reno_tf.audit import outputs, safety
from reno_tf.audit.foreign import Foreign, make_foreign
from reno_tf.errors import UserError, one_line
from reno_tf.models.kernels import WeightArray


def open_saved_model(path: str, scores: str | None, *, trust: bool) -> Foreign:
    """See `open_model`."""
    for file in files.files_below(Path(path)):
        if file.suffix != ".html":  # A page about the model may be there.
            archives.refuse_stand_in(file)
    if not trust:
        safety.check_saved_model(path)
    try:
        loaded = _load(path)
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(f"{path} is not a SavedModel: {one_line(error)}") from None
    signature = _signature(loaded.signatures, path)
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise UserError(f"{path} takes {', '.join(inputs) or 'nothing'}, not one batch of images")
    ((name, spec),) = inputs.items()

    # Inlined into an attack's loop, a loaded graph makes TensorFlow's optimizer complain.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def call(images, model=loaded):  # `model`: a signature does not keep its variables alive.
        taken = tf.round(images) if spec.dtype.is_integer else images
        return outputs.only_scores(signature(**{name: tf.cast(taken, spec.dtype)}), scores, path)

    output = outputs.only_scores(signature.structured_outputs, scores, path)
    fields = {"integers": spec.dtype.is_integer, "read_weights": lambda model=loaded: _read_weights(signature)}
    return make_foreign(call, spec.shape, output, path, format="SavedModel", **fields)


def _read_weights(signature) -> list[WeightArray]:
    """The variables that the signature reads, and its graph's constants where those are kernels, by name."""
    arrays = [
        WeightArray(variable.name.removesuffix(":0"), variable.numpy())
        for variable in signature.variables
        if variable.dtype.is_floating
    ]
    graph = signature.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    for node in nodes:
        shape = node.attr["value"].tensor.tensor_shape
        if node.op == "Const" and len(shape.dim) in (1, 2, 4) and tf.as_dtype(node.attr["dtype"].type).is_floating:
            arrays.append(WeightArray(f"{node.name}/kernel", tf.make_ndarray(node.attr["value"].tensor)))
    return arrays


def _signature(signatures, path):
    """serving_default, or the only one; where that takes encoded images, the only other one that takes numbers."""
    names = list(signatures)
    if "serving_default" not in names and len(names) != 1:
        raise UserError(f"{path} has no signature serving_default; it has: {', '.join(names) or 'none'}")
    first = "serving_default" if "serving_default" in names else names[0]
    if not _takes_text(signatures[first]):
        return signatures[first]
    numbers = [name for name in names if not _takes_text(signatures[name])]
    if len(numbers) != 1:
        others = f"those that take numbers are {', '.join(numbers)}" if numbers else "no other takes numbers"
        raise UserError(f"{path}: its signature {first} takes encoded images, and {others}; export it with exactly one")
    return signatures[numbers[0]]


def _takes_text(signature) -> bool:
    return any(spec.dtype == tf.string for spec in signature.structured_input_signature[1].values())


def _load(path):
    try:
        return tf.saved_model.load(path)
    except ValueError as error:
        if "tags" not in str(error):
            raise
        return tf.saved_model.load(path, tags=["serve"])  # Of several graphs, the one that is made to be served.
