"""Files that were made elsewhere, zip archives and HDF5 among them: whether they can be opened."""

import os
import re
import zipfile

import h5py

from reno_tf.errors import UserError

_MOST_TIMES = 200  # A member of an archive, or an HDF5 file's arrays, may be so many times as large as what is stored.
_SMALL = 10**8  # bytes; below, nothing is too large
# What lies in a file's place where it was not fetched, by how that begins.
_STAND_INS = {
    b"version https://git-lfs.github.com/spec/": "is a Git LFS pointer, not the file itself: git lfs pull fetches it",
    b"<!doctype html": "is a web page, not the file itself: download that",
    b"<html": "is a web page, not the file itself: download that",
}


def refuse_stand_in(path: str | os.PathLike) -> None:
    """Raises UserError for a Git LFS pointer or a web page that was saved in the place of the file."""
    with open(path, "rb") as file:
        if description := stand_in(file.read(100)):
            raise UserError(f"{path} {description}")


def stand_in(beginning: bytes) -> str | None:
    """What a file with this beginning is, if it only stands in the place of another."""
    beginning = beginning.lstrip().lower()
    return next((description for start, description in _STAND_INS.items() if beginning.startswith(start)), None)


def check_members(archive: zipfile.ZipFile, path: str) -> None:
    """Raises UserError for a member outside of the archive's folder, one that grows out of proportion, or a twin."""
    for member in archive.infolist():
        if member.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", member.filename):
            raise UserError(f"{path} holds the file {member.filename[:80]!r}, outside of its folder")
        if member.file_size > max(_SMALL, _MOST_TIMES * member.compress_size):
            raise UserError(f"{path} holds {member.filename[:80]!r}, which would grow to {member.file_size} bytes")
    if len(set(archive.namelist())) < len(archive.namelist()):
        raise UserError(f"{path} holds two files of one name")


def check_hdf5(file: h5py.File, path: str, *, stored: int) -> None:
    """Raises UserError for a link out of the file, which is of `stored` bytes, or arrays that only claim their size."""
    total, waiting, seen = 0, [file], set()
    while waiting:
        group = waiting.pop()
        if group.id in seen:
            continue
        seen.add(group.id)
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise UserError(f"{path} holds the link {name!r} to {getattr(link, 'filename', 'another place')!r}")
            member = group[name]
            if isinstance(member, h5py.Group):
                waiting.append(member)
            elif isinstance(member, h5py.Dataset):
                if member.external or member.is_virtual:
                    raise UserError(f"{path} keeps {member.name!r} in another file")
                total += member.size * member.dtype.itemsize
    if total > max(_SMALL, _MOST_TIMES * stored):
        raise UserError(f"{path} claims {total} bytes of arrays")
