"""The graph of a functional Keras model."""


def nodes(model) -> list:
    """The model's calls of layers, each after those whose outputs it reads; the input is none of them."""
    by_depth = model._nodes_by_depth
    calls = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
    return [node for node in calls if not node.is_input]
