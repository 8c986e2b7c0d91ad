"""What a layer must know when a batch is spread over several replicas."""

from collections.abc import Callable

import tensorflow as tf


def replica_context() -> tf.distribute.ReplicaContext | None:
    """Of the replica that is being computed, if there are others beside it."""
    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def share(loss):
    """A replica's part of the global loss. Its own one is a mean over its rows, and gradients will be added up."""
    context = replica_context()
    return loss if context is None else loss / context.num_replicas_in_sync


def own_rows(draw: Callable, rows):
    """What `draw(rows of the global batch)` gives to the `rows` rows of this replica."""
    context = replica_context()
    if context is None:
        return draw(rows)
    first = context.replica_id_in_sync_group * rows
    return draw(context.num_replicas_in_sync * rows)[first : first + rows]
