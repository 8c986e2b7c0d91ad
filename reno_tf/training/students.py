"""One student from beginning to end: built, trained by its method, resumed where that was interrupted."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reno_tf import models
from reno_tf.data import Dataset
from reno_tf.methods import Method, Phase, Schedule
from reno_tf.training import distribution, phases
from reno_tf.training.trainer import Transfer

_SEEDS = 1000  # from a student's seed to its first sibling's, and from one sibling's to the next


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """How one student is made, from whatever data and teacher."""

    backbone: str  # a key of `models.BACKBONES`
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of `models.build`
    method: Method
    schedule: Schedule
    batch_size: int  # images of a step, of all devices together
    interval: int  # steps between validations, checkpoints and rows of the history
    seed: int = 0  # of the weights, the batches, their augmentation and dropout
    distribution: str = "none"  # a key of `distribution.STRATEGIES`

    @property
    def phases(self) -> tuple[Phase, ...]:
        return self.method.phases(self.schedule)

    @property
    def steps(self) -> int:
        """Of all phases."""
        return sum(phase.steps for phase in self.phases)

    @property
    def siblings(self) -> tuple["Job", ...]:
        """The jobs of the networks that are trained before the student."""
        methods = enumerate(self.method.before(), 1)
        return tuple(
            dataclasses.replace(self, method=method, seed=self.seed + number * _SEEDS) for number, method in methods
        )

    def untrained(self, *, num_classes: int):
        """The student with its first weights."""
        return models.build(self.backbone, num_classes=num_classes, seed=self.seed, **self.options)

    def transfer(self, dataset: Dataset, teacher) -> Transfer:
        """The student beside the teacher, made in the scope of the job's strategy.

        Raises UserError if they do not fit.
        """
        with distribution.strategy(self.distribution, batch_size=self.batch_size).scope():
            student = self.untrained(num_classes=len(dataset.class_names))
            return Transfer(student, teacher, self.method, seed=self.seed)

    def train(self, model: Transfer, dataset: Dataset, workdir: Path, *, callbacks: Sequence = ()):
        """Trains through all phases, from the newest checkpoint in `workdir`. Returns the student."""
        self._train(model, dataset, workdir, callbacks=callbacks)
        return model.student

    def train_several(self, model: Transfer, dataset: Dataset, workdir: Path, *, samples: int) -> list:
        """`train`, and as many samples around its average; the average alone if the last phase does not average."""
        students = [model.student]
        for weights in self._train(model, dataset, workdir, samples=samples if self.schedule.swa else 0):
            students.append(self.untrained(num_classes=len(dataset.class_names)))
            students[-1].set_weights(weights)
        return students

    def _train(self, model, dataset, workdir, *, samples=0, callbacks=()):
        folders = [workdir / f"sibling{number}" for number in range(1, len(self.siblings) + 1)]
        jobs = zip(self.siblings, folders, strict=True)
        model.attack_through([job._sibling(model.teacher, dataset, folder) for job, folder in jobs])
        course = phases.Course.on(
            dataset,
            workdir,
            batch_size=self.batch_size,
            interval=self.interval,
            seed=self.seed,
            callbacks=callbacks,
        )
        return phases.train(model, self.phases, course, samples=samples)

    def _sibling(self, teacher, dataset, workdir):
        """Trains, and returns the student outside of the job's strategy and in float32."""
        trained = self.train(self.transfer(dataset, teacher), dataset, workdir)
        sibling = self.untrained(num_classes=len(dataset.class_names))
        sibling.set_weights(trained.get_weights())
        return models.as_float32(sibling)
