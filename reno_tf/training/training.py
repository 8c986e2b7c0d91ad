"""The training phases of a run."""

import functools
from pathlib import Path

from reno_tf import attacks, data, settings
from reno_tf.training import averaging as swa
from reno_tf.training import distribution, optimizers, phases
from reno_tf.training.trainer import Transfer


def train(model: Transfer, dataset, config, workdir: Path) -> None:
    """The method's phase under cosine decay; then, if it averages, a second one at a constant rate.

    By the strategy in whose scope the model was made.
    """
    batches_from = _batches_from(dataset, config)
    fit = functools.partial(
        phases.fit,
        model,
        batches_from=batches_from,
        workdir=workdir,
        validation=data.eval_batches(dataset.validation, batch_size=100) if len(dataset.validation) else None,
        # XLA cannot compile a step that waits for other replicas in its middle.
        jit_compile=model.distribute_strategy.num_replicas_in_sync == 1 and attacks.resolve_jit("auto"),
    )
    steps, optimizer = config.steps, config.optimizer
    with model.distribute_strategy.scope():
        schedule = optimizers.cosine(optimizer.learning_rate, steps.train)
        first = phases.Phase(name="train", optimizer=optimizers.SGD(schedule, optimizer.momentum), steps=steps.train)
        fit(first, interval=settings.interval_of(config, "train"))
        if config.swa:
            _average(model, fit, batches_from, config, one_pass=data.batches_per_pass(dataset.train, config.batch_size))


def first_images(dataset, config, *, count: int = 32):
    """(images [N, H, W, 3] in [0, 1], class names): the first training images, as the student saw them."""
    images, labels = next(iter(_batches_from(dataset, config)(0)))
    return images[:count].numpy(), [dataset.class_names[label] for label in labels[:count]]


def _batches_from(dataset, config):
    def batches_from(step):
        return data.train_batches(
            dataset.train, batch_size=config.batch_size, seed=config.seed, start_step=step, augment=dataset.augment
        )

    return batches_from


def _average(model, fit, batches_from, config, *, one_pass: int):
    steps, optimizer = config.steps, config.optimizer
    constant = optimizers.SGD(optimizer.swa_learning_rate, optimizer.momentum)  # Fresh momentum.
    averaging = swa.wrap(constant, period=steps.swa_period)
    second = phases.Phase(name="swa", optimizer=averaging, steps=steps.swa, first_step=steps.train)
    fit(second, interval=settings.interval_of(config, "swa"))
    swa.assign_averages(averaging, model.student.trainable_variables, period=steps.swa_period)

    strategy = model.distribute_strategy

    def forward(batch):
        model.step.assign_add(1)  # The next dropout mask.
        strategy.run(lambda images: model.student(images, training=True), args=batch)

    batches = batches_from(steps.train + steps.swa).take(one_pass).map(lambda images, labels: (images,))
    swa.reestimate_batch_norm(model.student, distribution.spread(strategy, batches), forward)
