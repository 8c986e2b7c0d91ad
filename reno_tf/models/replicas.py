"""What layers and losses need to know when a batch is split over several replicas."""

from collections.abc import Callable

import tensorflow as tf


def replica_context() -> tf.distribute.ReplicaContext | None:
    """The context of the replica that computes now; None if it is the only one."""
    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def share(loss):
    """A replica's part of the global loss: its mean over its own rows / number of replicas.

    The replicas' gradients are added up later.
    """
    context = replica_context()
    return loss if context is None else loss / context.num_replicas_in_sync


def own_rows(draw: Callable, rows):
    """This replica's `rows` rows of `draw(rows of the global batch)`: the draw is that of a single device."""
    context = replica_context()
    if context is None:
        return draw(rows)
    first = context.replica_id_in_sync_group * rows
    return draw(context.num_replicas_in_sync * rows)[first : first + rows]
