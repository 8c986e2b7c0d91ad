"""The model that --mode=audit is given: opened, told from others, and whether each option has an effect on it."""

from pathlib import Path

import numpy as np

from reno_tf import audit as foreign
from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.evaluation import gradients

_PROBES = 100  # images, by the answers to which a function is told from others


def opened(student: str | foreign.Foreign, *, trust: bool, scores: str | None) -> foreign.Foreign:
    """The model in a file or folder, or the one that is open already, which takes no options."""
    if not isinstance(student, foreign.Foreign):
        return foreign.open_model(student, trust=trust, scores=scores)
    for name, value in {"--trust": trust, "config.audit.scores": scores}.items():
        if value:
            raise UserError(f"{name} goes with the path of a model, not with one that is open already")
    return student


def digest(student: str | foreign.Foreign, model: foreign.Student, attacked) -> str:
    """SHA-256 that tells the model from others: of its files, or of its answers if it came without one."""
    if not isinstance(student, foreign.Foreign):
        return foreign.digest_model(student)
    images = attacked.take(np.arange(min(_PROBES, len(attacked)))).floats()[:]
    return files.digest(student.format.encode(), np.asarray(model(images)["logits"]).tobytes())


def why_no_gradient(model: foreign.Foreign, student: foreign.Student, attacked) -> str | None:
    """Why attacks cannot go through the model; None if they can."""
    if model.can_only_be_asked:
        return "the model can only be asked"
    return gradients.why_none(student, attacked.take([0]).floats()[:])


def refuse_without_effect(config_data, said, dataset) -> None:
    """Raises UserError for a key of config.data that was said, where an audit has another value."""
    height, width = dataset.test.images.shape[1:3]
    taken = {
        "shots": (0, "an audit has all training images"),
        "fraction": (1.0, "an audit has all training images"),
        "size": (height, f"the model takes, or the data set has, images of {height}x{width}"),
    }
    for key, (value, why) in taken.items():
        if f"data.{key}" in said and config_data[key] != value:
            raise UserError(f"config.data.{key}={config_data[key]} would have no effect: {why}")


def has_images(folder: Path, wanted: int | None, num_attacked: int, num_tried: int) -> bool:
    """Whether so many adversarial images of each attack lie in `folder`.

    num_attacked: the images that the headline's attack has; num_tried: those that each other has.
    """
    kept = [len(list(attack.glob("*.png"))) for attack in folder.glob("*")]
    return not wanted or bool(kept) and max(kept) >= min(wanted, num_attacked) and min(kept) >= min(wanted, num_tried)
