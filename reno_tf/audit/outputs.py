"""What kind of numbers a classifier gives, and the logits that they stand for."""

import numpy as np
import tensorflow as tf

from reno_tf.errors import UserError

_SMALLEST = 1e-30  # probability; its logarithm is finite in float32
EXACT, COARSE = 1e-3, 5e-3  # Probabilities add up to 1 within so much, in float32 and in half precision.


def _logarithm(values):
    return tf.math.log(tf.maximum(values, _SMALLEST))


def _two(second):
    """The logits of two classes, of which the second has the one that is given."""
    return tf.concat([tf.zeros_like(second), second], axis=1)


def _odds(values):
    return _logarithm(values) - _logarithm(1.0 - values)


# Scores, float32 [B, outputs] -> logits [B, classes].
KINDS = {
    "logits": lambda scores: scores,
    "probabilities": _logarithm,  # a softmax
    "log-probabilities": lambda scores: scores,
    "sigmoids": _odds,  # one for each class
    "one sigmoid": lambda scores: _two(_odds(scores)),
    "one logit": lambda scores: _two(scores),
}


def kind_of(scores: np.ndarray, near: float = EXACT) -> str:
    """A key of `KINDS`, from the scores [N, outputs] of some images; probabilities add up to 1 within `near`.

    Raises UserError for values that are not finite.
    """
    if not np.isfinite(scores).all():
        raise UserError("the model gives values that are not finite for clean images")
    scores = scores.astype(np.float64)
    inside = bool(np.all((scores >= -near) & (scores <= 1 + near)))
    if scores.shape[1] == 1:
        return "one sigmoid" if inside else "one logit"
    if inside and np.allclose(scores.sum(1), 1, atol=near):
        return "probabilities"
    if np.all(scores <= near) and np.allclose(np.exp(scores).sum(1), 1, atol=near):
        return "log-probabilities"
    return "sigmoids" if inside else "logits"


def as_logits(scores, kind: str):
    """The logits that the scores [B, outputs] of any floating type stand for, float32 [B, classes]."""
    return KINDS[kind](tf.cast(scores, tf.float32))


def as_floats(scores) -> tuple[np.ndarray, float]:
    """The scores as float32, and how exactly probabilities of their type add up to 1."""
    return np.asarray(tf.cast(scores, tf.float32)), COARSE if scores.dtype.size < tf.float32.size else EXACT
