"""Which output of a model stands for which label."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from reno_tf.audit.significance import surely_more
from reno_tf.errors import UserError

_NAMED_ERROR = 0.05  # The chance that a class is named wrongly, which refuses nothing.


def parse(order: str, num_classes: int) -> np.ndarray:
    """The output of each label, int [classes], of config.audit.label_order. Raises UserError for an invalid one."""
    if order in ("auto", "given"):
        return np.arange(num_classes)
    named = order.split(",")
    if sorted(named) != sorted(map(str, range(num_classes))):
        raise UserError(
            f'unknown label order {order!r}; choose one of: auto, given, or the output of each label, as "2,0,1": '
            f"each from 0 to {num_classes - 1} once"
        )
    return np.array(named, int)


def match(predicted, labels, num_classes) -> np.ndarray:
    """The output that is matched to each label, so that most predictions are right; as given where that is no worse."""
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (labels, predicted), 1 / np.bincount(labels, minlength=num_classes)[labels])
    return linear_sum_assignment(counts + 1e-6 * np.eye(num_classes), maximize=True)[1]


def cross_matched(predicted, labels, num_classes) -> np.ndarray:
    """Whether each answer is right by the matching of the other half of the images, bool [N]."""
    right, first = np.zeros(len(labels), bool), _halves(labels)
    for half in (first, ~first):
        right[half] = match(predicted[~half], labels[~half], num_classes)[labels[half]] == predicted[half]
    return right


def _halves(labels):
    """Every second image of each class, bool [N]."""
    turns = np.zeros(len(labels), int)
    for label in np.unique(labels):
        members = labels == label
        turns[members] = np.arange(members.sum())
    return turns % 2 == 0


def unmatched(predicted, labels, order) -> tuple[int, ...]:
    """The labels for which surely most images get another answer than the output that stands for them."""
    return tuple(
        int(label)
        for label in np.unique(labels)
        if surely_more(predicted[labels == label] != order[label], 0.5, error=_NAMED_ERROR)
    )
