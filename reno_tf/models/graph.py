"""The graph of a functional Keras model: its calls of layers, and their repetition on other tensors."""


def nodes(model) -> list:
    """The model's calls of layers, each after those whose outputs it reads; the input is none of them."""
    levels = sorted(model._nodes_by_depth.items(), reverse=True)
    return [node for _, level in levels for node in level if not node.is_input]


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
    """Keras's `map_arguments` pops each tensor that it reads: here as often as one likes."""

    def __init__(self, tensor):
        self.pop = lambda: tensor
