"""The one training step of all transfer methods, as a Keras model."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf
import tf_keras

from reno_tf import hardware, models
from reno_tf.errors import UserError
from reno_tf.methods import Batch, Method, Phase, Preparation, Step, losses
from reno_tf.models import replicas
from reno_tf.training.pairing import check_pair


class Transfer(tf_keras.Model):
    """Trains `student` by `method`, looking at a frozen `teacher`.

    The student is this object's from then on: which of its layers train is set here, its dropout masks are
    a pure function of (seed, step, layer), and over several replicas its BatchNorm takes the whole batch's
    statistics. The teacher is held out of Keras's sight: it is neither trained, nor saved with the student,
    nor listed among the variables. Compile with an optimizer; fit on batches (images [B, H, W, 3]
    in [0, 1], labels int [B]), with weights [B] if some images are to count for more. Every loss term
    is a metric of its own.

    Args:
      student: a model of `reno_tf.models.build(..., num_classes=...)`. It starts from the
        teacher's backbone weights if the method says so, else from those it has. Beside a mixed
        student, the teacher's features are computed in bfloat16 too where the hardware has it.
      teacher: a model of the same backbone, with the weights it will have in every step, or None
        for a method that needs none. From random weights, features may also be matched to another
        backbone's, if all stages' shapes agree.
      total_steps: of the training, for a method that changes along it.

    Raises UserError if the method needs a teacher, or the student lacks a head or does not fit the teacher.
    """

    def __init__(
        self,
        student: tf_keras.Model,
        teacher: tf_keras.Model | None,
        method: Method,
        *,
        seed: int = 0,
        total_steps: int | None = None,
    ):
        super().__init__(name=method.name)
        if models.head_layer(student) is None:
            raise UserError("the student has no linear head: build it with num_classes")
        check_pair(student, teacher, method)
        if method.one_device and self.distribute_strategy.num_replicas_in_sync > 1:
            raise UserError(f"{method.name} trains on one device alone: config.distribution must be none")
        if method.start == "teacher":
            models.copy_backbone(teacher, student)
        self.student, self.method, self._seed = student, method, seed
        self._phase: Phase | None = None
        self.total_steps = total_steps
        # Steps over all phases. Not `optimizer.iterations`, which starts again with each optimizer.
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step", aggregation=first)
        self.state = method.state(student)
        self._stages, self._means = models.stage_names(student), {}
        self._frozen: Callable | None = None
        self._untracked = lambda: teacher  # Keras would track an attribute.
        self.attack_through([])
        if self.distribute_strategy.num_replicas_in_sync > 1:
            models.synchronize(student)
            self.distribute_reduction_method = "first"  # The metrics' results are global already: do not add them up.
        if method.needs_features:
            self._frozen = self._freeze(teacher)
        for layer in student.layers:
            if isinstance(layer, models.SpatialDropout2D):
                layer.key = self._key
        self.begin(None)

    @property
    def teacher(self) -> tf_keras.Model | None:
        return self._untracked()

    def attack_through(self, siblings: Sequence[tf_keras.Model]) -> None:
        """Hands the method networks beside the teacher, as they are now: `Step.siblings`. Compile after it."""
        frozen = tuple(self._freeze(sibling) for sibling in siblings)
        self._siblings = lambda: frozen

    def _freeze(self, network):
        precision = hardware.resolve_precision("auto") if models.is_mixed(self.student) else "float32"
        return models.freeze(network, precision=precision)

    def begin(self, phase: Phase | None) -> None:
        """Lets the weights train that the phase trains; None: those that the method says. Compile after it."""
        self._phase = phase
        trains, head = (phase and phase.trains) or self.method.trains, models.head_layer(self.student)
        for layer in self.student.layers:
            layer.trainable = trains == "all" or layer is head
        backbone = {n: w for n, w in models.named_weights(self.student, head=False).items() if w.trainable}
        teacher = self.teacher if self.method.start == "teacher" else None
        inherited = teacher and models.named_weights(teacher, head=False)
        anchors = inherited and [inherited[name] for name in backbone]
        self._weights_of = lambda: {
            "weights": self.student.trainable_variables,
            "head": head.trainable_variables,
            "backbone": list(backbone.values()),
            "anchors": anchors,
        }

    def prepare(self, train=None, batches=None) -> None:
        """Lets the method change student and state before the running phase; the data are as `Preparation` has them."""
        self.method.prepare(self._preparation(train, batches))

    def batches(self, train, batches) -> Callable:
        """What the method trains on, from batches of the training images; see `Method.batches`."""
        return self.method.batches(self._preparation(train, batches))

    def _preparation(self, train, batches) -> Preparation:
        return Preparation(
            phase=self._phase,
            number=int(self.step.numpy()),
            student=self.student,
            teacher=self.teacher,
            train=train,
            batches=batches,
            state=dict(self.state),
            seed=self._seed,
        )

    def compile(self, optimizer, **options):
        """As Keras's. The optimizer has its slots from here on: checkpoints fill them, and the step is traced once."""
        super().compile(optimizer=optimizer, **options)
        create = getattr(self.optimizer, "_create_all_weights", None) or self.optimizer.build  # legacy, and the others
        create(self.student.trainable_variables)

    def call(self, images, training=False):
        """images [B, H, W, 3] in [0, 1] -> logits [B, classes]."""
        return self.student(images, training=training)["logits"]

    def train_step(self, data):
        step = self._step(*tf_keras.utils.unpack_x_y_sample_weight(data))
        images = self.method.perturb(step)
        matched = step.images if self.method.clean_targets else images
        targets = self._frozen(matched, self._stages) if self.method.needs_features else None
        with tf.GradientTape() as tape:
            outputs = self.student(images, training=True)
            # A mixed model's stages are bfloat16, its losses must not be.
            outputs = {name: tf.cast(features, outputs["logits"].dtype) for name, features in outputs.items()}
            seen = dataclasses.replace(step, images=images)
            terms = self.method.terms(Batch(**vars(seen), outputs=outputs, targets=targets, **self._weights_of()))
            loss = tf.add_n(list(terms.values()))
            replica_loss = replicas.share(loss)
        self.optimizer.minimize(replica_loss, self.student.trainable_variables, tape=tape)
        self.step.assign_add(1)
        return self._update({"loss": loss, **terms}, step.labels, outputs["logits"])

    def test_step(self, data):
        images, labels, weights = tf_keras.utils.unpack_x_y_sample_weight(data)
        labels, logits = _flat(labels), self(images, training=False)
        return self._update({"cross_entropy": losses.cross_entropy(labels, logits, weights)}, labels, logits)

    @property
    def metrics(self):
        return list(self._means.values())  # Keras resets these at the start of each epoch.

    def means(self) -> dict[str, list[float]]:
        """{metric: its sum and count} since the epoch's first step; `resume_means` takes it."""
        return {name: [float(mean.total), float(mean.count)] for name, mean in self._means.items()}

    def resume_means(self, means: dict[str, list[float]]) -> None:
        for name, (total, count) in means.items():
            self._mean(name).total.assign(total)
            self._mean(name).count.assign(count)

    def _step(self, images, labels, sample_weights):
        return Step(
            images=images,
            labels=_flat(labels),
            sample_weights=sample_weights,
            stages=self._stages,
            student=self.student,
            teacher=self._frozen,
            siblings=self._siblings(),
            state=dict(self.state),
            number=self.step.read_value(),
            total_steps=self.total_steps,
            phase=self._phase,
            key=self._key(),
        )

    def _key(self):
        """int32 [2]: what is random in a step is drawn from it."""
        return tf.stack([tf.constant(self._seed, tf.int32), tf.cast(self.step, tf.int32)])

    def _update(self, scalars, labels, logits):
        hits = tf.cast(tf.equal(tf.argmax(logits, -1), tf.cast(labels, tf.int64)), tf.float32)
        values = {**scalars, "accuracy": hits}
        for name, value in values.items():
            self._mean(name).update_state(value, sample_weight=None if name == "accuracy" else tf.shape(labels)[0])
        return {name: self._means[name].result() for name in values}

    def _mean(self, name):
        if name not in self._means:
            # A tf.function would take the variable for one of its own, and be traced a second time for those.
            with tf.variable_creator_scope(
                lambda create, **settings: create(**settings | {"experimental_enable_variable_lifting": False})
            ):
                self._means[name] = tf_keras.metrics.Mean(name=name)
        return self._means[name]


def _flat(labels):
    """Labels [B] of [B] or [B, 1], as Keras takes them."""
    return tf.reshape(labels, [-1])
