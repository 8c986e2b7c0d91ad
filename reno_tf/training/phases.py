"""A training in phases that survives being killed: each phase resumes from its newest checkpoint."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from reno_tf import data, hardware, interruption, progress
from reno_tf.data import Dataset
from reno_tf.methods import Phase
from reno_tf.training import averaging, checkpoints, distribution, optimizers
from reno_tf.training.history import Record
from reno_tf.training.spread import Spread
from reno_tf.training.trainer import Transfer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Course:
    """What all phases of a training share.

    workdir takes checkpoints/<phase>, history.jsonl and tensorboard/.
    """

    workdir: Path
    batches_from: Callable  # step -> endless tf.data.Dataset of (images, labels) from that step on
    batch_size: int  # images of a step, of all devices together
    interval: int  # steps between two rows of the history, each with a validation and a checkpoint
    seed: int = 0  # of the samples around an average
    train: data.Split | None = None  # the training images, for the method's `prepare`
    validation: tf.data.Dataset | None = None  # finite; of known cardinality for several replicas
    callbacks: Sequence[Any] = ()  # Keras's, which see an epoch in each interval

    @classmethod
    def on(
        cls,
        dataset: Dataset,
        workdir: Path,
        *,
        batch_size: int,
        interval: int,
        seed: int = 0,
        callbacks: Sequence[Any] = (),
    ) -> "Course":
        """The course on the data set's augmented training images; the seed sets their order and augmentation."""

        def batches_from(step):
            split, augment = dataset.train, dataset.augment
            return data.train_batches(split, start_step=step, batch_size=batch_size, seed=seed, augment=augment)

        return cls(
            workdir=workdir,
            batches_from=batches_from,
            batch_size=batch_size,
            interval=interval,
            seed=seed,
            train=dataset.train,
            validation=data.eval_batches(dataset.validation, batch_size=100) if len(dataset.validation) else None,
            callbacks=callbacks,
        )


class RunningPhase:
    """One phase of a training, at the step that it stands at: its newest checkpoint's, or its beginning.

    spread: watches the weights.
    """

    def __init__(
        self, model: Transfer, phase: Phase, course: Course, *, first_step: int = 0, spread: Spread | None = None
    ):
        self._model, self._phase, self._course, self._spread = model, phase, course, spread
        self._first_step, self._interval = first_step, phase.interval(course.interval)
        self._alone = model.distribute_strategy.num_replicas_in_sync == 1
        self.optimizer = _optimizer(phase)
        model.begin(phase)
        # XLA cannot compile a step that waits for other replicas in its middle.
        model.compile(optimizer=self.optimizer, jit_compile=self._alone and hardware.resolve_jit("auto"))
        self._checkpoint = self._newest_state()

    def _newest_state(self) -> tf.train.Checkpoint:
        """Resumes the phase from its newest checkpoint, or else lets the method prepare it."""
        model, spread = self._model, self._spread
        state = {"state": model.state} if model.state else {}
        state |= {"spread": spread.state} if spread else {}
        checkpoint = tf.train.Checkpoint(student=model.student, optimizer=self.optimizer, step=model.step, **state)
        if latest := checkpoints.newest(self._course.workdir / self._place):
            checkpoint.restore(latest).assert_consumed()
        else:
            model.prepare(self._course.train, self._course.batches_from)
        return checkpoint

    @property
    def _place(self) -> Path:
        return Path("checkpoints", self._phase.name)

    def run(self) -> None:
        """Trains until the phase's last step."""
        done = int(self._model.step.numpy()) - self._first_step
        if done >= self._phase.steps:
            return
        stopping = interruption.deferred() if self._alone else contextlib.nullcontext(lambda: 0)
        writing = distribution.folder_to_write(self._model.distribute_strategy, self._course.workdir)
        with writing as folder, stopping as asked_to_stop:
            record = self._record(folder, asked_to_stop)
            for first, steps, epochs in _stretches(done, self._phase.steps, self._interval):
                self._fit(first, steps, epochs, record)

    def _record(self, folder: Path, asked_to_stop) -> Record:
        manager = tf.train.CheckpointManager(self._checkpoint, str(folder / self._place), max_to_keep=2)
        size = self._course.batch_size
        return Record(self._model, self._phase.name, folder, manager, batch_size=size, asked_to_stop=asked_to_stop)

    def _fit(self, first, steps, epochs, record):
        bar = progress.FitProgress(self._phase.name, done=first, total=self._phase.steps)
        spread = [self._spread] if self._spread else []
        validation, validation_steps = self._validation()
        self._model.fit(
            distribution.spread(self._model.distribute_strategy, self._course.batches_from(self._first_step + first)),
            epochs=epochs,
            steps_per_epoch=steps,
            callbacks=[bar, *spread, *self._course.callbacks, record],
            validation_data=validation,
            validation_steps=validation_steps,
            verbose=0,
        )

    def _validation(self):
        """The batches, and how many; Keras cannot count them once they are spread."""
        batches = self._course.validation
        if batches is None or self._alone:
            return batches, None
        return distribution.repeat(self._model.distribute_strategy, batches), int(batches.cardinality())


def train(model: Transfer, phases: Sequence[Phase], course: Course, *, samples: int = 0) -> list:
    """Trains phase after phase, by the strategy that the model was made in.

    Returns `samples` draws of the student's weights around their average over the last phase, which has to average,
    each as Keras's `get_weights` has them, with BatchNorm statistics that fit.
    """
    done = 0
    course = dataclasses.replace(course, batches_from=model.batches(course.train, course.batches_from))
    model.total_steps = sum(phase.steps for phase in phases)
    drawn: list = []
    with model.distribute_strategy.scope():
        for phase in phases:
            spread = Spread(model, done, phase.average_every) if samples and phase.average_every else None
            running = RunningPhase(model, phase, course, first_step=done, spread=spread)
            running.run()
            done += phase.steps
            if phase.average_every:
                one_pass = data.batches_per_pass(course.train, course.batch_size)
                average = averaging.Average(model, course.batches_from(done).take(one_pass), step=done)
                average.assign(running.optimizer, period=phase.average_every)
                drawn = spread.sample(samples, average.fit_batch_norm, seed=course.seed) if spread else []
    return drawn


def _stretches(done, steps, interval) -> Iterator[tuple[int, int, int]]:
    """(first step, steps of an epoch, epochs) of what is left: the interval that was begun, then the whole ones."""
    if begun := done % interval:
        yield done, interval - begun, 1
        done += interval - begun
    if done < steps:
        yield done, interval, (steps - done) // interval


def _optimizer(phase):
    rate = optimizers.cosine(phase.learning_rate, phase.steps) if phase.decay == "cosine" else phase.learning_rate
    optimizer = optimizers.SGD(rate, phase.momentum)
    return averaging.wrap(optimizer, period=phase.average_every) if phase.average_every else optimizer
