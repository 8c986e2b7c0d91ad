"""From a data set's name to its splits."""

import functools

import numpy as np

from reno_tf.data import building
from reno_tf.data.base import Dataset, Split, draw
from reno_tf.data.photos import Photos
from reno_tf.data.photos_builder import PhotosBuilder, complaint
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
    """Builds the data set if need be, then opens it.

    Args:
      name: a key of `DATASETS`.
      seed: of the draw of training and validation images; the test split never changes.
      shots, fraction, validation_per_class: which training images; see `draw`.
      size: side of the photos' views, in pixels. The embedded sets have their own.
      folder: the user's images, or archives that were fetched by hand.
      data_dir: where tensorflow-datasets keeps what it built; its own default if None.
      skip_unreadable: drop photos that cannot be decoded, rather than fail.
      download: whether the network may be used.
      cache: keep the encoded photos in memory once they are read.
      progress: wraps the iterable of photos when they are looked at for the first time.

    Raises:
      UserError: it is not prepared, cannot be built, or holds unreadable images (by name).
    """
    source = DATASETS[choose("data set", name, DATASETS)]
    start = functools.partial(source.open, folder=folder, skip_unreadable=skip_unreadable, data_dir=data_dir)
    builder = _built(name, source, start, folder=folder, download=download)
    if source.origin == "embedded":
        splits, unreadable = {split: _arrays(builder, split) for split in (source.train, "test")}, {}
    else:
        index = {split: building.index(builder, split, progress=progress) for split in (source.train, "test")}
        unreadable = {split: _unreadable(builder, split, index[split]) for split in index}
        if any(unreadable.values()) and not skip_unreadable:
            raise UserError(f"{name} holds {complaint(unreadable)}; leave them out with --skip_unreadable")
        splits = {split: _photos(builder, split, index[split], size=size, cache=cache) for split in index}
    dropped = {"train": unreadable.get(source.train, []), "test": unreadable.get("test", [])}
    names, published, test = builder.info.features["label"].names, splits[source.train], splits["test"]
    sizes = (len(names), len(published) + len(dropped["train"]), len(test) + len(dropped["test"]))
    if source.sizes not in (None, sizes):
        raise UserError(f"{name} has {sizes} classes, training and test images; published are {source.sizes}")
    train, validation = draw(
        published, shots=shots, fraction=fraction, validation_per_class=validation_per_class, seed=seed
    )
    return Dataset(name, names, train, validation, test, source.augment, dropped, source.note)


def _built(name, source, start, *, folder, download):
    """The builder with its data, or a line that says how to get them. `start`: () -> builder."""
    if source.origin == "folder" and folder is None:
        raise UserError("config.data.dir must name the folder of images: DIR/train/<class>/* or DIR/<class>/*")
    builder = start()
    if not builder.data_path.exists() and source.origin in ("download", "manual") and not (download or folder):
        place = " --config.data.dir=FOLDER_OF_THE_ARCHIVES" if source.origin == "manual" else ""
        raise UserError(
            f"{name} is not prepared; run: python main.py --mode=prepare_data --config.data.name={name}{place}"
        )
    building.build(name, source, builder, archives=folder)
    return start()  # Another process may have built it.


def _arrays(builder, split):
    images, labels = builder.as_dataset(split=split, batch_size=-1, as_supervised=True, shuffle_files=False)
    return Split(np.asarray(images), np.asarray(labels))


def _photos(builder, split, index, *, size, cache):
    examples = building.records(builder, split)

    def read(number):
        return examples[int(number)]["image"]

    numbers = np.flatnonzero(index["readable"])
    photos = Photos(functools.cache(read) if cache else read, numbers, size=size)
    return Split(photos, index["labels"][numbers], index["files"][numbers], numbers)


def _unreadable(builder, split, index) -> list[str]:
    """Files that were dropped when it was built, or cannot be decoded."""
    dropped = builder.info.metadata["unreadable"][split] if isinstance(builder, PhotosBuilder) else []
    return [*dropped, *index["files"][~index["readable"]].tolist()]
