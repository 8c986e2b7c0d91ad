"""Which images of a folder belong to which class and split."""

import unicodedata
from pathlib import Path

import numpy as np

from reno_tf.errors import UserError

_SPLITS = ("train", "test")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}
_TEST_FRACTION, _SPLIT_SEED = 0.2, 0


def list_splits(root: Path) -> dict[str, dict[str, list[str]]]:
    """Reads the layout ROOT/train/<class>/* and ROOT/test/<class>/*, or else ROOT/<class>/*.

    In the second, 20 % of each class, at least one image, are drawn for test: a pure function of the
    class's name and its files' names. An image is a file that lies in a class folder itself, is not
    hidden, and ends in .jpg, .jpeg, .png, .webp, .bmp or .gif; anything else is passed over.

    Returns:
      split -> class -> files relative to `root`, all sorted by name.

    Raises:
      UserError: names the folder or class that is missing, empty, alone, or ambiguous.
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
        lacking = splits[other].keys() - splits[split].keys()
        if lacking:
            raise UserError(f"class {min(lacking)!r} is in {root / other} and not in {root / split}")
    return splits


def _classes(parent, root):
    folders = _folders(parent)
    if not folders:
        raise UserError(f"{parent} holds no class: a folder of images is needed for each")
    if len(folders) == 1:
        raise UserError(f"{parent} holds one class only, {folders[0].name!r}; at least two are needed")
    _check_names(folders)
    classes = {folder.name: _images(folder, root) for folder in folders}
    for label, images in classes.items():
        if not images:
            raise UserError(f"class {label!r} holds no image: {parent / label}")
    return classes


def _visible(parent):
    try:
        return sorted(entry for entry in parent.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise UserError(f"{parent} cannot be read: {error.strerror}") from None


def _folders(parent):
    entries = _visible(parent)
    for entry in entries:
        if entry.is_symlink() and not entry.exists():
            raise UserError(f"{entry} is a link that leads nowhere or in a circle")
    return [entry for entry in entries if entry.is_dir()]


def _check_names(folders):
    seen = {}
    for name in (folder.name for folder in folders):
        if not name.isprintable() or name != name.strip():  # tfds keeps the names as lines and strips them.
            raise UserError(f"class {name!r}: a name must be printable and not begin or end with a space")
        # Some file systems take such names for equal, so the folder could not be copied there.
        twin = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if twin != name:
            raise UserError(f"classes {twin!r} and {name!r} differ only in case or encoding; rename one")


def _images(folder, root):
    return [file.relative_to(root).as_posix() for file in _visible(folder) if file.suffix.lower() in _SUFFIXES]


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
