"""Anyone's images: a folder with one folder per class."""

import collections
import hashlib
import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from reno_tf.data.builders import PhotosBuilder
from reno_tf.data.imagefile import ImageError
from reno_tf.errors import UserError

_SPLITS = ("train", "test")
_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"}
_TEST_FRACTION, _SPLIT_SEED = 0.2, 0


class FolderImages(PhotosBuilder):
    """The images of a folder with the layout of `list_splits`.

    The build is a copy of the images, stored under digests of the folder's path and of all files' names, sizes and
    times, so that a changed folder is built anew; `older` names the copies that it replaces. Raises UserError at once
    for another layout.
    """

    BUILDER_CONFIGS = []

    def __init__(self, dir: str | os.PathLike, *, skip_unreadable: bool = False, data_dir: str | None = None, **kwargs):
        self._dir, splits = Path(dir), list_splits(Path(dir))
        if others := unused(self._dir, splits):
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))
            logging.warning("%s: not used, because their names are no images': %s", self._dir, kinds)
        self.class_names, self._photos = list(splits["train"]), {split: _labels(splits[split]) for split in splits}
        listing = [
            (split, file, *_size_and_times(self._dir / file)) for split in splits for file in self._photos[split]
        ]
        digest = hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:16]
        self._place = hashlib.sha256(str(self._dir.absolute()).encode(errors="surrogateescape")).hexdigest()[:8]
        name = f"{self._place}-{digest}-{'readable' if skip_unreadable else 'whole'}"
        self._config = tfds.core.BuilderConfig(name=name, description=f"Images of {self._dir}.")
        super().__init__(config=self._config, data_dir=data_dir, **kwargs)

    def get_builder_config(self, name, version=None):
        return self._config  # tfds would warn of a config that is not in BUILDER_CONFIGS.

    def older(self) -> list[Path]:
        """The copies of the same folder as it was before."""
        own = Path(self.data_path).parent
        return [
            copy for copy in own.parent.glob(f"{self._place}-*") if copy != own and not copy.name.startswith(own.name)
        ]

    def photos(self, dl_manager):
        return self._photos

    def read(self, file):
        try:
            return (self._dir / file).read_bytes()
        except OSError as error:
            raise ImageError(error.strerror) from None


def _labels(classes):
    return {file: label for label, files in classes.items() for file in files}


def _size_and_times(file):
    try:
        status = file.stat()
    except OSError:  # The build names the file.
        return None, None, None
    # The second time changes with the content whatever a program that restores files makes of the first.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def list_splits(root: Path) -> dict[str, dict[str, list[str]]]:
    """Lists the images of ROOT/train/<class>/* and ROOT/test/<class>/*, or else of ROOT/<class>/*.

    The second layout has no test split: 20 % of each class, at least one image, are drawn for it, as
    a pure function of the class's name and its files' names. An image is a file directly in a class's
    folder that is not hidden and ends in .jpg, .jpeg, .jpe, .jfif, .png, .webp, .bmp or .gif.

    Returns split -> class -> files relative to `root`, all sorted by name. Raises UserError that names a folder or
    class which is missing, empty, alone, or ambiguous, or has images in folders of its own.
    """
    if not root.is_dir():
        raise UserError(f"there is no folder {root}")
    if not any((root / split).is_dir() and _folders(root / split) for split in _SPLITS):
        return _draw_test(_classes(root, root))
    for split in _SPLITS:
        if not (root / split).is_dir():
            raise UserError(f"{root} has the folder of one split, and no folder {split!r}")
    splits = {split: _classes(root / split, root) for split in _SPLITS}
    for split, other in (_SPLITS, _SPLITS[::-1]):
        if missing := splits[other].keys() - splits[split].keys():
            raise UserError(f"class {min(missing)!r} is in {root / other} and not in {root / split}")
    return splits


def _classes(parent, root):
    """{class: its images relative to `root`}."""
    folders = _folders(parent)
    if not folders:
        raise UserError(f"{parent} holds no class: a folder of images is needed for each")
    if len(folders) == 1:
        raise UserError(f"{parent} holds one class only, {folders[0].name!r}; at least two are needed")
    seen, classes = {}, {}
    for name in [folder.name for folder in folders]:
        if not name.isprintable() or name != name.strip():  # tfds writes one name a line, and strips the lines.
            raise UserError(f"class {name!r}: a name must be printable and not begin or end with a space")
        # For some file systems such names are equal, so the folder could not be copied there.
        twin = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if twin != name:
            raise UserError(f"classes {twin!r} and {name!r} differ only in case or encoding; rename one")
    for folder in folders:
        images = [file for file in _visible(folder) if file.suffix.lower() in _SUFFIXES]
        if not images:
            raise UserError(f"class {folder.name!r} holds no image: {folder}")
        if deeper := [inner.name for inner in _visible(folder) if inner.is_dir() and _holds_images(inner)]:
            told = f"class {folder.name!r} has images in folders of its own, such as {deeper[0]!r}"
            raise UserError(f"{told}; put them directly into {folder}")
        classes[folder.name] = [file.relative_to(root).as_posix() for file in images]
    return classes


def unused(root: Path, splits: dict) -> collections.Counter:
    """What in the classes' folders is not used, counted by kind: ".heic", "folder", or "file" without an ending."""
    used = {file for classes in splits.values() for files in classes.values() for file in files}
    parents = {(root / file).parent for file in used}
    others = [
        entry for parent in parents for entry in _visible(parent) if entry.relative_to(root).as_posix() not in used
    ]
    return collections.Counter("folder" if entry.is_dir() else entry.suffix.lower() or "file" for entry in others)


def _holds_images(folder):
    return any(Path(file).suffix.lower() in _SUFFIXES for *_, files in os.walk(folder) for file in files)


def _folders(parent):
    entries = _visible(parent)
    for entry in entries:
        if entry.is_symlink() and not entry.exists():
            raise UserError(f"{entry} is a link that leads nowhere or in a circle")
    return [entry for entry in entries if entry.is_dir()]


def _visible(parent):
    try:
        return sorted(entry for entry in parent.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise UserError(f"{parent} cannot be read: {error.strerror}") from None


def _draw_test(classes):
    splits = {split: {} for split in _SPLITS}
    for label, files in classes.items():
        if len(files) < 2:
            raise UserError(f"class {label!r} has one image: too few for training and test")
        order = np.random.default_rng([_SPLIT_SEED, *label.encode()]).permutation(len(files))
        size = max(1, round(_TEST_FRACTION * len(files)))
        splits["test"][label] = sorted(files[index] for index in order[:size])
        splits["train"][label] = sorted(files[index] for index in order[size:])
    return splits
