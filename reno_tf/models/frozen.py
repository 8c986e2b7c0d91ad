"""A trained backbone as plain operations: BatchNorm folded, no dropout, in float32 or bfloat16."""

import numpy as np
import tensorflow as tf
import tf_keras

from reno_tf.errors import UserError
from reno_tf.models import frozen_layers, graph

_PROBE = (2, 96, 96, 3)  # Of images on which the folded features are compared with the model's own.
_TOLERANCE = 1e-4  # of the features' root mean square


def freeze(model, outputs, *, precision: str = "float32"):
    """What `model` computes in inference mode with the weights it has now, as fast as it goes.

    Layers that `outputs` do not need are left out, dropout too; an inference-mode BatchNorm is
    folded into the convolution before it where nothing else reads that convolution's output.

    Args:
      model: a functional Keras model images [B, H, W, 3] in [0, 1] -> dictionary. Any other
        callable is called as it is.
      outputs: names in that dictionary.
      precision: "float32" (the model's own type), or "bfloat16" for weights and feature maps.
        Up to the first convolution, and in global pools, it stays the model's own.

    Returns:
      images -> {name: features in the model's own type, float32}.

    Raises:
      UserError: the folded features are off by more than 1e-4 of their root mean square.
    """
    if not isinstance(model, tf_keras.Model):
        return model
    if not getattr(model, "_is_graph_network", False) or not isinstance(model.output, dict):
        return lambda images: model(images, training=False)
    frozen = _Frozen(model, outputs)
    _check(model, frozen)
    return frozen.cast(tf.bfloat16) if precision == "bfloat16" else frozen


class _Frozen:
    """The calls that lead to the outputs, each with the operation that takes its layer's place."""

    def __init__(self, model, outputs):
        self._input, self._outputs = model.input, {name: model.output[name] for name in outputs}
        self._dtype = self._compute_dtype = model.input.dtype
        calls = _needed(graph.nodes(model), self._outputs.values())
        norms = _foldable(calls, self._outputs.values())
        folded = {id(norm) for norm in norms.values()}
        self._steps = [
            (call, frozen_layers.identity if id(call) in folded else _operation(call, norms.get(id(call))))
            for call in calls
        ]

    def cast(self, dtype):
        self._compute_dtype = dtype
        return self

    def __call__(self, images):
        tensors = {str(id(self._input)): _Source(tf.cast(images, self._dtype))}
        for call, operation in self._steps:
            arguments, keywords = call.map_arguments(tensors)
            tensors[str(id(call.outputs))] = _Source(operation(self._compute_dtype, *arguments, **keywords))
        return {name: tf.cast(tensors[str(id(tensor))].pop(), self._dtype) for name, tensor in self._outputs.items()}


class _Source:
    """Keras's `map_arguments` pops each tensor that it reads: here as often as one likes."""

    def __init__(self, tensor):
        self.pop = lambda: tensor


def _needed(calls, outputs):
    """Those of the calls that the outputs depend on, in order."""
    wanted, needed = {id(tensor) for tensor in outputs}, []
    for call in reversed(calls):
        if id(call.outputs) in wanted:
            needed.append(call)
            wanted |= {id(tensor) for tensor in call.keras_inputs}
    return needed[::-1]


def _foldable(calls, outputs):
    """{id of a convolution's call: the BatchNorm's call that alone reads its output}."""
    readers = {}
    for call in calls:
        for tensor in call.keras_inputs:
            readers.setdefault(id(tensor), []).append(call)
    kept = {id(tensor) for tensor in outputs}
    return {
        id(call): readers[id(call.outputs)][0]
        for call in calls
        if id(call.outputs) not in kept
        and len(readers[id(call.outputs)]) == 1
        and frozen_layers.folds(call.layer, readers[id(call.outputs)][0].layer)
    }


def _operation(call, norm):
    return frozen_layers.operation(call.layer, None if norm is None else norm.layer)


def _check(model, frozen):
    shape = [given or probe for given, probe in zip(model.input.shape, _PROBE, strict=True)]
    images = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    expected = model(images, training=False)
    for name, features in frozen(images).items():
        error = np.max(np.abs(features - expected[name]))
        if not error <= _TOLERANCE * np.sqrt(np.mean(np.square(expected[name]))):
            raise UserError(f"{model.name} cannot be frozen: its folded {name} features are off by {error:.1e}")
