"""What every attack is: a budget, a valid range, and images in, images out."""

import numpy as np
import tensorflow as tf

from reno_tf.attacks.checking import as_images, refuse_integers
from reno_tf.attacks.steps import BALLS
from reno_tf.errors import UserError, choose

_NOISE_STREAM = 1  # the control noise of an image is independent of its start


class Attack:
    """A callable images -> adversarial images within a ball and a valid range.

    Subclasses define `attack(images, indices)` and `trace(images, indices)`.

    Attributes:
      epsilon: radius of the ball, float32 scalar or one value per channel, in [0, 1] pixels.
      parameters: everything that its images depend on beside the teacher's weights, for JSON.
    """

    def __init__(self, *, epsilon, low, high, seed: int, ball: str):
        if np.min(epsilon) < 0:
            raise UserError(f"epsilon must not be negative, not {epsilon}")
        if choose("ball", ball, BALLS) == "l2" and np.ndim(epsilon):
            raise UserError('epsilon must be one number with ball="l2"')
        self.epsilon, self.low, self.high = np.float32(epsilon), np.float32(low), np.float32(high)
        self.seed, self.ball = seed, ball
        values = {key: getattr(self, key).tolist() for key in ("epsilon", "low", "high")}
        self.parameters = {"ball": ball, "seed": seed, **values}

    def __call__(self, images, indices=None) -> tf.Tensor:
        """Attacks images: an array or tensor of floats [B, H, W, 3] in [0, 1]; returns float32 of that shape.

        `indices` [B] number the images (0 .. B-1 if not given): what is random about an image
        depends on its number, never on the batch it comes in. `reno_tf.attacks.craft` attacks sets
        that are larger than a batch, `map` a tf.data.Dataset.

        Raises:
          UserError: integers, NaN, values outside [0, 1], another shape, or a gradient that is zero everywhere.
        """
        return self.attack(*self._enter(images, indices))

    def map(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """The data set with every batch of images attacked: of images [B, H, W, 3], or of (images, labels).

        The images are numbered in the order they come in.

        Raises:
          UserError: the images are integers.
        """
        spec = dataset.element_spec
        images_spec, *others = spec if isinstance(spec, tuple) else (spec,)
        refuse_integers(images_spec.dtype)
        images_spec = tf.TensorSpec(images_spec.shape, tf.float32)

        def attacked():  # Outside the graph of tf.data, which runs on the CPU alone.
            first = 0
            for element in dataset:
                images, *rest = element if isinstance(spec, tuple) else (element,)
                adversarial = self(images, tf.range(first, first + len(images)))
                first += len(images)
                yield (adversarial, *rest) if isinstance(spec, tuple) else adversarial

        signature = (images_spec, *others) if isinstance(spec, tuple) else images_spec
        return tf.data.Dataset.from_generator(attacked, output_signature=signature)

    def noise(self, images, indices=None) -> tf.Tensor:
        """The control: the same images under uniform noise of size epsilon, in the same valid range."""
        images, indices = self._enter(images, indices)
        noisy = images + self._random(images, self._keys(indices, _NOISE_STREAM))
        return tf.clip_by_value(noisy, self.low, self.high)

    def _enter(self, images, indices):
        images = as_images(images)
        return images, tf.range(tf.shape(images)[0]) if indices is None else tf.cast(indices, tf.int32)

    def _keys(self, indices, stream, restart=0):
        return _fold(tf.constant([self.seed, stream]), indices, tf.constant(restart))

    def _random(self, images, keys):
        return self.epsilon * _draw(keys, tf.shape(images)[1:], self.ball)


def resolve_jit(jit_compile: bool | str) -> bool:
    """True, False, or "auto": whether a GPU is visible."""
    return bool(tf.config.list_physical_devices("GPU")) if jit_compile == "auto" else bool(jit_compile)


def compiled(function, jit_compile: bool | str, **options):
    """A tf.function. Many attacks, each compiled once, are meant: they are no reason for a warning."""
    result = tf.function(function, jit_compile=resolve_jit(jit_compile), **options)
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
