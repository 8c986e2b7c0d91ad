"""What a user sees in a folder, and which files are images by their names."""

import os
from pathlib import Path

from reno_tf.errors import UserError

ENDINGS = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".webp")  # of images, in any case
# What systems and file servers leave in folders, beside names that begin with a dot.
_LEFTOVERS = {"__macosx", "@eadir", "@recycle", "#recycle", "lost+found", "$recycle.bin", "system volume information"}
_LEFTOVERS |= {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}


def ending(name: str) -> str:
    """ ".jpg" of "1.JPG"."""
    return os.path.splitext(name)[1].lower()


def is_image(name: str) -> bool:
    return ending(name) in ENDINGS


def is_hidden(name: str) -> bool:
    """Whether the user does not see it, or did not put it there."""
    return name.startswith(".") or name.lower() in _LEFTOVERS


def visible(folder: str | os.PathLike[str]) -> list[os.DirEntry]:
    """The folder's entries that are not hidden, by name. Raises UserError if it cannot be read."""
    try:
        with os.scandir(os.fspath(folder)) as entries:
            return sorted((entry for entry in entries if not is_hidden(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}") from None


def images(folder: Path) -> list[str]:
    """The names of the images directly in it."""
    return [entry.name for entry in visible(folder) if is_image(entry.name)]


def folders(parent: Path) -> list[Path]:
    """The folders in it, and links to folders. Raises UserError for a link that leads nowhere."""
    entries = visible(parent)
    for entry in entries:
        if entry.is_symlink() and not os.path.exists(entry):
            raise UserError(f"{entry.path} is a link that leads nowhere or in a circle")
    return [Path(entry) for entry in entries if is_folder(entry)]


def is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(entry))


def folders_of_images(folder: Path) -> list[str]:
    """The names of the folders in it that hold images, at any depth."""
    return [entry.name for entry in visible(folder) if is_folder(entry) and _holds_images(entry)]


def _holds_images(folder):
    for _, inner, files in os.walk(folder):
        inner[:] = [name for name in inner if not is_hidden(name)]
        if any(is_image(name) and not is_hidden(name) for name in files):
            return True
    return False
