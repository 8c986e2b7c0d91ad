"""One line that counts the files of a user's folder that are not used."""

import collections
import os
import re
from pathlib import Path

from reno_tf.data import entries

_HIDDEN = ("hidden file", "")  # A kind of files is what they are, and where.
_MOST_KINDS = 10  # A line counts this many kinds apart.


def line(root: Path, splits: dict[str, dict[str, list[str]]]) -> str | None:
    """Counts the files below `root` that are in no split of `layout.list_splits`; None if only hidden ones are."""
    used = {file for classes in splits.values() for files in classes.values() for file in files}
    class_folders = {file.rpartition("/")[0] for file in used}
    above = {folder.rpartition("/")[0] for folder in class_folders} | {""}
    kinds = collections.Counter(_kind(file, above) for file in _walk(root, class_folders | above) if file not in used)
    return f"{root}: not used: {_counted(kinds)}" if kinds.keys() - {_HIDDEN} else None


def without_images(names: list[str]) -> str:
    """Counts files, none of which is an image, and says how images end."""
    return _counted(collections.Counter(_kind(name, {""}) for name in names))


def _walk(root, folders):
    """The files below `root`, relative to it; a folder that cannot be read ends in "/".

    Of the links to folders, only those in `folders` are followed, so that the walk ends.
    """
    links = {path for folder in folders - {""} if os.path.islink(path := os.path.join(root, *folder.split("/")))}
    unreadable = []
    for top in (str(root), *sorted(links)):
        for parent, inner, files in os.walk(top, onerror=lambda error: unreadable.append(f"{error.filename}/")):
            paths = {name: os.path.join(parent, name) for name in inner}
            not_followed = [name for name, path in paths.items() if os.path.islink(path) and path not in links]
            start = _relative(os.path.join(parent, ""), root)
            yield from (start + name for name in files + not_followed)
    yield from (_relative(folder, root) for folder in unreadable)


def _relative(folder, root):
    """ "" for `root`, "train/cats/" for a folder in it; `folder` ends in a separator."""
    return folder[len(os.path.join(root, "")) :].replace(os.sep, "/")


def _kind(file, above):
    """`above`: the folders that hold the classes' folders."""
    parent, _, name = file.rpartition("/")
    if any(map(entries.is_hidden, file.split("/"))):
        return _HIDDEN
    if not name:
        return "folder", " that cannot be read"
    if entries.is_image(name):
        return "image", " beside the class folders" if parent in above else f" in {file.partition('/')[0]!r}"
    ending = entries.ending(name)
    return (ending, "") if re.fullmatch(r"\.\w{1,8}", ending) else ("file", " without an ending")


def _counted(kinds):
    ordered = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    counts = [f"{count} {noun}{_plural(noun, count)}{place}" for (noun, place), count in ordered[:_MOST_KINDS]]
    others = sum(count for _, count in ordered[_MOST_KINDS:])
    counts += [f"{others} of other kinds"] * bool(others)
    return f"{', '.join(counts)}; images end in {', '.join(entries.ENDINGS)}"


def _plural(noun, count):
    return "" if count == 1 or noun.startswith(".") else "s"
