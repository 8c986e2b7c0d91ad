"""Rates of a table of answers, each a pure function of it. Success is P(wrong when attacked | right when clean)."""

from collections.abc import Sequence

import numpy as np

from reno_tf.evaluation.answers import Answers
from reno_tf.records import Rate


def accuracy(labels, predictions) -> Rate:
    """Right answers. labels, predictions: int [N]."""
    return Rate(int((np.asarray(predictions) == labels).sum()), len(labels))


def success(labels, clean, attacked) -> Rate:
    """Attack success (paper, section 3), on as many images as were attacked. labels, clean: int [N]; attacked [n]."""
    return worst_success(labels, clean, [attacked])


def worst_success(labels, clean, attacked: Sequence) -> Rate:
    """The worst case for each image: success of at least one of several attacks, each int [n]. Undefined for none."""
    count = min(map(len, attacked), default=0)
    labels, right = labels[:count], (clean == labels)[:count]
    wrong = [answers[:count] != labels for answers in attacked]
    return Rate(int((right & np.any(wrong, axis=0)).sum()) if wrong else 0, int(right.sum()))


def success_of_all(labels, clean, attacked) -> Rate:
    """The same successes, as a fraction of all images, which is lower."""
    return Rate(success(labels, clean, attacked).hits, len(attacked))


def first_wrong(labels, clean, attacked: Sequence) -> np.ndarray:
    """The answer to the first of several attacks that fools the student; else that to the clean image. int [n]."""
    worst = np.array(clean)
    for answers in reversed(attacked):
        worst = np.where((clean == labels) & (answers != labels), answers, worst)
    return worst


def worst(answers: Answers) -> np.ndarray:
    """`first_wrong` of all attacks that count, on the images on which all were tried."""
    count = answers.num_tried
    attacked = [attack.final[:count] for attack in answers.counting]
    return first_wrong(answers.labels[:count], answers.clean[:count], attacked)
