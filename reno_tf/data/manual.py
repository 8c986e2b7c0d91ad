"""Data sets that the user fetches by hand: archives in a manual directory, read in place."""

import tarfile
import zipfile
import zlib
from pathlib import Path

from reno_tf.data.imagefile import ImageError
from reno_tf.data.photos_builder import PhotosBuilder
from reno_tf.errors import UserError

_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError)


class ManualBuilder(PhotosBuilder, skip_registration=True):
    """Photos with published classes and splits, from archives in the manual directory.

    No archive is unpacked. Where the folder that it holds is there already, that folder is read.
    """

    CLASSES: tuple[str, ...]
    SIZES: dict[str, int]  # images of each split
    ARCHIVES: dict[str, str]  # folder -> the .zip or .tar that holds it
    LISTS: dict[str, str] = {}  # split -> its list, where that is a file beside the archives

    @property
    def _file_names(self):
        return [*self.ARCHIVES.values(), *self.LISTS.values()]

    @property
    def MANUAL_DOWNLOAD_INSTRUCTIONS(self):
        return f"Put {', '.join(self._file_names)}, from {self.HOMEPAGE}, into the manual directory"

    @property
    def class_names(self):
        return list(self.CLASSES)

    def listed_photos(self, split: str) -> dict[str, str]:
        """{file: class name} by the published list of the split."""
        raise NotImplementedError

    def photos(self, dl_manager):
        directory = self._directory = self._manual_directory(dl_manager)
        packed = {folder: file for folder, file in self.ARCHIVES.items() if not (directory / folder).is_dir()}
        self._readers = {folder: _open(directory / file) for folder, file in packed.items()}
        splits = {split: self.listed_photos(split) for split in self.SIZES}
        for split, photos in splits.items():
            differing = set(photos.values()) ^ set(self.CLASSES)
            if differing:
                raise UserError(f"{self.name}: the {split} list and the published classes differ in {min(differing)!r}")
            count, published = len(photos), self.SIZES[split]
            if count != published:
                raise UserError(f"{self.name}: the {split} list names {count} images, the published one {published}")
        return splits

    def read(self, file):
        """The content of a file, by the name it would have if every archive were unpacked. Raises ImageError."""
        read = self._readers.get(file.partition("/")[0])
        try:
            return read(file) if read else (self._directory / file).read_bytes()
        except (KeyError, FileNotFoundError):
            raise ImageError("missing") from None
        except _DAMAGED as error:
            raise ImageError(str(error)) from None

    def lines(self, file: str) -> list[str]:
        """The lines of a text file that are not blank."""
        try:
            lines = self.read(file).decode(errors="surrogateescape").split("\n")
        except ImageError as error:
            raise UserError(f"{file} in {self._directory}: {error}") from None
        return [line.strip() for line in lines if line.strip()]

    def _manual_directory(self, dl_manager):
        try:
            directory = Path(dl_manager.manual_dir)
        except AssertionError as error:  # tfds says in several lines that the directory is missing or empty.
            reason = str(error).partition(". ")[0]
            raise UserError(f"{self.name}: {reason}. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}") from None
        unpacked = {archive for folder, archive in self.ARCHIVES.items() if (directory / folder).exists()}
        missing = [file for file in self._file_names if file not in unpacked and not (directory / file).exists()]
        if missing:
            message = f"{', '.join(missing)} not found in {directory}"
            raise UserError(f"{self.name}: {message}. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}")
        return directory


def _open(archive):
    """A function from a member's name to its content."""
    try:
        return zipfile.ZipFile(archive).read if archive.suffix == ".zip" else _open_tar(archive)
    except _DAMAGED as error:
        raise UserError(f"{archive} is damaged, fetch it again: {error}") from None


def _open_tar(archive):
    tar = tarfile.open(archive, "r:")  # noqa: SIM115  It stays open while photos are read.
    members = {member.name: member for member in tar if member.isfile()}
    # An empty block ends a complete archive; tarfile accepts one that is cut before it.
    ends = (member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE for member in tar)
    if archive.stat().st_size < max(ends, default=0) + tarfile.BLOCKSIZE:
        raise tarfile.ReadError("unexpected end of data")
    return lambda name: tar.extractfile(members[name]).read()
