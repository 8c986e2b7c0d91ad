"""Data sets that must be fetched by hand: archives in a manual directory, read in place."""

import tarfile
import zipfile
import zlib
from pathlib import Path

from reno_tf.data.imagefile import ImageError
from reno_tf.data.photos_builder import Photo, PhotosBuilder
from reno_tf.errors import UserError

_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError)


class ManualFiles:
    """Reads files by the names they would have with every archive unpacked in `directory`.

    An archive is not unpacked; where the folder it holds is there already, the folder is read.

    Args:
      archives: folder -> the .zip or .tar that holds it.
    """

    def __init__(self, directory: Path, archives: dict[str, str]):
        self._directory = directory
        self._members = {
            folder: _open(directory / archive)
            for folder, archive in archives.items()
            if not (directory / folder).is_dir()
        }

    def read(self, name: str) -> bytes:
        """Raises ImageError."""
        member = self._members.get(name.partition("/")[0])
        try:
            return member(name) if member else (self._directory / name).read_bytes()
        except (KeyError, FileNotFoundError):
            raise ImageError("missing") from None
        except _DAMAGED as error:
            raise ImageError(str(error)) from None

    def lines(self, name: str) -> list[str]:
        """The lines of a text file that are not blank."""
        try:
            lines = self.read(name).decode(errors="surrogateescape").split("\n")
        except ImageError as error:
            raise UserError(f"{name} in {self._directory}: {error}") from None
        return [line.strip() for line in lines if line.strip()]


def _open(archive):
    """Returns a function from a member's name to its content."""
    try:
        return zipfile.ZipFile(archive).read if archive.suffix == ".zip" else _open_tar(archive)
    except _DAMAGED as error:
        raise UserError(f"{archive} is damaged, fetch it again: {error}") from None


def _open_tar(archive):
    tar = tarfile.open(archive, "r:")  # noqa: SIM115  It stays open while photographs are read.
    members = {member.name: member for member in tar if member.isfile()}
    # At least one empty block ends a whole archive; tarfile does not miss it.
    ends = (member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE for member in tar)
    if archive.stat().st_size < max(ends, default=0) + tarfile.BLOCKSIZE:
        raise tarfile.ReadError("unexpected end of data")
    return lambda name: tar.extractfile(members[name]).read()


class ManualBuilder(PhotosBuilder, skip_registration=True):
    """Photographs with published classes and splits, from archives in the manual directory."""

    CLASSES: tuple[str, ...]
    SIZES: dict[str, int]  # images of each split
    ARCHIVES: dict[str, str]  # folder -> the archive that holds it
    LISTS: tuple[str, ...] = ()  # files beside the archives

    @property
    def class_names(self):
        return list(self.CLASSES)

    def listed(self, files: ManualFiles) -> dict[str, list[Photo]]:
        """The photographs that the published lists name."""
        raise NotImplementedError

    def photos(self, dl_manager):
        directory = self._manual_directory(dl_manager)
        splits = self.listed(ManualFiles(directory, self.ARCHIVES))
        for split, photos in splits.items():
            differing = {photo.label for photo in photos} ^ set(self.CLASSES)
            if differing:
                raise UserError(f"{self.name}: the {split} list and the published classes differ in {min(differing)!r}")
            count = len({photo.file for photo in photos})
            if count != self.SIZES[split]:
                raise UserError(
                    f"{self.name}: the {split} list names {count} images, the published one {self.SIZES[split]}"
                )
        return splits

    def _manual_directory(self, dl_manager):
        try:
            directory = Path(dl_manager.manual_dir)
        except AssertionError as error:  # How tfds says that it is missing or empty, in several lines.
            reason = str(error).partition(". ")[0]
            raise UserError(f"{self.name}: {reason}. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}") from None
        wanted = [(archive, folder) for folder, archive in self.ARCHIVES.items()] + [(file,) for file in self.LISTS]
        missing = [names[0] for names in wanted if not any((directory / name).exists() for name in names)]
        if missing:
            raise UserError(
                f"{self.name}: {', '.join(missing)} not found in {directory}. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            )
        return directory
