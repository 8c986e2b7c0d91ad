"""What a training writes while it runs: rows of history, scalars for TensorBoard, checkpoints."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
import tf_keras

from reno_tf import files, interruption
from reno_tf.errors import UserError
from reno_tf.training import checkpoints, optimizers


def read_history(workdir: Path) -> list[dict]:
    """The rows of history.jsonl: phase, step, seconds, and the mean of every metric since the row before."""
    path = workdir / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def seconds(workdir: Path) -> float:
    """How long the training in `workdir` took, and its siblings'."""
    return sum(row["seconds"] for folder in (workdir, *workdir.glob("sibling*")) for row in read_history(folder))


class Record(tf_keras.callbacks.Callback):
    """After each interval of a phase: one row of history, the same scalars to TensorBoard, one checkpoint.

    Once `asked_to_stop()` gives a signal's number, the training ends: with a checkpoint of that very step, and the
    seconds and means of the interval so far.
    """

    def __init__(
        self,
        transfer,
        phase: str,
        workdir: Path,
        manager: tf.train.CheckpointManager,
        *,
        batch_size: int,
        asked_to_stop: Callable[[], int] = lambda: 0,
    ):
        super().__init__()
        self._transfer, self._phase, self._workdir, self._manager = transfer, phase, workdir, manager
        self._batch_size, self._asked_to_stop = batch_size, asked_to_stop
        self._begun = Path(manager.directory) / "interval.json"

    def on_train_begin(self, logs=None):
        step = self._step()
        # Rows of steps that were lost with the killed process are trained, and written, again.
        self._rows = [row for row in read_history(self._workdir) if row["step"] <= step]
        self._writer = tf.summary.create_file_writer(str(self._workdir / "tensorboard"))
        begun = files.read_json(self._begun) or {}
        self._carried = begun if begun.get("step") == step else {}
        self._since = time.monotonic() - self._carried.get("seconds", 0)

    def on_epoch_begin(self, epoch, logs=None):
        self._transfer.resume_means(self._carried.pop("means", {}))  # After Keras has set them to 0.

    def on_train_batch_end(self, batch, logs=None):
        self._stop_if_broken(logs)
        ends_the_interval = batch + 1 == self.params["steps"]
        if ends_the_interval:  # Without validation.
            steps = self._step() - (self._rows[-1]["step"] if self._rows else 0)
            self._speed = self._batch_size * steps / (time.monotonic() - self._since)
        if self._asked_to_stop() and not ends_the_interval:
            seconds, means = time.monotonic() - self._since, self._transfer.means()
            files.write_json(self._begun, {"step": self._step(), "seconds": seconds, "means": means})
            checkpoints.save(self._manager)
            self._stop()

    def _step(self):
        return int(self._transfer.step.numpy())

    def _stop(self):
        message = f"the same command resumes from step {self._step()} of {self._phase!r}"
        raise interruption.Interrupted(self._asked_to_stop(), message)

    def _stop_if_broken(self, logs):
        broken = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if broken:
            step, last = self._step(), self._manager.latest_checkpoint
            saved = (
                f"the last checkpoint is of step {self._rows[-1]['step']}"
                if last and self._rows
                else "no checkpoint yet"
            )
            terms = ", ".join(name for name in broken if name != "loss") or "loss"
            raise UserError(
                f"the training broke down at step {step} of phase {self._phase!r}: {terms} is not finite ({saved}); "
                "a smaller config.optimizer.learning_rate or another config.precision may help"
            )

    def on_epoch_end(self, epoch, logs=None):
        step, now = self._step(), time.monotonic()
        metrics = {name.replace("val_", "validation_"): float(value) for name, value in logs.items()}
        self._rows.append({"phase": self._phase, "step": step, "seconds": now - self._since, **metrics})
        self._since = now
        with self._writer.as_default(step=step):
            for name, value in metrics.items():
                split, _, tag = name.partition("validation_")
                tf.summary.scalar(f"validation/{tag}" if tag else f"train/{split}", value)
            tf.summary.scalar("train/learning_rate", optimizers.current_rate(self._transfer.optimizer))
            tf.summary.scalar("train/images_per_second", self._speed)
        self._writer.flush()
        files.write_text(self._workdir / "history.jsonl", "".join(json.dumps(row) + "\n" for row in self._rows))
        checkpoints.save(self._manager)
        if self._asked_to_stop():
            self._stop()

    def on_train_end(self, logs=None):
        self._writer.close()
