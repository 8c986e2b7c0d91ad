"""From a data set's name to its splits."""

import functools
import os

import numpy as np
from absl import logging

from reno_tf.data import builders, building, leaks, photos, sources, transforms
from reno_tf.data.base import Dataset, Split, draw
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
      seed, shots, fraction, validation_per_class: of the training and validation images; see `draw`. A validation split
        that the folder has is taken as a whole, and nothing is held out.
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
    builder = building.build(name, source, open_builder, folder=folder, download=download)
    splits, prints, unreadable = {}, {}, {}
    for split, published in source.splits(builder).items():
        unreadable[split] = []
        if source.origin == "embedded":
            images, labels = builder.as_dataset(split=published, batch_size=-1, as_supervised=True, shuffle_files=False)
            images, labels = np.asarray(images), np.asarray(labels)
            splits[split], prints[split] = Split(images, labels), leaks.Prints.of_images(images, labels)
        else:
            index = building.index(builder, published, progress=progress)
            if np.any(index["labels"] < 0):  # As in the tests of contests.
                raise UserError(f"{name} has images without a label in its split {published!r}")
            splits[split] = _photos(building.records(builder, published), index, size=size, cache=cache)
            prints[split] = leaks.Prints.of_index(index)
            # The files that the build left out, and those that TensorFlow cannot decode.
            left_out = builder.info.metadata["unreadable"][split] if isinstance(builder, builders.PhotosBuilder) else []
            unreadable[split] = [*left_out, *index["files"][~index["readable"]].tolist()]
    if any(unreadable.values()) and not skip_unreadable:
        message = builders.unreadable_message(unreadable)
        raise UserError(f"{name} holds {message}; leave them out with --skip_unreadable")
    class_names = builder.info.features["label"].names
    sizes = (len(class_names), *(len(splits[split]) + len(unreadable[split]) for split in splits))
    if source.sizes not in (None, sizes):
        raise UserError(f"{name} has {sizes} classes, training and test images; published are {source.sizes}")
    kept = {"shots": shots, "fraction": fraction}
    kept |= {"validation_per_class": 0 if "validation" in splits else validation_per_class}
    train, held_out = draw(splits["train"], **kept, seed=seed, class_names=class_names)
    validation = splits.get("validation", held_out)
    augment = transforms.random_affine if source.origin == "embedded" else None
    own_name = name.removeprefix("tfds:")  # Folders are called by it.
    parts = (train, validation, splits["test"])
    dataset = Dataset(own_name, class_names, *parts, augment, unreadable, source.note, _leaks(*parts, prints))
    if found := leaks.sentence(dataset.facts(), names=1):
        logging.warning("%s: %s", own_name, found)
    return dataset


def _leaks(train, validation, test, prints) -> leaks.Leaks:
    """`prints`: of the published splits; a validation split that is not published is a part of the training's."""
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
