"""A training phase that survives being killed: fit, history and checkpoints in step."""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras

from reno_tf import files, progress
from reno_tf.errors import UserError
from reno_tf.training import distribution
from reno_tf.training.trainer import Transfer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """`steps` training steps with one optimizer; `first_step` steps of earlier phases came before."""

    name: str
    optimizer: Any
    steps: int
    first_step: int = 0


def fit(
    model: Transfer,
    phase: Phase,
    batches_from: Callable,
    *,
    workdir: Path,
    interval: int,
    validation=None,
    jit_compile: bool = False,
) -> None:
    """Trains until the phase's last step, from its newest checkpoint if there is one.

    Args:
      batches_from: step -> endless tf.data.Dataset of (images, labels) from that step on.
      workdir: takes checkpoints/<phase>, history.jsonl and tensorboard/.
      interval: steps between two rows of the history, each with a validation and a checkpoint;
        it must divide the phase's steps.
      validation: finite tf.data.Dataset of (images, labels), or None; of known cardinality for several replicas.

    Raises:
      UserError: the interval does not divide the steps.
    """
    if phase.steps % interval:
        raise UserError(f"the interval ({interval}) must divide the steps of the phase {phase.name} ({phase.steps})")
    strategy, parts = model.distribute_strategy, ("checkpoints", phase.name)
    model.compile(optimizer=phase.optimizer, jit_compile=jit_compile)
    checkpoint = tf.train.Checkpoint(student=model.student, optimizer=phase.optimizer, step=model.step)
    if latest := tf.train.latest_checkpoint(str(workdir.joinpath(*parts))):
        checkpoint.restore(latest).assert_consumed()
    done = int(model.step.numpy()) - phase.first_step
    if done >= phase.steps:
        return
    with distribution.folder_to_write(strategy, workdir) as folder:
        manager = tf.train.CheckpointManager(checkpoint, str(folder.joinpath(*parts)), max_to_keep=2)
        model.fit(
            distribution.spread(strategy, batches_from(phase.first_step + done)),
            initial_epoch=done // interval,
            epochs=phase.steps // interval,
            steps_per_epoch=interval,
            **_validation(strategy, validation),
            verbose=0,
            callbacks=[
                progress.FitProgress(phase.name, done=done, total=phase.steps),
                _Record(model, phase.name, folder, manager),
            ],
        )


def _validation(strategy, batches):
    if batches is None or strategy.num_replicas_in_sync == 1:
        return {"validation_data": batches}
    repeated = distribution.repeat(strategy, batches)  # Keras cannot count it.
    return {"validation_data": repeated, "validation_steps": int(batches.cardinality())}


def read_history(workdir: Path) -> list[dict]:
    """The rows of history.jsonl: phase, step, seconds, and the mean of every metric since the row before."""
    path = workdir / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


class _Record(tf_keras.callbacks.Callback):
    """After each interval: one row of history, the same scalars to TensorBoard, one checkpoint."""

    def __init__(self, transfer, phase, workdir, manager):
        super().__init__()
        self._transfer, self._phase, self._workdir, self._manager = transfer, phase, workdir, manager

    def on_train_begin(self, logs=None):
        # Rows of steps that were lost with the killed process are trained, and written, again.
        self._rows = [row for row in read_history(self._workdir) if row["step"] <= int(self._transfer.step.numpy())]
        self._writer = tf.summary.create_file_writer(str(self._workdir / "tensorboard"))
        self._since = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        step, now = int(self._transfer.step.numpy()), time.monotonic()
        metrics = {name.replace("val_", "validation_"): float(value) for name, value in logs.items()}
        self._rows.append({"phase": self._phase, "step": step, "seconds": now - self._since, **metrics})
        self._since = now
        with self._writer.as_default(step=step):
            for name, value in metrics.items():
                split, _, tag = name.partition("validation_")
                tf.summary.scalar(f"validation/{tag}" if tag else f"train/{split}", value)
        self._writer.flush()
        files.write_text(self._workdir / "history.jsonl", "".join(json.dumps(row) + "\n" for row in self._rows))
        self._manager.save()

    def on_train_end(self, logs=None):
        self._writer.close()
