"""One training run over several devices: by which strategy, whose part of the batch, and who writes.

Batches, losses and random draws are those of the whole ("global") batch: a run over n replicas gives
the numbers of one device, up to rounding. All of it does nothing where there is one replica.
"""

import contextlib
import functools
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from reno_tf.errors import UserError
from reno_tf.hardware import devices

_CLUSTER = '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'


def strategy(name: str, *, batch_size: int) -> tf.distribute.Strategy:
    """The strategy that a key of `STRATEGIES` names; "multi_worker" must come before any other use of TensorFlow.

    Raises UserError: TF_CONFIG names no cluster, or `batch_size` does not divide by the replicas.
    """
    result = STRATEGIES[name]()
    replicas = result.num_replicas_in_sync
    if batch_size % replicas:
        raise UserError(f"the batch size ({batch_size}) must be a multiple of the number of replicas ({replicas})")
    return result


# Once in a process: a second strategy would give its collective operations the first one's keys.
@functools.cache
def _mirrored():
    return tf.distribute.MirroredStrategy(devices())


@functools.cache
def _multi_worker():
    variable = os.environ.get("TF_CONFIG")
    try:
        config = json.loads(variable or "{}")
        task = config["task"]
        hosts = config["cluster"][task["type"]]
        valid = task["type"] in ("chief", "worker") and int(task["index"]) in range(len(hosts))
    except (ValueError, TypeError, KeyError):
        valid = False
    if not valid:
        raise UserError(f"distribution=multi_worker needs TF_CONFIG in the environment, as {_CLUSTER}, not {variable}")
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise UserError(f"the cluster that TF_CONFIG names cannot be joined: {error.message}") from None


# settings.DISTRIBUTIONS -> () -> strategy
STRATEGIES = {"none": tf.distribute.get_strategy, "mirrored": _mirrored, "multi_worker": _multi_worker}


def spread(strategy: tf.distribute.Strategy, batches: tf.data.Dataset):
    """Global batches, each cut into the replicas' equal parts, in order; every worker has the same `batches`."""
    if strategy.num_replicas_in_sync == 1:
        return batches

    def parts(context):
        replicas = context.num_replicas_in_sync
        local = replicas // context.num_input_pipelines
        local_parts = slice(local * context.input_pipeline_id, local * (context.input_pipeline_id + 1))
        cut = functools.partial(tf.nest.map_structure, lambda values: tf.stack(tf.split(values, replicas)[local_parts]))
        return batches.map(lambda *batch: cut(batch)).unbatch()

    return strategy.distribute_datasets_from_function(parts)


def repeat(strategy: tf.distribute.Strategy, batches: tf.data.Dataset):
    """Every replica sees every batch: cut up, the last one might leave a replica without any row."""

    def repeated(context):
        local = context.num_replicas_in_sync // context.num_input_pipelines
        return batches.flat_map(lambda *batch: tf.data.Dataset.from_tensors(batch).repeat(local))

    return strategy.distribute_datasets_from_function(repeated)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes the run's folder."""
    cluster = strategy.cluster_resolver
    if cluster is None:
        return True
    leading = "chief" if "chief" in cluster.cluster_spec().jobs else "worker"
    return (cluster.task_type, cluster.task_id) == (leading, 0)


def ask_chief(strategy: tf.distribute.Strategy, question: Callable[[], bool]) -> bool:
    """The chief's answer; all workers wait for it. If the question raises, they raise a UserError."""
    if strategy.cluster_resolver is None:
        return question()
    try:
        answer = int(question()) if is_chief(strategy) else 0
    except Exception:
        _sum(strategy, -1)
        raise
    answer = _sum(strategy, answer)
    if answer < 0:
        raise UserError("the chief could not start this run; its own message says why")
    return bool(answer)


def _sum(strategy, value):
    """The sum over the workers."""
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(value if context.replica_id_in_sync_group == 0 else 0)
    )
    return int(strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None))


@contextlib.contextmanager
def folder_to_write(strategy: tf.distribute.Strategy, workdir: Path) -> Iterator[Path]:
    """The run's folder for the chief; for the others, who have to write as often, one that is removed."""
    if is_chief(strategy):
        yield workdir
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)
