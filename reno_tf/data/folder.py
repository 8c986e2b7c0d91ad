"""Anyone's images: a folder with one folder per class."""

import hashlib
import json
import os
from pathlib import Path

import tensorflow_datasets as tfds

from reno_tf.data.class_folders import list_splits
from reno_tf.data.imagefile import ImageError
from reno_tf.data.photos_builder import PhotosBuilder


class FolderImages(PhotosBuilder):
    """The images of a folder with the layout of `class_folders.list_splits`.

    The build is stored under a digest of all files' names, sizes and times, so that a changed folder is
    built anew. Raises UserError at once for another layout.
    """

    BUILDER_CONFIGS = []

    def __init__(self, dir: str | os.PathLike, *, skip_unreadable: bool = False, data_dir: str | None = None, **kwargs):
        self._dir = Path(dir)
        self._splits = list_splits(self._dir)
        name = f"{_digest(self._dir, self._splits)}-{'readable' if skip_unreadable else 'whole'}"
        self._config = tfds.core.BuilderConfig(name=name, description=f"Images of {self._dir}.")
        super().__init__(config=self._config, data_dir=data_dir, **kwargs)

    def get_builder_config(self, name, version=None):
        return self._config  # tfds would warn of a config that is not in BUILDER_CONFIGS.

    @property
    def class_names(self):
        return list(self._splits["train"])

    def photos(self, dl_manager):
        return {
            split: {file: label for label, files in classes.items() for file in files}
            for split, classes in self._splits.items()
        }

    def read(self, file):
        try:
            return (self._dir / file).read_bytes()
        except OSError as error:
            raise ImageError(error.strerror) from None


def _digest(root, splits):
    listing = [
        (split, file, *_size_and_time(root / file))
        for split, classes in splits.items()
        for files in classes.values()
        for file in files
    ]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:16]


def _size_and_time(file):
    try:
        status = file.stat()
    except OSError:  # The build names the file.
        return None, None
    return status.st_size, status.st_mtime_ns
