"""Which images of a folder belong to which class and split."""

import unicodedata
from pathlib import Path

import numpy as np

from reno_tf.errors import UserError

_SPLITS = ("train", "test")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}
_TEST_FRACTION, _SPLIT_SEED = 0.2, 0


def list_splits(root: Path) -> dict[str, dict[str, list[str]]]:
    """Lists the images of ROOT/train/<class>/* and ROOT/test/<class>/*, or else of ROOT/<class>/*.

    The second layout has no test split: 20 % of each class, at least one image, are drawn for it, as
    a pure function of the class's name and its files' names. An image is a file directly in a class's
    folder that is not hidden and ends in .jpg, .jpeg, .png, .webp, .bmp or .gif.

    Returns:
      split -> class -> files relative to `root`, all sorted by name.

    Raises:
      UserError: a folder or class is missing, empty, alone, or ambiguous. The error names it.
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
        missing = splits[other].keys() - splits[split].keys()
        if missing:
            raise UserError(f"class {min(missing)!r} is in {root / other} and not in {root / split}")
    return splits


def _classes(parent, root):
    """{class: its images relative to `root`}."""
    folders = _folders(parent)
    if not folders:
        raise UserError(f"{parent} holds no class: a folder of images is needed for each")
    if len(folders) == 1:
        raise UserError(f"{parent} holds one class only, {folders[0].name!r}; at least two are needed")
    _check_names([folder.name for folder in folders])
    classes = {}
    for folder in folders:
        images = [file for file in _visible(folder) if file.suffix.lower() in _SUFFIXES]
        if not images:
            raise UserError(f"class {folder.name!r} holds no image: {folder}")
        classes[folder.name] = [file.relative_to(root).as_posix() for file in images]
    return classes


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


def _check_names(names):
    seen = {}
    for name in names:
        if not name.isprintable() or name != name.strip():  # tfds writes one name a line, and strips the lines.
            raise UserError(f"class {name!r}: a name must be printable and not begin or end with a space")
        # For some file systems such names are equal, so the folder could not be copied there.
        twin = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if twin != name:
            raise UserError(f"classes {twin!r} and {name!r} differ only in case or encoding; rename one")


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
