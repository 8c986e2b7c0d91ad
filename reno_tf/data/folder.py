"""Anyone's images: a folder with one folder per class."""

import functools
import hashlib
import json
import os
from pathlib import Path

import tensorflow_datasets as tfds
from absl import logging

from reno_tf import files
from reno_tf.data import prepared, unused
from reno_tf.data.builders import PhotosBuilder
from reno_tf.data.imagefile import ImageError
from reno_tf.data.layout import list_splits


class FolderImages(PhotosBuilder):
    """The images of a folder with the layout of `layout.list_splits`.

    The build is a copy of the images, stored under digests of the folder's path and of all files' names, sizes and
    times, so that a changed folder is built anew; `older` names the copies that it replaces. Raises UserError at once
    for another layout.
    """

    BUILDER_CONFIGS = []

    def __init__(self, dir: str | os.PathLike, *, skip_unreadable: bool = False, data_dir: str | None = None, **kwargs):
        self._dir, splits = Path(dir), list_splits(Path(dir))
        if line := unused.line(self._dir, splits):
            _warn_once(line)
        self.class_names, self._photos = list(splits["train"]), {split: _labels(splits[split]) for split in splits}
        listing = [
            (split, file, *files.size_and_times(self._dir / file)) for split in splits for file in self._photos[split]
        ]
        digest = hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:16]
        self._place = hashlib.sha256(str(self._dir.absolute()).encode(errors="surrogateescape")).hexdigest()[:8]
        name = f"{self._place}-{digest}-{'readable' if skip_unreadable else 'whole'}"
        self._config = tfds.core.BuilderConfig(name=name, description=f"Images of {self._dir}.")
        super().__init__(config=self._config, data_dir=data_dir, **kwargs)

    def get_builder_config(self, name, version=None):
        return self._config  # tfds would warn of a config that is not in BUILDER_CONFIGS.

    def older(self) -> list[Path]:
        """The copies of the same folder in earlier states."""
        current = Path(self.data_path).parent
        copies = prepared.own_builds(current.parents[1], current.parent.name)
        return [
            copy
            for copy in copies
            if copy.parent.name.startswith(f"{self._place}-") and copy.parent.name != current.name
        ]

    def photos(self, dl_manager):
        return self._photos

    def read(self, file):
        try:
            return (self._dir / file).read_bytes()
        except OSError as error:
            raise ImageError(error.strerror) from None


@functools.cache
def _warn_once(line):
    """Building a data set opens it twice."""
    logging.warning(line)


def _labels(classes):
    return {file: label for label, files in classes.items() for file in files}
