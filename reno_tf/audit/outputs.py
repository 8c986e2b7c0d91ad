"""Which output of a classifier has its scores, what kind of numbers they are, and the logits that they stand for."""

import numpy as np
import tensorflow as tf

from reno_tf.errors import UserError, choose

_SMALLEST = 1e-30  # probability; its logarithm is finite in float32
_FLOATS = (tf.float32, tf.float64, tf.float16, tf.bfloat16)
EXACT, COARSE = 1e-3, 5e-3  # Probabilities add up to 1 within this, in float32 and in half precision.


def _logarithm(values):
    return tf.math.log(tf.maximum(values, _SMALLEST))


def _two(second):
    """The logits of two classes: 0, and that of the second."""
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


def name_of_scores(ranks: dict[str, int | None], others, wanted: str | None, path) -> str:
    """The output that has the scores: the one that is `wanted`; else "logits", or the only one of rank 2.

    ranks: of the outputs that hold numbers, None where it is unknown. others: names of outputs of other types. Raises
    UserError if there is no such output, or several.
    """
    names = [*ranks, *others]
    asked = ranks if wanted is None else {choose("config.audit.scores", wanted, names): ranks.get(wanted, 0)}
    if unknown := [name for name, rank in asked.items() if rank is None]:
        raise UserError(f"{path} gives {unknown[0]!r} in an unknown shape; export it with [None, classes]")
    matching = [name for name, rank in asked.items() if rank == 2]
    if "logits" in matching or len(matching) == 1:
        return "logits" if "logits" in matching else matching[0]
    if not matching:
        missing = "no output of rank 2" if wanted is None else f"no scores in {wanted!r}, real numbers of rank 2"
        raise UserError(f"{path} gives {missing}: [images, classes]; it has {', '.join(names)}")
    raise UserError(
        f"{path} gives {', '.join(matching)}, each of rank 2: say which has the scores, --config.audit.scores=NAME"
    )


def only_scores(model_outputs, wanted: str | None, path):
    """The output that `name_of_scores` names. model_outputs: a tensor alone, or a dictionary or list of them."""
    if not isinstance(model_outputs, dict):
        is_list = isinstance(model_outputs, (list, tuple))
        model_outputs = dict(enumerate(model_outputs)) if is_list else {"logits": model_outputs}
    named = {str(key): value for key, value in model_outputs.items()}
    ranks = {key: value.shape.rank for key, value in named.items() if value.dtype in _FLOATS}
    return named[name_of_scores(ranks, named.keys() - ranks.keys(), wanted, path)]


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


def refuse_misfit(kind: str, num_outputs: int) -> None:
    """Raises UserError for a kind that does not fit this number of outputs; "auto" always fits."""
    if kind != "auto" and choose("config.audit.outputs", kind, KINDS).startswith("one ") != (num_outputs == 1):
        raise UserError(f"config.audit.outputs={kind!r} does not fit: the model gives {num_outputs} for each image")


def as_logits(scores, kind: str):
    """The logits that the scores [B, outputs] of any floating type stand for, float32 [B, classes]."""
    return KINDS[kind](tf.cast(scores, tf.float32))


def as_floats(scores) -> tuple[np.ndarray, float]:
    """The scores as float32, and how closely probabilities of their type add up to 1."""
    return np.asarray(tf.cast(scores, tf.float32)), COARSE if scores.dtype.size < tf.float32.size else EXACT
