"""A trained backbone as plain operations: BatchNorm folded, no dropout, in float32 or bfloat16."""

import copy
import hashlib
import weakref

import numpy as np
import tensorflow as tf
import tf_keras

from reno_tf import hardware
from reno_tf.errors import UserError
from reno_tf.models import frozen_layers, graph

_PROBE = (2, 96, 96, 3)  # Shape of the images on which the folded features are compared with the model's own.
_TOLERANCE = 1e-4  # of the features' root mean square
_FROZEN = weakref.WeakKeyDictionary()  # model -> (digest of its weights, its frozen form)


def freeze(network, *, precision: str = "float32"):
    """What `network` computes in inference mode with the weights it has now, as fast as possible.

    The model is folded once for its weights: freezing it again, in either precision, shares that.

    Args:
      network: a functional Keras model images [B, H, W, 3] in [0, 1] -> dictionary, or any other callable
        images -> dictionary, which is called as it is.
      precision: "float32" (the model's own type), or "bfloat16" for weights and feature maps. Up to the
        first convolution, and in global pools, the type stays the model's own.

    Returns (images, names of outputs) -> {name: features in the model's own type, float32}, without the layers that
    these outputs do not need. Raises UserError if folded features are off by more than 1e-4 of their root mean square.
    """
    if not isinstance(network, tf_keras.Model):
        return lambda images, outputs: network(images)
    if not getattr(network, "_is_graph_network", False) or not isinstance(network.output, dict):
        return lambda images, outputs: network(images, training=False)
    hasher = hashlib.sha256()
    for weight in network.weights:
        hasher.update(weight.numpy().tobytes())
    weights, frozen = _FROZEN.get(network, (None, None))
    if weights != hasher.digest():
        frozen = _checked(network)
        _FROZEN[network] = hasher.digest(), frozen
    if precision == "bfloat16":  # the same folded weights, computing in another type
        frozen = copy.copy(frozen)
        frozen._compute_dtype = tf.bfloat16
    return frozen


def resolve_precision(network, precision: str) -> str:
    """In which precision the frozen network computes: "float32", "bfloat16", or what "auto" stands for.

    That is bfloat16 where the hardware has it and it is the faster: on CPUs not where swish follows depthwise
    convolutions, as in EfficientNet. A callable that is not a Keras model computes as it does. Raises UserError.
    """
    resolved = hardware.resolve_precision(precision)
    if not isinstance(network, tf_keras.Model):
        return "float32"
    return "float32" if precision == "auto" and _is_slow_in_bfloat16(network) else resolved


def _is_slow_in_bfloat16(model):
    kinds = {type(layer) for layer in model.layers}
    swish = any(getattr(layer, "activation", None) is tf_keras.activations.swish for layer in model.layers)
    return swish and tf_keras.layers.DepthwiseConv2D in kinds and not tf.config.list_physical_devices("GPU")


class _Frozen:
    """Each call of a layer, with the operation that takes the layer's place."""

    def __init__(self, model):
        self._input, self._tensors = model.input, dict(model.output)
        self._dtype = self._compute_dtype = model.input.dtype
        self._calls = _needed(graph.nodes(model), self._tensors.values())
        pairs = graph.sole_readers(self._calls, self._tensors.values())
        norms = {id(call): norm for call, norm in pairs if frozen_layers.folds(call.layer, norm.layer)}
        pads = {id(call): pad for pad, call in pairs if frozen_layers.pads(pad.layer, call.layer)}
        self._operations = {
            id(call): frozen_layers.operation(call.layer, **_layers(id(call), norm=norms, padding=pads))
            for call in self._calls
        }
        self._operations |= {id(call): lambda dtype, x: x for call in (*norms.values(), *pads.values())}

    def __call__(self, images, outputs) -> dict:
        tensors = {name: self._tensors[name] for name in outputs}
        images = tf.cast(images, self._dtype)
        wanted, features = {id(tensor) for tensor in tensors.values()}, {id(self._input): images}

        def run(call, *arguments, **keywords):
            x = self._operations[id(call)](self._compute_dtype, *arguments, **keywords)
            if id(call.outputs) not in wanted:
                return x
            # What follows reads the very tensor that is put out, so that outputs have gradients for one another.
            output = features[id(call.outputs)] = tf.cast(x, self._dtype)
            return tf.cast(output, x.dtype)

        graph.replay(_needed(self._calls, tensors.values()), self._input, images, run)
        return {name: features[id(tensor)] for name, tensor in tensors.items()}


def _layers(call, **folded):
    """{argument: layer} of the calls that are folded into this one."""
    return {argument: calls[call].layer for argument, calls in folded.items() if call in calls}


def _needed(calls, outputs):
    """The calls that the outputs depend on, in order."""
    wanted, needed = {id(tensor) for tensor in outputs}, []
    for call in reversed(calls):
        if id(call.outputs) in wanted:
            needed.append(call)
            wanted |= {id(tensor) for tensor in call.keras_inputs}
    return needed[::-1]


def _checked(model):
    frozen = _Frozen(model)
    shape = [size or probe for size, probe in zip(model.input.shape, _PROBE, strict=True)]
    images = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    with tf.device("CPU:0"):  # A GPU rounds float32 to TF32 in convolutions: far coarser than the tolerance.
        expected, folded = model(images, training=False), frozen(images, list(model.output))
    for name, features in folded.items():
        error = np.max(np.abs(features - expected[name]))
        if not error <= _TOLERANCE * np.sqrt(np.mean(np.square(expected[name]))):
            raise UserError(f"{model.name} cannot be frozen: its folded {name} features are off by {error:.1e}")
    return frozen
