"""From settings to a student: built, and trained by its method."""

from pathlib import Path

from reno_tf import models
from reno_tf.settings import Settings
from reno_tf.training import distribution, phases
from reno_tf.training.trainer import Transfer


def build_student(settings: Settings, *, num_classes: int):
    """An untrained student."""
    networks, training = settings.networks, settings.training
    options = {"tap": networks.tap, "dropout": training.dropout, "precision": training.precision, **networks.options}
    return models.build(networks.student, num_classes=num_classes, seed=settings.seed, **options)


def new_transfer(settings: Settings, dataset, teacher) -> Transfer:
    """The student beside the teacher, made in the scope of the run's strategy."""
    chosen = settings.training
    with distribution.strategy(chosen.distribution, batch_size=chosen.batch_size).scope():
        student = build_student(settings, num_classes=len(dataset.class_names))
        return Transfer(student, teacher, settings.method, seed=settings.seed)


def fit_student(settings: Settings, model: Transfer, dataset, workdir: Path, *, callbacks=()):
    """Trains through all phases of the method, from the newest checkpoint in `workdir`. Returns the student.

    callbacks: Keras's, which see an epoch in each interval.
    """
    _fit(settings, model, dataset, workdir, samples=0, callbacks=callbacks)
    return model.student


def fit_students(settings: Settings, model: Transfer, dataset, workdir: Path, *, samples: int) -> list:
    """`fit_student`, and as many samples around its average; the average alone if the last phase does not average."""
    students = [model.student]
    for weights in _fit(settings, model, dataset, workdir, samples=samples if settings.schedule.swa else 0):
        students.append(build_student(settings, num_classes=len(dataset.class_names)))
        students[-1].set_weights(weights)
    return students


def _fit(settings, model, dataset, workdir, *, samples, callbacks=()):
    options = {
        "callbacks": callbacks,
        "batch_size": settings.training.batch_size,
        "interval": settings.training.interval,
    }
    steps = settings.method.phases(settings.schedule)
    return phases.train(model, dataset, steps, workdir, seed=settings.seed, samples=samples, **options)
