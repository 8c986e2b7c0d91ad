"""The graph of a functional Keras model: its calls of layers, and their repetition on other tensors."""

import collections

import numpy as np
from tf_keras import layers

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_ELEMENTWISE = (layers.BatchNormalization, layers.ReLU, layers.Activation)


def nodes(model) -> list:
    """The model's calls of layers, each after those whose outputs it reads; the input is none of them."""
    levels = sorted(model._nodes_by_depth.items(), reverse=True)
    return [node for _, level in levels for node in level if not node.is_input]


def sole_readers(calls, outputs) -> list[tuple]:
    """(call, the call that alone reads its output), of all that one other call alone reads; `outputs`: the model's."""
    readers = collections.defaultdict(list, {id(tensor): [None] for tensor in outputs})
    for call in calls:
        for tensor in call.keras_inputs:
            readers[id(tensor)].append(call)
    alone = [(call, *readers[id(call.outputs)]) for call in calls if len(readers[id(call.outputs)]) == 1]
    return [(call, reader) for call, reader in alone if reader]


def crossings(nodes) -> list[bool]:
    """For each of Keras's nodes, in order, whether every path from the input to the output leads through it."""
    reach = {id(node): place for place, node in enumerate(nodes)}  # Of each node, the last place that reads its output.
    for place, node in enumerate(nodes):
        reach |= {id(parent): place for parent in node.parent_nodes if id(parent) in reach}  # Not the network's input.
    jumped = np.maximum.accumulate([0, *reach.values()])  # For each node, how far a path leads from before it.
    return [bool(furthest <= place) for place, furthest in enumerate(jumped[:-1])]


def convolution_activations(model) -> dict:
    """{name of a convolution: its output, after the BatchNorm and the activation that follow it, [B, h, w, c]}."""
    calls, activations = nodes(model), {}
    after = {id(call): reader for call, reader in sole_readers(calls, model.output.values())}
    for call in calls:
        if isinstance(call.layer, _CONVOLUTIONS):
            last = call
            while isinstance(getattr(after.get(id(last)), "layer", None), _ELEMENTWISE):
                last = after[id(last)]
            activations[call.layer.name] = last.outputs
    return activations


def replay(calls, source, x, run) -> dict:
    """Runs `run(call, *arguments, **keywords)` for each call, with `x` in place of the tensor `source`.

    Returns {id of each output in the model: what takes its place}.
    """
    tensors = {str(id(source)): _Source(x)}
    for call in calls:
        arguments, keywords = call.map_arguments(tensors)
        tensors[str(id(call.outputs))] = _Source(run(call, *arguments, **keywords))
    return {int(key): tensor.pop() for key, tensor in tensors.items()}


class _Source:
    """Keras's `map_arguments` pops each tensor that it reads: this one as often as needed."""

    def __init__(self, tensor):
        self.pop = lambda: tensor
