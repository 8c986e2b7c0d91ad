"""From a data set's name to its splits."""

import functools

import numpy as np

from reno_tf.data import building
from reno_tf.data.base import Dataset, Split, draw
from reno_tf.data.photos import Photos
from reno_tf.data.photos_builder import PhotosBuilder, unreadable_message
from reno_tf.data.sources import DATASETS
from reno_tf.errors import UserError, choose


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
      name: a key of `DATASETS`.
      seed: of the draw of training and validation images; the test split never changes.
      shots, fraction, validation_per_class: which training images; see `draw`.
      size: side of the photos' views, in pixels. The embedded sets have a fixed size.
      folder: the user's images, or the archives that the user fetched.
      data_dir: where tensorflow-datasets stores its builds; None: where it does by default.
      skip_unreadable: leave out photos that cannot be decoded, rather than fail.
      download: whether the network may be used.
      cache: keep the encoded photos in memory after their first use.
      progress: wraps the iterable of photos while each is decoded for the first time.

    Raises:
      UserError: the data set is not prepared, cannot be built, or holds unreadable images (by name).
    """
    source = DATASETS[choose("data set", name, DATASETS)]
    open_builder = functools.partial(source.open, folder=folder, skip_unreadable=skip_unreadable, data_dir=data_dir)
    builder = _built(name, source, open_builder, folder=folder, download=download)
    published = {"train": source.train, "test": "test"}
    if source.origin == "embedded":
        splits = {split: _arrays(builder, published[split]) for split in published}
        unreadable = {split: [] for split in published}
    else:
        indexes = {split: building.index(builder, published[split], progress=progress) for split in published}
        unreadable = {split: _unreadable(builder, split, index) for split, index in indexes.items()}
        if any(unreadable.values()) and not skip_unreadable:
            raise UserError(f"{name} holds {unreadable_message(unreadable)}; leave them out with --skip_unreadable")
        splits = {
            split: _photos(building.records(builder, published[split]), index, size=size, cache=cache)
            for split, index in indexes.items()
        }
    class_names = builder.info.features["label"].names
    sizes = (len(class_names), *(len(splits[split]) + len(unreadable[split]) for split in published))
    if source.sizes not in (None, sizes):
        raise UserError(f"{name} has {sizes} classes, training and test images; published are {source.sizes}")
    train, validation = draw(
        splits["train"], shots=shots, fraction=fraction, validation_per_class=validation_per_class, seed=seed
    )
    return Dataset(name, class_names, train, validation, splits["test"], source.augment, unreadable, source.note)


def _built(name, source, open_builder, *, folder, download):
    """The builder with its data. Raises UserError that says how to get them."""
    if source.origin == "folder" and folder is None:
        raise UserError("config.data.dir must name the folder of images: DIR/train/<class>/* or DIR/<class>/*")
    builder = open_builder()
    if not builder.data_path.exists() and source.origin in ("download", "manual") and not (download or folder):
        place = " --config.data.dir=FOLDER_OF_THE_ARCHIVES" if source.origin == "manual" else ""
        raise UserError(
            f"{name} is not prepared; run: python main.py --mode=prepare_data --config.data.name={name}{place}"
        )
    building.build(name, source, builder, archives=folder)
    return open_builder()  # If another process built the data, only a new builder knows them.


def _arrays(builder, split):
    images, labels = builder.as_dataset(split=split, batch_size=-1, as_supervised=True, shuffle_files=False)
    return Split(np.asarray(images), np.asarray(labels))


def _photos(examples, index, *, size, cache):
    def read(number):
        return examples[int(number)]["image"]

    numbers = np.flatnonzero(index["readable"])
    photos = Photos(functools.cache(read) if cache else read, numbers, size=size)
    return Split(photos, index["labels"][numbers], index["files"][numbers], numbers)


def _unreadable(builder, split, index) -> list[str]:
    """The files that the build left out, and those that TensorFlow cannot decode."""
    left_out = builder.info.metadata["unreadable"][split] if isinstance(builder, PhotosBuilder) else []
    return [*left_out, *index["files"][~index["readable"]].tolist()]
