"""From a data set's name to its splits."""

import dataclasses
import functools
import json
import os
from pathlib import Path

import numpy as np
from absl import logging

from reno_tf import files
from reno_tf.data import builders, building, leaks, photos, sources, transforms
from reno_tf.data.base import Dataset, Split, draw_splits
from reno_tf.errors import UserError


def load(
    name: str,
    *,
    seed: int = 0,
    shots: int = 0,
    fraction: float = 1.0,
    validation_per_class: int = 0,
    size: int = 224,
    folder: str | None = None,
    data_dir: str | None = None,
    skip_unreadable: bool = False,
    download: bool = False,
    cache: bool = False,
    progress=iter,
) -> Dataset:
    """Builds the data set if it is not built yet, then opens it.

    Args:
      name: a key of `DATASETS`, or "tfds:NAME"; see `sources.find`.
      seed, shots, fraction, validation_per_class: of the training and validation images; see `base.draw_splits`. A
        validation split that the folder has is taken as a whole, and nothing is held out.
      size: side of the photos' views, in pixels. The embedded sets have a fixed size.
      folder: the user's images, or the archives that the user fetched.
      data_dir: where tensorflow-datasets stores its builds; None: where it does by default. In both "~" is the user's
        home.
      skip_unreadable: leave out photos that cannot be decoded, rather than fail.
      download: whether the network may be used.
      cache: keep the encoded photos in memory after their first use.
      progress: wraps the iterable of photos while each is decoded for the first time.

    Warns of images that are in training and in another split.

    Raises UserError: the data set is not prepared, cannot be built, or holds unreadable images (by name).
    """
    folder, data_dir = (path and os.path.expanduser(path) for path in (folder, data_dir))
    source = sources.find(name, data_dir)
    open_builder = functools.partial(source.open, folder=folder, skip_unreadable=skip_unreadable, data_dir=data_dir)
    builder = building.build_once(name, source, open_builder, folder=folder, download=download)
    published = {}
    for split, tfds_split in source.splits(builder).items():
        if source.origin == "embedded":
            published[split] = _embedded(builder, tfds_split)
        else:
            index = building.index(builder, tfds_split, progress=progress)
            if np.any(index["labels"] < 0):  # As in the test splits of contests.
                raise UserError(f"{name} has images without a label in its split {tfds_split!r}")
            photos_of_split = _photos(building.records(builder, tfds_split), index, size=size, cache=cache)
            published[split] = _Published(
                photos_of_split, leaks.Prints.of_index(index), _unreadable(builder, split, index)
            )
    unreadable = {split: content.unreadable for split, content in published.items()}
    if any(unreadable.values()) and not skip_unreadable:
        message = builders.unreadable_message(unreadable)
        raise UserError(f"{name} holds {message}; leave them out with --skip_unreadable")
    class_names = builder.info.features["label"].names
    sizes = (len(class_names), *(len(content.split) + len(content.unreadable) for content in published.values()))
    if source.sizes not in (None, sizes):
        raise UserError(f"{name} has {sizes} classes, training and test images; published are {source.sizes}")
    train, validation = draw_splits(
        published["train"].split,
        shots=shots,
        fraction=fraction,
        validation_per_class=0 if "validation" in published else validation_per_class,
        seed=seed,
        class_names=class_names,
    )
    validation = published["validation"].split if "validation" in published else validation
    test = published["test"].split
    dataset = Dataset(
        name=name.removeprefix("tfds:"),  # Folders are named after it.
        class_names=class_names,
        train=train,
        validation=validation,
        test=test,
        augment=transforms.random_affine if source.origin == "embedded" else None,
        unreadable=unreadable,
        note=source.note,
        leaks=_leaks(train, validation, test, {split: content.prints for split, content in published.items()}),
    )
    if sentence := leaks.sentence(dataset.facts(), names=1):
        logging.warning("%s: %s", dataset.name, sentence)
    return dataset


@dataclasses.dataclass(frozen=True)
class _Published:
    """A published split. unreadable: files that are not in it."""

    split: Split
    prints: leaks.Prints
    unreadable: list[str] = dataclasses.field(default_factory=list)


def _embedded(builder, split) -> _Published:
    images, labels = builder.as_dataset(split=split, batch_size=-1, as_supervised=True, shuffle_files=False)
    images, labels = np.asarray(images), np.asarray(labels)
    return _Published(Split(images, labels), leaks.Prints.of_images(images, labels))


def _unreadable(builder, split, index) -> list[str]:
    """The files that the build left out, and those that TensorFlow cannot decode."""
    left_out = builder.info.metadata["unreadable"][split] if isinstance(builder, builders.PhotosBuilder) else []
    return [*left_out, *index["files"][~index["readable"]].tolist()]


def fingerprint(
    name: str, *, folder: str | None = None, data_dir: str | None = None, skip_unreadable: bool = False
) -> str | None:
    """SHA-256 of the names, sizes and times of a built data set's files, which tells it from any other.

    For a user's folder it changes once a file in there has changed. None: the data set is not built. Raises UserError
    as `load` does for names and folders.
    """
    folder, data_dir = (path and os.path.expanduser(path) for path in (folder, data_dir))
    source = sources.find(name, data_dir)
    if source.origin == "folder" and folder is None:
        return None
    built = Path(source.open(folder=folder, skip_unreadable=skip_unreadable, data_dir=data_dir).data_path)
    if not built.is_dir():
        return None
    listing = [(str(file), *files.size_and_times(file)) for file in files.files_below(built)]
    return files.digest(json.dumps(listing).encode())


def _leaks(train, validation, test, prints) -> leaks.Leaks:
    """`prints`: of the published splits; a validation split that is not published is part of the training split."""
    held_out = prints.get("validation", prints["train"])
    return leaks.Leaks.of(
        train=prints["train"].take(train.indices),
        validation=held_out.take(validation.indices),
        test=prints["test"].take(test.indices),
    )


def _photos(examples, index, *, size, cache):
    numbers = np.flatnonzero(index["readable"])
    read = lambda number: examples[int(number)]["image"]  # noqa: E731
    views = photos.Photos(functools.cache(read) if cache else read, numbers, size=size)
    return Split(views, index["labels"][numbers], index["files"][numbers], numbers)
