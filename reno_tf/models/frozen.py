"""A trained backbone as plain operations: BatchNorm folded, no dropout, in float32 or bfloat16."""

import copy
import hashlib
import weakref

import numpy as np
import tensorflow as tf
import tf_keras

from reno_tf.errors import UserError
from reno_tf.models import frozen_layers, graph

_PROBE = (2, 96, 96, 3)  # Shape of the images on which the folded features are compared with the model's own.
_TOLERANCE = 1e-4  # of the features' root mean square
_FROZEN = weakref.WeakKeyDictionary()  # model -> (digest of its weights, its frozen form)


def freeze(network, *, precision: str = "float32"):
    """What `network` computes in inference mode with the weights it has now, as fast as it goes.

    The model is folded once for its weights: whoever freezes it again, in either precision, shares that.

    Args:
      network: a functional Keras model images [B, H, W, 3] in [0, 1] -> dictionary, or any other callable
        images -> dictionary, which is called as it is.
      precision: "float32" (the model's own type), or "bfloat16" for weights and feature maps. Up to the
        first convolution, and in global pools, the type stays the model's own.

    Returns:
      (images, names of outputs) -> {name: features in the model's own type, float32}. Layers that these
      outputs do not need are left out.

    Raises:
      UserError: the folded features are off by more than 1e-4 of their root mean square.
    """
    if not isinstance(network, tf_keras.Model):
        return lambda images, outputs: network(images)
    if not getattr(network, "_is_graph_network", False) or not isinstance(network.output, dict):
        return lambda images, outputs: network(images, training=False)
    weights = _digest(network)
    if network not in _FROZEN or _FROZEN[network][0] != weights:
        _FROZEN[network] = weights, _checked(network)
    frozen = _FROZEN[network][1]
    return frozen.cast(tf.bfloat16) if precision == "bfloat16" else frozen


class _Frozen:
    """Each call of a layer, with the operation that takes the layer's place."""

    def __init__(self, model):
        self._input, self._tensors = model.input, dict(model.output)
        self._dtype = self._compute_dtype = model.input.dtype
        calls = _needed(graph.nodes(model), self._tensors.values())
        norms = _foldable(calls, self._tensors.values())
        folded = {id(norm) for norm in norms.values()}
        self._operations = {
            id(call): frozen_layers.identity if id(call) in folded else _operation(call, norms.get(id(call)))
            for call in calls
        }
        self._calls = calls

    def cast(self, dtype):
        """The same folded weights, computing in another type."""
        other = copy.copy(self)
        other._compute_dtype = dtype
        return other

    def __call__(self, images, outputs) -> dict:
        wanted = {name: self._tensors[name] for name in outputs}
        tensors = {str(id(self._input)): _Source(tf.cast(images, self._dtype))}
        for call in _needed(self._calls, wanted.values()):
            arguments, keywords = call.map_arguments(tensors)
            result = self._operations[id(call)](self._compute_dtype, *arguments, **keywords)
            tensors[str(id(call.outputs))] = _Source(result)
        return {name: tf.cast(tensors[str(id(tensor))].pop(), self._dtype) for name, tensor in wanted.items()}


class _Source:
    """Keras's `map_arguments` pops each tensor that it reads: here as often as one likes."""

    def __init__(self, tensor):
        self.pop = lambda: tensor


def _digest(model) -> bytes:
    hasher = hashlib.sha256()
    for weight in model.weights:
        hasher.update(np.ascontiguousarray(weight.numpy()))
    return hasher.digest()


def _needed(calls, outputs):
    """The calls that the outputs depend on, in order."""
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


def _checked(model):
    frozen = _Frozen(model)
    shape = [given or probe for given, probe in zip(model.input.shape, _PROBE, strict=True)]
    images = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    expected = model(images, training=False)
    for name, features in frozen(images, list(model.output)).items():
        error = np.max(np.abs(features - expected[name]))
        if not error <= _TOLERANCE * np.sqrt(np.mean(np.square(expected[name]))):
            raise UserError(f"{model.name} cannot be frozen: its folded {name} features are off by {error:.1e}")
    return frozen
