"""What a data set is once it is read: named classes and splits."""

import dataclasses
import hashlib

import numpy as np

from reno_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Split:
    """images: uint8 [N, H, W, 3]; labels: int64 [N]."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def take(self, indices) -> "Split":
        return Split(self.images[indices], self.labels[indices])

    def floats(self) -> np.ndarray:
        """The images as the models take them: float32 in [0, 1]."""
        return self.images.astype(np.float32) / 255

    def digest(self) -> str:
        """SHA-256 over the images' shape and bytes: equal for equal images, whatever their labels."""
        hasher = hashlib.sha256(str(self.images.shape).encode())
        hasher.update(np.ascontiguousarray(self.images))
        return hasher.hexdigest()


@dataclasses.dataclass(frozen=True)
class Dataset:
    """`train` and `validation` are disjoint parts of the published training split."""

    name: str
    class_names: list[str]
    train: Split
    validation: Split
    test: Split

    def facts(self) -> dict:
        """Name and sizes, for results.json."""
        sizes = {f"num_{split}": len(getattr(self, split)) for split in ("train", "validation", "test")}
        return {"name": self.name, "num_classes": len(self.class_names), **sizes}


def draw(split: Split, *, shots: int, validation_per_class: int, seed: int) -> tuple[Split, Split]:
    """Draws `shots` training and `validation_per_class` validation images of each class.

    The draw is a pure function of (seed, class), stratified and nested: the first four of ten
    shots are the four. Zero shots: all that validation leaves. Raises UserError if a class is too
    small.
    """
    train, validation = [], []
    for label in np.unique(split.labels):
        members = np.flatnonzero(split.labels == label)
        if len(members) < shots + validation_per_class or len(members) <= validation_per_class:
            raise UserError(
                f"class {label} has {len(members)} training images: too few for data.shots={shots} "
                f"and data.validation_per_class={validation_per_class}"
            )
        members = np.random.default_rng([seed, int(label)]).permutation(members)
        last = len(members) - validation_per_class
        train.append(members[: shots or last])
        validation.append(members[last:])
    return split.take(np.concatenate(train)), split.take(np.concatenate(validation))
