"""A data set that is read: named classes, and splits of images with labels."""

import dataclasses
import hashlib
import json
from collections.abc import Callable

import numpy as np

from reno_tf.data.leaks import Leaks
from reno_tf.data.photos import Floats, Photos
from reno_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Split:
    """Images, uint8 [N, H, W, 3], with their labels, int64 [N].

    images: an array, or `Photos` that are decoded when indexed. Raises UserError for another type of pixels.
    files: names [N] of the images' files, or None for images that never were files.
    indices: int64 [N], each image's place in the published split; 0, 1, ... by default.
    """

    images: np.ndarray | Photos
    labels: np.ndarray
    files: np.ndarray | None = None
    indices: np.ndarray | None = None

    def __post_init__(self):
        if self.images.dtype != np.uint8:
            raise UserError(f"a split's images must be uint8, 0 to 255, not {self.images.dtype}")
        if self.indices is None:
            object.__setattr__(self, "indices", np.arange(len(self.labels)))

    def __len__(self):
        return len(self.labels)

    def take(self, positions) -> "Split":
        positions = np.asarray(positions, np.int64)
        images = self.images.take(positions) if isinstance(self.images, Photos) else self.images[positions]
        files = None if self.files is None else self.files[positions]
        return Split(images, self.labels[positions], files, self.indices[positions])

    def first(self, count: int) -> "Split":
        """The first `count` images; all if that is 0, or more than there are."""
        return self.take(np.arange(count)) if 0 < count < len(self) else self

    def seen(self, geometry: str) -> "Split":
        """See `Dataset.seen`."""
        if not isinstance(self.images, Photos):
            return self
        return dataclasses.replace(self, images=self.images.seen(geometry))

    def origin(self) -> dict:
        """The images' places in the published split, and their files."""
        return {"indices": self.indices.tolist()} | ({} if self.files is None else {"files": self.files.tolist()})

    def floats(self) -> np.ndarray | Floats:
        """The images as float32 in [0, 1]; those of `Photos` are computed when indexed."""
        return Floats(self.images) if isinstance(self.images, Photos) else self.images.astype(np.float32) / 255

    def digest(self) -> str:
        """SHA-256 over the images' shape and content, in hexadecimal."""
        if isinstance(self.images, Photos):
            return self.images.digest()
        return hashlib.sha256(str(self.images.shape).encode() + self.images.tobytes()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Dataset:
    """`train` and `validation` are disjoint parts of the published training split, unless validation is published too.

    augment: the augmentation besides a photo's random crop, for `train_batches`.
    unreadable: files of the published splits that are left out: "train", "test", and "validation" if there is one.
    note: what a reader of the results should know about the data set.
    leaks: images that are in training and in another split.
    """

    name: str
    class_names: list[str]
    train: Split
    validation: Split
    test: Split
    augment: Callable | None = None
    unreadable: dict[str, list[str]] = dataclasses.field(default_factory=lambda: {"train": [], "test": []})
    note: str = ""
    leaks: Leaks = Leaks()

    def seen(self, geometry: str) -> "Dataset":
        """The same data set with the views of photos in another geometry; other images stay as they are."""
        splits = {split: getattr(self, split) for split in ("train", "validation", "test")}
        return dataclasses.replace(self, **{name: split.seen(geometry) for name, split in splits.items()})

    def relabelled(self, labels: np.ndarray, class_names: list[str]) -> "Dataset":
        """The same images, with the label labels[i] of `class_names` in place of the label i."""
        splits = {split: getattr(self, split) for split in ("train", "validation", "test")}
        renamed = {name: dataclasses.replace(split, labels=labels[split.labels]) for name, split in splits.items()}
        return dataclasses.replace(self, class_names=class_names, **renamed)

    def tested_on(self, split: str) -> "Dataset":
        """The same data set with that split, "test" or "validation", as its test split."""
        return dataclasses.replace(self, test=getattr(self, split))

    def digest(self) -> str:
        """SHA-256 over the names of the classes and all images with their labels, in hexadecimal."""
        total = hashlib.sha256(json.dumps(self.class_names).encode())
        for split in (self.train, self.validation, self.test):
            total.update(split.digest().encode() + split.labels.tobytes())
        return total.hexdigest()

    @property
    def geometry(self) -> str:
        """How an image of any size becomes one of these, a key of `transforms.GEOMETRIES`."""
        return self.test.images.geometry if isinstance(self.test.images, Photos) else "crop"  # Arrays have their size.

    def facts(self) -> dict:
        """Name, sizes and leaks, for results.json."""
        sizes = {f"num_{split}": len(getattr(self, split)) for split in ("train", "validation", "test")}
        unreadable = {f"num_unreadable_{split}": len(files) for split, files in self.unreadable.items()}
        return {
            "name": self.name,
            "num_classes": len(self.class_names),
            "note": self.note,
            **sizes,
            **unreadable,
            **self.leaks.facts(),
        }

    def chosen(self) -> dict:
        """Which images of the published splits are used before the test's, for data.json."""
        return {"train": self.train.origin(), "validation": self.validation.origin()}


_VALIDATION_SHARE = 5  # At most one image in this many is held out, where all others are trained on.


def draw_splits(
    split: Split, *, shots=0, fraction=1.0, validation_per_class=0, seed: int, class_names=None
) -> tuple[Split, Split]:
    """Draws training and validation images of each class, as a pure function of (seed, class).

    Smaller draws are subsets of larger ones: four shots of ten, 33 % of 66 %. Raises UserError if a class is too small.

    Args:
      shots: training images of each class; 0: all images except those of validation.
      fraction: in (0, 1], the part of the shots that is drawn, at least one image of each class.
      validation_per_class: validation images of each class, if the class has as many: with shots at most what these
        leave; without shots at most a fifth of the class, rounded; in either case at least one.
      class_names: what the error calls the classes; by default their labels.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"data.fraction must be in (0, 1], not {fraction}")
    train, validation = [], []
    for label in np.unique(split.labels):
        members = np.flatnonzero(split.labels == label)
        spare = len(members) - shots if shots else max(1, round(len(members) / _VALIDATION_SHARE))
        held_out = min(validation_per_class, spare)
        available = len(members) - held_out
        if available < max(shots, 1) or held_out < min(validation_per_class, 1):
            name = label if class_names is None else repr(class_names[label])
            asked = f"data.shots={shots}" + " and one for validation" * bool(validation_per_class)
            raise UserError(
                f"class {name} has {len(members)} training image{'s' * (len(members) != 1)}: too few for {asked}"
            )
        members = np.random.default_rng([seed, int(label)]).permutation(members)
        train.append(members[: max(1, round(fraction * (shots or available)))])
        validation.append(members[available:])
    return split.take(np.concatenate(train)), split.take(np.concatenate(validation))
