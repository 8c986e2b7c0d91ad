"""A training in phases that survives being killed: each phase goes on from its newest checkpoint."""

import contextlib
import functools
from pathlib import Path

import tensorflow as tf

from reno_tf import data, hardware, interruption, progress
from reno_tf.methods import Phase
from reno_tf.training import averaging, checkpoints, distribution, optimizers
from reno_tf.training.history import Record
from reno_tf.training.spread import Spread
from reno_tf.training.trainer import Transfer


def train(
    model: Transfer,
    dataset,
    phases: tuple[Phase, ...],
    workdir: Path,
    *,
    batch_size,
    interval,
    seed,
    samples=0,
    callbacks=(),
) -> list:
    """Trains phase after phase on the data set's augmented training images, by the strategy the model was made in.

    Args:
      batch_size: images of a step, of all devices together. seed: of the batches and their augmentation.
      callbacks: Keras's, which see an epoch in each interval.
      samples: of the student's weights around their average over the last phase, which has to average.

    Returns the samples, each as Keras's `get_weights` has them, with BatchNorm statistics that fit.
    """
    split, options = dataset.train, {"batch_size": batch_size, "seed": seed, "augment": dataset.augment}

    def batches_from(step):
        return data.train_batches(split, start_step=step, **options)

    validation = data.eval_batches(dataset.validation, batch_size=100) if len(dataset.validation) else None
    one_pass, done = data.batches_per_pass(split, batch_size), 0
    model.total_steps = sum(phase.steps for phase in phases)
    shared = {"workdir": workdir, "interval": interval, "batch_size": batch_size}
    shared |= {"validation": validation, "train": split, "callbacks": callbacks}
    with model.distribute_strategy.scope():
        for phase in phases:
            spread = Spread(model, done, phase.average_every) if samples and phase.average_every else None
            optimizer = fit(model, phase, batches_from, first_step=done, spread=spread, **shared)
            done += phase.steps

            def fit_batch_norm(done=done):
                _fit_batch_norm(model, batches_from(done).take(one_pass))
                model.step.assign(done)  # The next phase starts from here, whether it resumes or not.

            if phase.average_every:
                averaging.assign_averages(optimizer, model.student.trainable_variables, period=phase.average_every)
                fit_batch_norm()
        return spread.sample(samples, fit_batch_norm, seed=seed) if samples else []


def fit(
    model: Transfer,
    phase: Phase,
    batches_from,
    *,
    workdir,
    interval,
    batch_size,
    first_step=0,
    validation=None,
    train=None,
    spread: Spread | None = None,
    callbacks=(),
):
    """Trains until the phase's last step, from its newest checkpoint if there is one. Returns the optimizer.

    Args:
      batches_from: step -> endless tf.data.Dataset of (images, labels) from that step on.
      workdir: a Path; takes checkpoints/<phase>, history.jsonl and tensorboard/.
      interval: steps between two rows of the history, each with a validation and a checkpoint; see `Phase.interval`.
      batch_size: images of a step, of all devices together.
      first_step: steps of earlier phases.
      validation: finite tf.data.Dataset of (images, labels), or None; of known cardinality for several replicas.
      train: the training images, for the method's `prepare`.
      spread: watches the weights.
    """
    interval = phase.interval(interval)
    strategy, parts = model.distribute_strategy, ("checkpoints", phase.name)
    alone = strategy.num_replicas_in_sync == 1
    optimizer = _optimizer(phase)
    model.begin(phase)
    # XLA cannot compile a step that waits for other replicas in its middle.
    model.compile(optimizer=optimizer, jit_compile=alone and hardware.resolve_jit("auto"))
    state = {"state": model.state} if model.state else {}
    state |= {"spread": spread.state} if spread else {}
    checkpoint = tf.train.Checkpoint(student=model.student, optimizer=optimizer, step=model.step, **state)
    if latest := checkpoints.newest(workdir.joinpath(*parts)):
        checkpoint.restore(latest).assert_consumed()
    else:
        model.prepare(train, batches_from)
    done = int(model.step.numpy()) - first_step
    if done >= phase.steps:
        return optimizer
    options = {"validation_data": validation}
    if validation is not None and not alone:  # Keras cannot count it once it is spread.
        options = {"validation_data": distribution.repeat(strategy, validation)}
        options["validation_steps"] = int(validation.cardinality())
    with distribution.folder_to_write(strategy, workdir) as folder:
        manager = tf.train.CheckpointManager(checkpoint, str(folder.joinpath(*parts)), max_to_keep=2)
        with interruption.deferred() if alone else contextlib.nullcontext(lambda: 0) as asked_to_stop:
            record = Record(model, phase.name, folder, manager, batch_size=batch_size, asked_to_stop=asked_to_stop)
            for first, steps, count in _stretches(done, phase.steps, interval):
                bar = progress.FitProgress(phase.name, done=first, total=phase.steps)
                model.fit(
                    distribution.spread(strategy, batches_from(first_step + first)),
                    epochs=count,
                    steps_per_epoch=steps,
                    callbacks=[bar, *([spread] if spread else []), *callbacks, record],
                    verbose=0,
                    **options,
                )
    return optimizer


def _stretches(done, steps, interval):
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


def _fit_batch_norm(model, batches):
    """Re-estimates the averaged student's BatchNorm statistics on these batches."""
    strategy = model.distribute_strategy

    def forward(batch):
        model.step.assign_add(1)  # The next dropout mask.
        strategy.run(functools.partial(model.student, training=True), args=batch)

    images = batches.map(lambda images, labels: (images,))
    averaging.reestimate_batch_norm(model.student, distribution.spread(strategy, images), forward)
