"""Any classifier of Keras Applications, with Keras's own preprocessing inside."""

import functools
import inspect
import math
import sys

import numpy as np
import tensorflow as tf
import tf_keras

from reno_tf.errors import UserError
from reno_tf.models import backbone, graph, keras_files, layers

# Where the paper taps; for every other network the rule of `find_taps` holds.
_TAPS = {"MobileNetV2": ("block_2_add", "block_5_add", "block_9_add", "block_15_add", "out_relu")}
_PROBE = 224  # Side in pixels of the images on which resolutions are compared if the network takes any.
_FIRST_LEVEL = 2  # Stages start where the image's sides are quartered; before that is the stem.


def application_layers(application: str, images, stages, *, taps=None, keras_weights=None):
    """A network of tf_keras.applications without its top, tapped.

    Args:
      application: the function's name there: "ResNet50", "DenseNet121", ...
      images: [B, H, W, 3] in [0, 1]. stages: see `Backbone`.
      taps: names of the layers that end the stages, in order; None finds them (`find_taps`).
      keras_weights: None, "imagenet" (Keras downloads them) or a file; see `keras_files.load_keras_weights`.

    Raises UserError: a tap that is not a layer of the network, or a network that needs `image_size` (NASNet).
    """
    tf_keras.backend.reset_uids()  # Teacher and student pair up by name, so unnamed layers need equal ones.
    build = getattr(tf_keras.applications, application)
    shape, downloaded = tuple(images.shape[1:]), keras_weights == "imagenet"
    network = build(include_top=False, weights=None, input_shape=shape)
    if downloaded:
        source = build(include_top=False, weights="imagenet", input_shape=shape)
        network.set_weights(source.get_weights())
    elif keras_weights:
        keras_files.load_keras_weights(network, keras_weights)
    if keras_weights:
        _square_deviations(network)
    taps = taps or _TAPS.get(application) or find_taps(network)
    unknown = [name for name in taps if name not in {layer.name for layer in network.layers}]
    if unknown:
        raise UserError(f"{application} has no layer {unknown[0]} to tap")

    for layer in network.layers:
        if isinstance(layer, tf_keras.layers.Normalization) and layer.weights:
            # Keras computes with the values that they had when it last looked.
            layer.mean, layer.variance = layer.adapt_mean, layer.adapt_variance

    def run(node, *arguments, **keywords):
        output = node.layer(*arguments, **keywords)
        return stages(output) if node.layer.name in taps else output

    nodes = graph.nodes(network)
    return graph.replay(nodes, network.input, _preprocess(images, build), run)[id(nodes[-1].outputs)]


def _square_deviations(network):
    """Turns the deviations that EfficientNet's published weights have in the place of variances into variances.

    Keras divides by their root twice, but only where the weights are asked for as "imagenet".
    """
    for layer in network.layers:
        if isinstance(layer, tf_keras.layers.Normalization) and layer.weights:
            mean, variance, *rest = layer.get_weights()
            if np.allclose(variance, layers.IMAGENET["std"], atol=1e-3):
                layer.set_weights([mean, np.square(variance), *rest])


def find_taps(network: tf_keras.Model) -> list[str]:
    """The layers that end a stage: at each resolution the last activation or merge that all paths cross.

    A resolution is the nearest power of 2 by which the image's sides shrank, from 4 on. A merge is a layer of
    several inputs, such as the end of a residual block. If all paths cross no such layer, as in NASNet, the last
    activation ends the stage. Raises UserError if the network does not work on images of any size.
    """
    nodes = graph.nodes(network)
    side = network.input.shape[1] or _PROBE
    levels = [round(math.log2(side / height)) if height else 0 for height in _heights(network, nodes, side)]
    crossed, last = {}, {}
    for node, level, all_cross in zip(nodes, levels, graph.crossings(nodes), strict=True):
        if not _FIRST_LEVEL <= level <= levels[-1]:  # Smaller than the last feature map: squeeze-and-excite.
            continue
        if _is_activation(node.layer):
            last[level] = node.layer.name
        if all_cross and (_is_activation(node.layer) or len(node.parent_nodes) > 1):
            crossed[level] = node.layer.name
    return [name for _, name in sorted((last | crossed).items())]


def _heights(network, nodes, side):
    """The height of each node's output for images of that side; None for an output that is not a feature map."""
    probe = tf.function(tf_keras.Model(network.input, [node.outputs for node in nodes]))
    try:
        outputs = probe.get_concrete_function(tf.TensorSpec([1, side, side, 3])).structured_outputs
    except ValueError:
        raise UserError(f"{network.name} does not take images of any size: give its builder image_size") from None
    return [output.shape[1] if output.shape.rank == 4 else None for output in outputs]


def _is_activation(layer):
    kinds = (tf_keras.layers.Activation, tf_keras.layers.ReLU, tf_keras.layers.LeakyReLU, tf_keras.layers.PReLU)
    return isinstance(layer, kinds) or getattr(layer, "activation", None) not in (None, tf_keras.activations.linear)


def _preprocess(images, build):
    """The network's own `preprocess_input` for images in [0, 1]. It is affine per channel."""
    preprocess = sys.modules[build.__module__].preprocess_input
    black, white, red = preprocess(np.float32([[[[0, 0, 0], [255, 255, 255], [255, 0, 0]]]]))[0, 0]
    flipped = red[0] == black[0]  # Caffe's channel order: blue, green, red.
    scale, offset = ((white - black)[::-1], black[::-1]) if flipped else (white - black, black)
    x = layers.normalize(images, mean=(0.0 - offset / scale).tolist(), std=(1 / scale).tolist())
    return x[..., ::-1] if flipped else x


_BUILDS = {
    f"keras_{name.lower()}": build
    for name, build in inspect.getmembers(tf_keras.applications, inspect.isfunction)
    if "include_top" in inspect.signature(build).parameters  # The other functions build no network.
}
KERAS_APPLICATIONS = {
    name: backbone.Backbone(functools.partial(application_layers, build.__name__)) for name, build in _BUILDS.items()
}


def preprocess(name: str, images):
    """Images [B, H, W, 3] in [0, 1] as Keras's own preprocessing gives them to this network, in NumPy."""
    return sys.modules[_BUILDS[name].__module__].preprocess_input(255 * np.asarray(images, np.float32))
