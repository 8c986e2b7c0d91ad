"""From a frozen network's outputs to a loss on images."""

from collections.abc import Callable

from reno_tf.attacks.base import compiled
from reno_tf.attacks.pgd import PGD
from reno_tf.errors import UserError


def teacher_features(teacher, outputs) -> Callable:
    """images [B, H, W, 3] in [0, 1] -> {name: features}, for the names in `outputs`, in inference mode."""

    def features(images):
        values = teacher(images, training=False)
        return {name: values[name] for name in outputs}

    return features


def feature_pgd(teacher, outputs, loss, *, reference: Callable | None = None, jit_compile="auto", **options) -> PGD:
    """PGD on `loss` of the network's features.

    Args:
      teacher: a model of this package, or a callable like it. outputs: names of its outputs.
      loss: {name: features} (and what `reference` gives) -> [B].
      reference: (features function, images, indices) -> tuple of tensors, computed once per batch.
      jit_compile, **options: of `PGD`.
    """
    features = teacher_features(teacher, outputs)
    known_features = compiled(features, jit_compile)

    def image_loss(images, *known):
        return loss(features(images), *known)

    def context(images, indices):
        return reference(known_features, images, indices) if reference else ()

    return PGD(image_loss, context=context, jit_compile=jit_compile, **options)


def check_neuron(teacher, neuron: int) -> None:
    """Raises UserError if the penultimate features, where their number is known, have no such neuron."""
    width = getattr(teacher, "output", {}).get("penultimate")
    if width is not None and not 0 <= neuron < width.shape[-1]:
        raise UserError(f"neuron must be from 0 to {width.shape[-1] - 1}, not {neuron}")
