"""Data sets whose archives the user fetches by hand, into a manual directory where they are read in place."""

import functools
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from reno_tf import archives
from reno_tf.data.builders import PhotosBuilder
from reno_tf.data.imagefile import ImageError
from reno_tf.errors import UserError

DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError)
# The classes of Stanford 40 Actions (Yao et al., ICCV 2011), then those of Indoor 67 (Quattoni, Torralba, CVPR 2009).
_ACTIONS = """
applauding blowing_bubbles brushing_teeth cleaning_the_floor climbing cooking cutting_trees cutting_vegetables
drinking feeding_a_horse fishing fixing_a_bike fixing_a_car gardening holding_an_umbrella jumping
looking_through_a_microscope looking_through_a_telescope phoning playing_guitar playing_violin pouring_liquid
pushing_a_cart reading riding_a_bike riding_a_horse rowing_a_boat running shooting_an_arrow smoking
taking_photos texting_message throwing_frisby using_a_computer walking_the_dog washing_dishes watching_TV
waving_hands writing_on_a_board writing_on_a_book
"""
_SCENES = """
airport_inside artstudio auditorium bakery bar bathroom bedroom bookstore bowling buffet casino children_room
church_inside classroom cloister closet clothingstore computerroom concert_hall corridor deli dentaloffice
dining_room elevator fastfood_restaurant florist gameroom garage greenhouse grocerystore gym hairsalon
hospitalroom inside_bus inside_subway jewelleryshop kindergarden kitchen laboratorywet laundromat library
livingroom lobby locker_room mall meeting_room movietheater museum nursery office operating_room pantry
poolinside prisoncell restaurant restaurant_kitchen shoeshop stairscase studiomusic subway toystore
trainstation tv_studio videostore waitingroom warehouse winecellar
"""


class ManualBuilder(PhotosBuilder, skip_registration=True):
    """Photos with published classes and splits. A subclass has `listed_photos(split)` -> {file: class name}.

    No archive is unpacked. Where the folder that an archive holds is there already, that folder is read.
    """

    SIZES: dict[str, int]  # images of each split
    ARCHIVES: dict[str, str]  # folder -> the .zip or .tar that holds it
    LISTS: dict[str, str] = {}  # split -> its list, where that is a file beside the archives

    @property
    def MANUAL_DOWNLOAD_INSTRUCTIONS(self):
        files = ", ".join([*self.ARCHIVES.values(), *self.LISTS.values()])
        return f"Put {files}, from {self.HOMEPAGE}, into the manual directory"

    def photos(self, dl_manager):
        self._directory = self._manual_directory(dl_manager)
        packed = {folder: file for folder, file in self.ARCHIVES.items() if not (self._directory / folder).is_dir()}
        self._packed = {folder: contents(self._directory / file) for folder, file in packed.items()}
        splits = {split: self.listed_photos(split) for split in self.SIZES}
        for split, photos in splits.items():
            if differing := set(photos.values()) ^ set(self.class_names):
                raise UserError(f"{self.name}: the {split} list and the published classes differ in {min(differing)!r}")
            if len(photos) != (published := self.SIZES[split]):
                message = f"the {split} list names {len(photos)} images, the published one {published}"
                raise UserError(f"{self.name}: {message}")
        return splits

    def read(self, file):
        """The content of a file, by the name it would have if every archive were unpacked. Raises ImageError."""
        packed = self._packed.get(file.partition("/")[0])
        try:
            return (self._directory / file).read_bytes() if packed is None else packed[file]()
        except (KeyError, FileNotFoundError):
            raise ImageError("missing") from None
        except DAMAGED as error:
            raise ImageError(str(error)) from None

    def lines(self, file: str) -> list[str]:
        """The lines of a text file that are not blank."""
        try:
            lines = self.read(file).decode(errors="surrogateescape").split("\n")
        except ImageError as error:
            raise UserError(f"{file} in {self._directory}: {error}") from None
        return [line.strip() for line in lines if line.strip()]

    def _manual_directory(self, dl_manager):
        directory = manual_directory(self, dl_manager)
        packed = [archive for folder, archive in self.ARCHIVES.items() if not (directory / folder).exists()]
        missing = [file for file in [*packed, *self.LISTS.values()] if not (directory / file).exists()]
        if missing:
            message = f"{', '.join(missing)} not found in {directory}"
            raise UserError(f"{self.name}: {message}. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}")
        for file in [*packed, *self.LISTS.values()]:
            archives.refuse_stand_in(directory / file)
        return directory


def manual_directory(builder: PhotosBuilder, dl_manager) -> Path:
    """Where the user put the archives. Raises UserError with the builder's instructions: it is missing or empty."""
    try:
        return Path(dl_manager.manual_dir)
    except AssertionError as error:  # tfds says it in several lines.
        reason = str(error).partition(". ")[0]
        raise UserError(f"{builder.name}: {reason}. {builder.MANUAL_DOWNLOAD_INSTRUCTIONS}") from None


def contents(archive: Path) -> dict[str, Callable[[], bytes]]:
    """{name of a file in a .zip or .tar: a function that reads it}. Raises UserError for a damaged archive."""
    try:
        if archive.suffix == ".zip":
            packed = zipfile.ZipFile(archive)  # It stays open while photos are read.
            entries = [entry for entry in packed.infolist() if not entry.is_dir()]
            return {_plain(entry.filename): functools.partial(packed.read, entry) for entry in entries}
        tar = tarfile.open(archive, "r:")  # noqa: SIM115  It stays open while photos are read.
        members = {_plain(member.name): member for member in tar if member.isfile()}
        # An empty block ends a complete archive; tarfile accepts one that is cut before it.
        ends = (member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE for member in tar)
        if archive.stat().st_size < max(ends, default=0) + tarfile.BLOCKSIZE:
            raise tarfile.ReadError("unexpected end of data")
    except DAMAGED as error:
        raise UserError(f"{archive} is damaged, fetch it again: {error}") from None
    return {name: functools.partial(_read_member, tar, member) for name, member in members.items()}


def _read_member(tar, member):
    return tar.extractfile(member).read()


def _plain(name):
    """A member's name without the backslashes of some zips made on Windows, or a "./" as tar may put before it."""
    return posixpath.normpath(name.replace("\\", "/"))


class StanfordActions(ManualBuilder):
    """Stanford 40 Actions: people doing one of 40 things, 100 training images of each."""

    HOMEPAGE = "http://vision.stanford.edu/Datasets/40actions.html"
    ARCHIVES = {"JPEGImages": "Stanford40_JPEGImages.zip", "ImageSplits": "Stanford40_ImageSplits.zip"}
    SIZES = {"train": 4000, "test": 5532}
    class_names = tuple(_ACTIONS.split())

    def listed_photos(self, split):
        lines = {label: self.lines(f"ImageSplits/{label}_{split}.txt") for label in self.class_names}
        return {f"JPEGImages/{file}": label for label, files in lines.items() for file in files}


class IndoorScenes(ManualBuilder):
    """MIT Indoor 67: the published lists name about 80 training and 20 test images of each scene."""

    HOMEPAGE = "https://web.mit.edu/torralba/www/indoor.html"
    ARCHIVES = {"Images": "indoorCVPR_09.tar"}
    LISTS = {"train": "TrainImages.txt", "test": "TestImages.txt"}
    SIZES = {"train": 5360, "test": 1340}
    class_names = tuple(_SCENES.split())

    def listed_photos(self, split):
        return {f"Images/{line}": line.partition("/")[0] for line in self.lines(self.LISTS[split])}
