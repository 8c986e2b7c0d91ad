"""An attack on a network: a callable images -> adversarial images."""

import abc
import copy
import dataclasses
import functools

import numpy as np
import tensorflow as tf

from reno_tf import hardware, models
from reno_tf.attacks import cache, checking
from reno_tf.attacks.attack import Attack, Budget
from reno_tf.attacks.balls import BALLS, Limits
from reno_tf.attacks.units import UNITS, widened
from reno_tf.errors import UserError

_NOISE_STREAM = 1  # the control noise of an image is independent of its start


class Crafter(abc.ABC):
    """An attack on one network within a budget.

        attack = PGD().on(teacher, Budget(epsilon=0.1))
        adversarial = attack(images)            # a NumPy array or tensor, float [B, H, W, 3] in [0, 1]
        adversarial = craft(attack, images)     # the same for more images than a batch holds
        dataset = attack.map(dataset)           # batches of a tf.data.Dataset, with labels or without
        smaller = attack.within(attack.budget.scaled(0.5))  # the same traces

    Args:
      network: a model of this package, frozen with the weights it has now, any callable images [B, H, W, 3]
        in [0, 1] -> {output: features}, which `precision` does not change, or an `Ensemble` of either.
      seed: of everything random. Image number i is treated as a pure function of (seed, i, restart).
      precision, jit_compile: see `models.resolve_precision` and `hardware.resolve_jit`.
      others: images that the attack needs beside those it changes, float [N, H, W, 3] in [0, 1].

    Raises UserError if the network lacks what the objective reads, or the budget does not fit the ball.
    """

    def __init__(self, attack: Attack, network, budget, *, seed=0, precision="auto", jit_compile="auto", others=None):
        networks = getattr(network, "members", (network,))
        self.precision = models.resolve_precision(networks[0], precision)
        self.objective = attack.objective.on(network)
        self.attack, self.budget = dataclasses.replace(attack, objective=self.objective), budget
        self.seed, self.others, self.jit_compile = seed, others, hardware.resolve_jit(jit_compile)
        self._limits_of = UNITS[attack.unit](network)
        self._members = [self._frozen(member) for member in networks]
        self._features = self._members[0]
        if attack.ball == "l2" and np.ndim(budget.epsilon):
            raise UserError('epsilon must be one number with ball="l2"')

    def _frozen(self, network):
        """images -> {output: features} of what the objective reads."""
        frozen = models.freeze(network, precision=self.precision)
        return lambda images: frozen(images, self.objective.outputs)

    @property
    def gradients(self) -> int:
        """How many gradients each image costs."""
        return self.budget.steps

    @property
    def parameters(self) -> dict:
        """Everything that the images depend on beside the network's weights, for JSON."""
        budget = {key: np.asarray(value).tolist() for key, value in vars(self.budget).items()}
        settings = {"seed": self.seed, "precision": self.precision, "others": self._others_hash}
        return self.attack.parameters | budget | settings

    @functools.cached_property
    def _others_hash(self):
        return None if self.others is None else cache.content_hash(self.others)

    def within(self, budget: Budget) -> "Crafter":
        """The same attack, with the same traces, in another budget."""
        other = copy.copy(self)
        other.budget = budget
        return other

    def __call__(self, images, indices=None) -> tf.Tensor:
        """Attacks images, an array or tensor of floats [B, H, W, 3] in [0, 1]; returns float32 of that shape.

        `indices` [B] number the images (0 .. B-1 if not given), whatever batch they come in. Raises UserError
        for integers, NaN, values outside [0, 1], another shape, or a gradient that is zero everywhere or not there.
        """
        with checking.refuse_no_gradient():
            return self._attack(*self._enter(images, indices))

    @abc.abstractmethod
    def trace(self, images, indices=None) -> list[float]:
        """The objective's mean over the images before each step and after the last: steps + 1 values."""

    @abc.abstractmethod
    def _attack(self, images, indices) -> tf.Tensor: ...

    def loss(self, images, *context):
        """The objective, [B]; `context`: what it remembers of the clean images."""
        return self.objective.loss(self._features(images), *context)

    def levels(self, adversarial, images) -> tf.Tensor:
        """Adversarial images as uint8, rounded to the nearest levels that lie in the ball around the 8-bit `images`."""
        epsilon = self._limits(tf.convert_to_tensor(images)).epsilon
        levels = BALLS[self.attack.ball].levels(adversarial, images, epsilon)
        return tf.cast(tf.clip_by_value(levels, 0.0, 255.0), tf.uint8)

    def map(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """The data set with every batch attacked, of images [B, H, W, 3] or (images, labels), numbered as they come."""
        spec = dataset.element_spec
        images_spec, *others = spec if isinstance(spec, tuple) else (spec,)
        checking.refuse_integers(images_spec.dtype)

        def attacked():  # Outside the graph of tf.data, which runs on the CPU alone.
            first = 0
            for element in dataset:
                images, *rest = element if isinstance(spec, tuple) else (element,)
                adversarial = self(images, tf.range(first, first + len(images)))
                first += len(images)
                yield (adversarial, *rest) if isinstance(spec, tuple) else adversarial

        images_spec = tf.TensorSpec(images_spec.shape, tf.float32)
        signature = (images_spec, *others) if isinstance(spec, tuple) else images_spec
        return tf.data.Dataset.from_generator(attacked, output_signature=signature)

    def noise(self, images, indices=None, *, draw: int = 0) -> tf.Tensor:
        """The control: the same images under uniform noise of size epsilon, in the same valid range.

        `draw`: which one of many.
        """
        images, indices = self._enter(images, indices)
        limits = widened(self._limits(images), images)
        noise = limits.epsilon * self._random(images, self._keys(indices, _NOISE_STREAM, draw))
        return tf.clip_by_value(images + noise, limits.low, limits.high)

    @property
    def _paced(self) -> Budget:
        """The budget as its steps are taken."""
        return self.budget

    def _limits(self, images) -> Limits:
        """The budget and the valid range in [0, 1] pixels, as tensors: one trace serves them all."""
        scale, low, high = self._limits_of(images.shape[1:])
        budget = self._paced
        epsilon, step_size = (np.float32(length) * np.float32(scale) for length in (budget.epsilon, budget.step_size))
        limits = Limits(epsilon, step_size, np.int32(budget.steps), np.float32(low), np.float32(high))
        return tf.nest.map_structure(tf.constant, limits)

    def _enter(self, images, indices):
        images = checking.as_images(images)
        return images, tf.range(tf.shape(images)[0]) if indices is None else tf.cast(indices, tf.int32)

    def _keys(self, indices, stream, restart=0):
        return _fold(tf.constant([self.seed, stream]), indices, tf.constant(restart))

    def _random(self, images, keys):
        """A point of the unit ball for each image."""
        return _draw(keys, tf.shape(images)[1:], self.attack.ball)

    def _compiled_once(self, function, **options):
        """A tf.function. Many attacks, each compiled once, are intended, so TensorFlow must not warn of them."""
        result = tf.function(function, jit_compile=self.jit_compile, autograph=False, **options)
        result._omit_frequent_tracing_warning = True
        return result


@tf.function(reduce_retracing=True)
def _fold(seed, indices, restart):
    """int32 [B, 2]: one key per image, so that nothing depends on how the images are batched."""

    def key(index):
        first = tf.random.experimental.stateless_fold_in(seed, index, alg="philox")
        again = tf.random.experimental.stateless_fold_in(first, restart, alg="philox")
        return tf.where(restart == 0, first, again)

    return tf.map_fn(key, indices, fn_output_signature=tf.int32)


@tf.function(reduce_retracing=True)
def _draw(keys, shape, ball):
    return tf.map_fn(lambda key: BALLS[ball].draw(shape, key), keys, fn_output_signature=tf.float32)
