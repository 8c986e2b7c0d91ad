"""How a model wants to be fed and read, found by asking it on clean images."""

import dataclasses

import numpy as np
import tensorflow as tf
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

from reno_tf.audit.opening import Foreign
from reno_tf.errors import UserError, choose

_CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# What a model may want to be fed, from images in [0, 1], red first.
RANGES = {
    "0..1": lambda images: images,
    "0..255": lambda images: 255 * images,
    "-1..1": lambda images: 2 * images - 1,
    "caffe": lambda images: 255 * images[..., ::-1] - _CAFFE_MEAN,
    "mean/std": lambda images: (images - _MEAN) / _STD,
}


@dataclasses.dataclass(frozen=True)
class Convention:
    """How a model is to be fed and read.

    accuracies: input range -> accuracy on the images that were asked, with the labels as they come, and
    accuracy on half of them with the labels matched as well as possible on the other half.
    """

    input_range: str  # a key of `RANGES`
    order: np.ndarray  # int [classes], the output that stands for each label
    probabilities: bool  # whether its scores are probabilities
    accuracies: dict[str, tuple[float, float]]


def detect(model: Foreign, images, labels, *, input_range: str = "auto", order: str = "auto") -> Convention:
    """Finds the input range, and which output stands for which label, by asking the model on clean images.

    Args:
      images: float32 [N, H, W, 3] in [0, 1], none of which is attacked later. labels: int [N].
      input_range: a key of `RANGES`; "auto" takes the one with the most right answers.
      order: "given": output i is label i; or the output of each label, as "2,0,1". "auto": as given, unless
        matching outputs and labels anew more than doubles the accuracy (on images it was not matched on).

    Raises UserError if under no input range the model does better than chance, or for an order that is none.
    """
    if input_range != "auto":
        choose("input range", input_range, RANGES)
    given, tried = _order(order, model.num_classes), {}
    parts = [images[i : i + 100] for i in range(0, len(images), 100)]
    for name in [input_range] if input_range != "auto" else ["0..255"] if model.integers else RANGES:
        scores = np.concatenate([model.call(tf.constant(RANGES[name](part), tf.float32)) for part in parts])
        tried[name] = (scores, *_accuracies(scores.argmax(1), labels, given))
    best = max(tried, key=lambda name: max(tried[name][1 : 3 if order == "auto" else 2]))
    scores, as_given, matched = tried[best]
    renamed = order == "auto" and matched > 2 * as_given
    asked = len(labels) // 2 if renamed else len(labels)
    _check_better_than_chance(matched if renamed else as_given, asked, model.num_classes)
    return Convention(
        best,
        _match(scores.argmax(1), labels, model.num_classes) if renamed else given,
        bool(np.all(scores >= 0) and np.allclose(scores.sum(1), 1, atol=1e-3)),
        {name: (float(row[1]), float(row[2])) for name, row in tried.items()},
    )


def _order(order, num_classes) -> np.ndarray:
    if order in ("auto", "given"):
        return np.arange(num_classes)
    outputs = order.split(",")
    if sorted(outputs) != sorted(map(str, range(num_classes))):
        raise UserError(
            f'unknown label order {order!r}; choose one of: auto, given, or the output of each label, as "2,0,1": '
            f"each from 0 to {num_classes - 1} once"
        )
    return np.array(outputs, int)


def _accuracies(predicted, labels, given):
    """Accuracy as given; accuracy on every second image with what was matched on the others."""
    matching = _match(predicted[1::2], labels[1::2], len(given))
    return np.mean(given[labels] == predicted), np.mean(matching[labels[::2]] == predicted[::2])


def _match(predicted, labels, num_classes) -> np.ndarray:
    """The output that is matched to each label, so that most predictions are right."""
    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (labels, predicted), 1)
    return linear_sum_assignment(counts, maximize=True)[1]


def _check_better_than_chance(accuracy, asked, num_classes):
    right = round(accuracy * asked)
    if binomtest(right, asked, 1 / num_classes, alternative="greater").pvalue > 0.001:
        raise UserError(
            f"the model gets {right} of {asked} clean images right, no more than chance, under every input range "
            f"tried: are these its classes? (config.audit.input_range: {', '.join(RANGES)})"
        )
