"""Cuts a network of KerasHub at the ends of its stages, which are found by rule."""

import inspect
import math

import numpy as np

from reno_tf.errors import UserError
from reno_tf.models import graph

_PROBE = 224  # Side in pixels of the images on which resolutions are compared if the network takes any.
_STAGES = 4  # of a transformer with as many blocks
_FIRST_LEVEL = 2  # as in keras_applications


def parts(network) -> tuple[list, object | None]:
    """A backbone as models of Keras 3: those that end stages, and what comes after, or None.

    Each takes what the one before gives: a feature map, or a transformer's tokens as [B, tokens, 1, width]. Raises
    UserError for a network without stages.
    """
    *stages, rest = _token_parts(network) if _encoder(network) else _map_parts(network)
    return stages, rest


def _encoder(network):
    """The layer that has a transformer's blocks and ends with a normalisation, if there is one behind patches."""
    has_blocks = [
        layer for layer in network.layers if hasattr(layer, "encoder_layers") and hasattr(layer, "layer_norm")
    ]
    return has_blocks[0] if has_blocks and _num_patches(network) else None


def _token_parts(network) -> list:
    """A transformer cut after each quarter of its blocks, then its end.

    A stage is the sequence of tokens, [B, tokens, 1, width]. The end gives [B, 1, 1, 2 width]: the class token and the
    mean of the patches, after the last normalisation.
    """
    import keras
    from keras import ops

    encoder = _encoder(network)
    blocks, tokens = encoder.encoder_layers, encoder.input
    ends = np.unique(np.round(np.linspace(0, len(blocks), _STAGES + 1)).astype(int))

    def run(x, these):
        for block in these:
            if "return_attention_scores" in inspect.signature(block.call).parameters:
                x, _ = block(x, return_attention_scores=True)  # DeiT's always give two outputs.
            else:
                x = block(x)
        return ops.expand_dims(x, 2)

    first = encoder.dropout(tokens) if hasattr(encoder, "dropout") else tokens
    cut = [keras.Model(network.input, run(first, blocks[: ends[1]]))]
    for start, end in zip(ends[1:-1], ends[2:], strict=True):
        x = keras.Input([tokens.shape[1], 1, tokens.shape[2]])
        cut.append(keras.Model(x, run(ops.squeeze(x, 2), blocks[start:end])))
    x = keras.Input([tokens.shape[1], 1, tokens.shape[2]])
    y = encoder.layer_norm(ops.squeeze(x, 2))
    special = tokens.shape[1] - _num_patches(network)
    pooled = [y[:, 0]] if special else []
    pooled = ops.concatenate([*pooled, ops.mean(y[:, special:], axis=1)], axis=-1)
    return [*cut, keras.Model(x, ops.reshape(pooled, [-1, 1, 1, pooled.shape[-1]]))]


def _num_patches(network) -> int:
    """0 if it has no layer that says so."""
    return next((layer.num_patches for layer in network.layers if hasattr(layer, "num_patches")), 0)


def _map_parts(network) -> list:
    """A convolutional network cut at the ends of its stages, then what follows the last, or None.

    As `keras_applications.find_taps` has it: at each resolution, a power of 2 from 4 on, the last activation, merge or
    block that all paths cross.
    """
    import keras

    ends = _ends(network)
    if not ends:
        raise UserError(f"{type(network).__name__} has no stages that can be found: feature maps, or a row of blocks")
    starts = [network.input, *ends]
    cut = [keras.Model(start, end) for start, end in zip(starts, ends, strict=False)]
    is_whole = ends[-1] is network.outputs[0]
    return [*cut, None if is_whole else keras.Model(ends[-1], network.outputs[0])]


def _ends(network) -> list:
    """The tensors that end stages, in order."""
    levels = sorted(network._nodes_by_depth.items(), reverse=True)
    nodes = [node for _, level in levels for node in level if not node.is_input]
    side = network.input.shape[1] or _PROBE
    heights = _heights(network, nodes, side)
    last = round(math.log2(side / heights[-1])) if heights[-1] else 0  # No feature map: no stages.
    ends = {}
    for node, height, all_cross in zip(nodes, heights, graph.crossings(nodes), strict=True):
        level = round(math.log2(side / height)) if height else 0
        if all_cross and _FIRST_LEVEL <= level <= last and _ends_something(node):
            ends[level] = node.outputs[0]
    return [end for _, end in sorted(ends.items())]


def _heights(network, nodes, side) -> list:
    """The height of each node's output for images of that side; None for what is not a feature map."""
    import keras

    probe = keras.Model(network.input, [node.outputs[0] for node in nodes])
    shapes = [output.shape for output in probe.compute_output_spec(keras.KerasTensor([1, side, side, 3]))]
    return [shape[1] if len(shape) == 4 else None for shape in shapes]


def _ends_something(node) -> bool:
    """Whether it is an activation, a merge of several inputs, or a block that has layers inside."""
    import keras

    layer = node.operation
    is_block = isinstance(layer, keras.Layer) and len(list(layer._flatten_layers(include_self=False))) > 0
    is_activation = getattr(layer, "activation", None) not in (None, keras.activations.linear)
    return is_activation or isinstance(layer, keras.layers.ReLU) or len(node.parent_nodes) > 1 or is_block
