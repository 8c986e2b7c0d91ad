"""Which files of a user's folder are the images of which split and class."""

import re
import shlex
import unicodedata
from pathlib import Path

import numpy as np

from reno_tf.data import entries, unused
from reno_tf.errors import UserError

_NAMES = {"train": "train(ing)?", "test": "test(ing)?", "validation": "val(id(ation)?)?"}  # of the splits' folders
_ADDITION = "([ _-]?(set|data|images))?"
_JOINERS = re.compile("[\u200c\u200d]")  # Within words of some scripts, and within emoji.
_TEST_FRACTION, _SPLIT_SEED = 0.2, 0


def list_splits(root: Path) -> dict[str, dict[str, list[str]]]:
    """Lists the images of ROOT/train/<class>/* and ROOT/test/<class>/*, or else of ROOT/<class>/*.

    ROOT/validation/<class>/*, of all classes or some, may be beside the first two. The three folders may be called
    Training, test_set, val and the like. The second layout has no test split: 20 % of each class, at least one image,
    are drawn for it, as a pure function of the class's name and its files' names. An image is a file directly in a
    class's folder that is not hidden and ends in .jpg, .jpeg, .jpe, .jfif, .png, .webp, .bmp or .gif.

    Returns split -> class -> files relative to `root`, all sorted by name. Raises UserError that names a folder or
    class which is missing, empty, alone, or ambiguous, or has images in folders of its own.
    """
    if root.is_file():
        raise UserError(f"{root} is a file, not a folder of images; unpack an archive first, and name its folder")
    if not root.is_dir():
        raise UserError(f"there is no folder {root}")
    folders = _split_folders(root)
    if not folders:
        return _draw_test(_classes(root, root))
    splits = {split: _classes(folder, root) for split, folder in folders.items()}
    for split, other in (("test", "train"), ("train", "test"), ("validation", "train")):
        if missing := splits.get(split, {}).keys() - splits[other].keys():
            raise UserError(f"class {min(missing)!r} is in {folders[split]} and not in {folders[other]}")
    return splits


def _split_folders(root):
    """{split: its folder}, where folders with names of splits hold those of classes; else {}."""
    folders, named = {}, [folder for folder in entries.folders(root) if _split_of(folder.name)]
    for folder in filter(_is_divided, named):
        twin = folders.setdefault(_split_of(folder.name), folder)
        if twin != folder:
            raise UserError(f"{twin} and {folder} both hold {_split_of(folder.name)} images; merge them or rename one")
    if folders and "train" not in folders:
        name = next(iter(folders.values())).name
        raise UserError(f"{root} has the folder {name!r}, and no folder 'train' with a folder for each class")
    if folders and "test" not in folders:
        raise UserError(_no_test(root, **folders) + _perhaps_a_class(root, folders["train"]))
    return {split: folders[split] for split in _NAMES if split in folders}


def _split_of(name):
    """The split that a folder of this name holds, or None."""
    return next((split for split in _NAMES if re.fullmatch(_NAMES[split] + _ADDITION, name, re.IGNORECASE)), None)


def _is_divided(folder):
    """Whether it holds folders of images, rather than images."""
    return bool(entries.folders_of_images(folder) or (entries.folders(folder) and not entries.images(folder)))


def _no_test(root, train, validation=None):
    message = f"{root} has the folder {train.name!r}, and no folder 'test' with a folder for each class"
    draw = f"pass {_flag(train)}, and a fifth of each class is the test"
    if validation is None:
        return f"{message}; {draw}"
    return f"{message}; rename {validation.name!r} to 'test' if nothing was chosen by its images, or {draw}"


def _perhaps_a_class(root, train):
    others = [folder.name for folder in entries.folders(root) if not _split_of(folder.name) and entries.images(folder)]
    if not others:
        return ""
    return f"; if {train.name!r} is a class, as {others[0]!r}, put its images directly into {train}"


def _flag(folder):
    return f"--config.data.dir={shlex.quote(str(folder))}"


def _classes(parent, root):
    """{class: its images relative to `root`}."""
    folders = entries.folders(parent)
    names = [folder.name for folder in folders]
    if not folders:
        raise UserError(_no_class(parent))
    if len(folders) == 1:
        raise UserError(_one_class(parent, folders[0], is_root=parent == root))
    _check_names(names)
    classes = {folder.name: _images(folder, root) for folder in folders}
    if all(map(_split_of, names)):
        raise UserError(f"{parent} holds {' and '.join(names)}, and no classes; each needs a folder for each class")
    return classes


def _no_class(parent):
    if flat := [entry.name for entry in entries.visible(parent) if "\\" in entry.name]:
        message = f"{parent} holds files such as '{flat[0]}' in place of folders: a zip made on Windows"
        return f"{message}; unpack it with the command unzip, which makes the folders"
    return f"{parent} holds no class: a folder of images is needed for each"


def _one_class(parent, folder, *, is_root):
    if entries.images(folder) or not entries.folders_of_images(folder):
        return f"{parent} holds one class only, {folder.name!r}; at least two are needed"
    instead = f"pass {_flag(folder)}" if is_root else f"put its folders into {parent}"
    return f"{parent} holds the folder {folder.name!r} alone, with folders of images in it; {instead}"


def _check_names(names):
    seen = {}
    for name in names:
        # tfds writes one name a line, and strips the lines.
        if not _JOINERS.sub("", name).isprintable() or name != name.strip():
            raise UserError(f"class {name!r}: a name must be printable and not begin or end with a space")
        # For some file systems such names are equal, so the folder could not be copied there.
        twin = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if twin != name:
            raise UserError(f"classes {twin!r} and {name!r} differ only in case or encoding; rename one")


def _images(folder, root):
    if deeper := entries.folders_of_images(folder):
        message = f"class {folder.name!r} has images in folders of its own, such as {deeper[0]!r}"
        raise UserError(f"{message}; put them directly into {folder}")
    images = entries.images(folder)
    if not images:
        names = [entry.name for entry in entries.visible(folder)]
        others = f", but {unused.without_images(names)}" if names else ""
        raise UserError(f"class {folder.name!r} holds no image: {folder}{others}")
    start = folder.relative_to(root).as_posix()
    return [f"{start}/{name}" for name in images]


def _draw_test(classes):
    splits = {split: {} for split in ("train", "test")}
    for label, files in classes.items():
        if len(files) < 2:
            raise UserError(f"class {label!r} has one image: too few for training and test")
        order = np.random.default_rng([_SPLIT_SEED, *label.encode()]).permutation(len(files))
        size = max(1, round(_TEST_FRACTION * len(files)))
        splits["test"][label] = sorted(files[index] for index in order[:size])
        splits["train"][label] = sorted(files[index] for index in order[size:])
    return splits
