"""Models that this project never saw: opened, asked what they take, and made to take images in [0, 1]."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

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
class Foreign:
    """A classifier as its file describes it.

    call: images [B, H, W, 3] in its own range -> scores [B, classes].
    height, width: of its input in pixels, None where it takes any. num_classes: of its output.
    integers: whether it takes whole numbers, as an image file has them.
    """

    call: Callable
    height: int | None
    width: int | None
    num_classes: int
    integers: bool = False


@dataclasses.dataclass(frozen=True)
class Convention:
    """How a model is to be fed and read.

    input_range: a key of `RANGES`. order: int [classes], the output that stands for each label.
    probabilities: whether its scores are probabilities. accuracies: input range -> accuracy on the
    images that were asked, with the labels as they come, and accuracy on half of them with the labels
    matched as well as possible on the other half.
    """

    input_range: str
    order: np.ndarray
    probabilities: bool
    accuracies: dict[str, tuple[float, float]]


class Student:
    """The model as this package's students are: images [B, H, W, 3] in [0, 1] -> {"logits": [B, classes]}."""

    def __init__(self, model: Foreign, convention: Convention):
        self._model, self._convention = model, convention
        self.output = {"logits": tf.TensorSpec([None, model.num_classes])}

    def __call__(self, images, training=False) -> dict:
        scores = self._model.call(RANGES[self._convention.input_range](images))
        if self._convention.probabilities:
            scores = tf.math.log(tf.maximum(scores, 1e-30))
        return {"logits": tf.gather(tf.cast(scores, tf.float32), self._convention.order, axis=1)}


def open_model(path: str) -> Foreign:
    """Opens a SavedModel folder, or a .keras or .h5 file of Keras 2 or 3.

    Of a SavedModel the graph is run; Python code in a file is not: it is refused.

    Raises:
      UserError: it is none of these, or no classifier of colour images.
    """
    if not Path(path).exists():
        raise UserError(f"there is no model {path}")
    if Path(path).is_dir():
        return _open_saved_model(path)
    if Path(path).suffix not in (".keras", ".h5", ".hdf5"):
        raise UserError(f"{path} must be a SavedModel folder, or a file .keras or .h5")
    _refuse_code(path)
    model = _load_keras(path)
    if len(model.inputs) != 1:
        raise UserError(f"{path} takes {len(model.inputs)} inputs, not one batch of images")
    shape = model.inputs[0].shape
    trace = tf.function(lambda images: model(images, training=False), input_signature=[tf.TensorSpec(shape)])
    scores = _only_scores(trace.get_concrete_function().structured_outputs, path)
    return _foreign(lambda images: _only_scores(model(images, training=False), path), shape, scores.shape, path)


def detect(
    model: Foreign, images: np.ndarray, labels: np.ndarray, *, input_range: str = "auto", order: str = "auto"
) -> Convention:
    """Finds the input range, and which output stands for which label, by asking the model on clean images.

    Args:
      images: float32 [N, H, W, 3] in [0, 1], none of which is attacked later. labels: int [N].
      input_range: a key of `RANGES`; "auto" takes the one with the most right answers.
      order: "given": output i is label i; or the output of each label, as "2,0,1". "auto": as given, unless
        matching outputs and labels anew more than doubles the accuracy (on images it was not matched on).

    Raises:
      UserError: under no input range does the model do better than chance; or an order that is none.
    """
    if input_range != "auto":
        choose("input range", input_range, RANGES)
    given, tried = _order(order, model.num_classes), {}
    for name in [input_range] if input_range != "auto" else ["0..255"] if model.integers else RANGES:
        scores = np.concatenate(
            [model.call(tf.constant(RANGES[name](images[i : i + 100]), tf.float32)) for i in range(0, len(images), 100)]
        )
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


def has_gradient(student: Student, images: np.ndarray) -> bool:
    """Whether any score of the student changes with the images [B, H, W, 3] in [0, 1]."""
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        best = tf.reduce_sum(tf.reduce_max(student(images)["logits"], axis=1))
    gradient = tape.gradient(best, images)
    return gradient is not None and bool(tf.reduce_any(gradient != 0))


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


def _refuse_code(path):
    """Loading a Lambda layer from HDF5, whatever the file's name, runs it; .keras is read in Keras's safe mode."""
    import h5py

    if not h5py.is_hdf5(path):
        return
    with h5py.File(path) as file:
        config = json.loads(file.attrs.get("model_config", "{}"))
    if "Lambda" in set(_class_names(config)):
        raise UserError(f"{path} holds a Lambda layer: Python code, which is not run; export it as a SavedModel")


def _class_names(config):
    if isinstance(config, dict):
        yield config.get("class_name")
    for part in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from _class_names(part)


def _load_keras(path):
    import keras
    import tf_keras

    reasons = []
    for library in (tf_keras, keras):
        try:
            return library.models.load_model(path, compile=False)
        except Exception as error:  # Each raises its own kinds for the other's files.
            reasons.append(f"{library.__name__}: {' '.join(str(error).split())[:200]}")
    raise UserError(f"{path} cannot be opened ({'; '.join(reasons)})")


def _open_saved_model(path):
    try:
        loaded = tf.saved_model.load(path)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise UserError(f"{path} is no SavedModel: {str(error).splitlines()[0]}") from None
    names = list(loaded.signatures)
    if "serving_default" not in names and len(names) != 1:
        raise UserError(f"{path} has no signature serving_default, but: {', '.join(names) or 'none'}")
    signature = loaded.signatures["serving_default" if "serving_default" in names else names[0]]
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise UserError(f"{path} takes {', '.join(inputs) or 'nothing'}, not one batch of images")
    ((name, spec),) = inputs.items()

    # Inlined into an attack's loop, a loaded graph makes TensorFlow's optimizer complain.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def call(images, kept=loaded):  # `kept`: a signature does not keep its variables alive.
        taken = tf.round(images) if spec.dtype.is_integer else images
        return _only_scores(signature(**{name: tf.cast(taken, spec.dtype)}), path)

    opened = _foreign(call, spec.shape, _only_scores(signature.structured_outputs, path).shape, path)
    return dataclasses.replace(opened, integers=spec.dtype.is_integer)


def _only_scores(outputs, path):
    """The logits, or else the only output of rank 2."""
    if not isinstance(outputs, dict):
        outputs = dict(enumerate(outputs)) if isinstance(outputs, (list, tuple)) else {"logits": outputs}
    scores = {name: value for name, value in outputs.items() if len(value.shape) == 2}
    if "logits" not in scores and len(scores) != 1:
        raise UserError(f"{path} gives {len(scores)} outputs of rank 2 and none is named logits: which are the scores?")
    return scores.get("logits", next(iter(scores.values())))


def _foreign(call, input_shape, output_shape, path) -> Foreign:
    if len(input_shape) == 4 and input_shape[0] is not None:
        raise UserError(f"{path} takes batches of {input_shape[0]} alone; export it for batches of any size")
    if len(input_shape) != 4 or input_shape[-1] != 3:
        raise UserError(f"{path} takes inputs of shape {tuple(input_shape)}, not colour images [B, H, W, 3]")
    if not output_shape[-1] or output_shape[-1] < 2:
        raise UserError(f"{path} gives outputs of shape {tuple(output_shape)}, not scores of two classes or more")
    return Foreign(call, input_shape[1], input_shape[2], int(output_shape[-1]))
