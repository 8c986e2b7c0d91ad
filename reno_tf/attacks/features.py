"""From a frozen network's outputs to a loss on images."""

from collections.abc import Callable

import tf_keras

from reno_tf.attacks.base import compiled
from reno_tf.attacks.pgd import PGD
from reno_tf.errors import UserError
from reno_tf.hardware import resolve_precision
from reno_tf.models import freeze


def frozen_features(network, outputs, precision: str) -> tuple[Callable, str]:
    """(images [B, H, W, 3] in [0, 1] -> {name: features} in inference mode, the precision of its computing).

    precision: "float32", "bfloat16", or "auto": bfloat16 where the hardware has it. Only a model of
    this package can be cast; it is frozen with the weights it has now.
    """
    precision = resolve_precision(precision) if isinstance(network, tf_keras.Model) else "float32"
    return freeze(network, list(outputs), precision=precision), precision


def feature_pgd(
    teacher,
    outputs,
    loss,
    *,
    reference: Callable | None = None,
    precision="auto",
    jit_compile="auto",
    objective: dict,
    **options,
) -> PGD:
    """PGD on `loss` of the network's features.

    Args:
      teacher: a model of this package, or a callable like it. outputs: names of its outputs.
      loss: {name: features} (and what `reference` gives) -> [B].
      reference: (features function, images, indices) -> tuple of tensors, computed once per batch.
      precision: see `frozen_features`. jit_compile, objective, **options: of `PGD`.
    """
    features, precision = frozen_features(teacher, outputs, precision)
    known_features = compiled(features, jit_compile)

    def image_loss(images, *known):
        return loss(features(images), *known)

    def context(images, indices):
        return reference(known_features, images, indices) if reference else ()

    objective = {**objective, "precision": precision}
    return PGD(image_loss, context=context, jit_compile=jit_compile, objective=objective, **options)


def check_neuron(teacher, neuron: int) -> None:
    """Raises UserError if the penultimate features, where their number is known, have no such neuron."""
    width = getattr(teacher, "output", {}).get("penultimate")
    if width is not None and not 0 <= neuron < width.shape[-1]:
        raise UserError(f"neuron must be from 0 to {width.shape[-1] - 1}, not {neuron}")
