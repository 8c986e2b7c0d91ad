"""Photos in a zip of class folders, which the user fetches by hand. Their splits are this project's own."""

import contextlib
import io
import itertools
import re
from pathlib import Path, PurePosixPath

from PIL import Image

from reno_tf import archives, files
from reno_tf.data import manual
from reno_tf.data.builders import PhotosBuilder
from reno_tf.data.imagefile import ImageError
from reno_tf.errors import UserError

_EVERY, _FIRST = 4, 2  # Of the blocks of neighbours, or of the students, these are the test.
_NEIGHBOURS = 20  # photographs of waste with consecutive numbers, which may show one object
_NEXT_STUDENT = 5  # A digit that is this much below the one before is shown by another student.


class ClassFolders(PhotosBuilder, skip_registration=True):
    """A subclass has `tested(files)`, which of all files (CLASS/NAME) are the test.

    Any one of the archives will do. It is read in place.
    """

    ARCHIVES: dict[str, str]  # file -> SHA-256

    @property
    def MANUAL_DOWNLOAD_INSTRUCTIONS(self):
        choices = " or ".join(f"{file} (SHA-256 {digest})" for file, digest in self.ARCHIVES.items())
        return f"Put {choices}, from {self.HOMEPAGE}, into the manual directory; docs/data.md says how to get it"

    def photos(self, dl_manager):
        archive = self._archive(manual.manual_directory(self, dl_manager))
        places = {PurePosixPath(name): read for name, read in manual.contents(archive).items()}
        # Archives made on a Mac hold a hidden file beside each.
        self._photos = {
            f"{place.parent.name}/{place.name}": read
            for place, read in places.items()
            if place.parent.name in self.class_names and not place.name.startswith(".")
        }
        labels = {file: file.partition("/")[0] for file in self._photos}
        tested = self.tested(list(self._photos))
        return {
            "train": {file: label for file, label in labels.items() if file not in tested},
            "test": {file: label for file, label in labels.items() if file in tested},
        }

    def tested(self, files: list[str]) -> set[str]:
        raise NotImplementedError

    def read(self, file):
        try:
            return self._photos[file]()
        except manual.DAMAGED as error:
            raise ImageError(str(error)) from None

    def _archive(self, directory: Path) -> Path:
        """Raises UserError if there is none, or one with another content than the published."""
        there = [file for file in self.ARCHIVES if (directory / file).exists()]
        if not there:
            message = f"{' or '.join(self.ARCHIVES)} not found in {directory}"
            raise UserError(f"{self.name}: {message}. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}")
        archive, published = directory / there[0], self.ARCHIVES[there[0]]
        archives.refuse_stand_in(archive)
        if (digest := files.digest_path(archive)) != published:
            raise UserError(f"{archive} is another file: its SHA-256 begins with {digest[:8]}, not {published[:8]}")
        return archive


class Trashnet(ClassFolders, skip_registration=True):
    """TrashNet: 2527 photographs of waste on a white board, of six kinds (Thung and Yang, 2016; MIT).

    The published split leaves out the kind trash, and one object may be on several photographs with consecutive
    numbers. So the split is by blocks of 20 numbers of a kind, of which every fourth is the test: neighbours are on two
    sides at a block's edge alone, and so are none of the three photographs that are there twice, as two kinds each.

    The published archive is dataset-resized.zip. Its photographs are reduced as those in trashnet-160.zip were, to a
    shorter side of 160 pixels by Lanczos's filter, JPEG quality 90.
    """

    HOMEPAGE = "https://github.com/garythung/trashnet"
    ARCHIVES = {
        "trashnet-160.zip": "15f97bb9ed0e6817a4c4e1242d82804d598e62765465d22ff76dcf0b54056d6b",
        "dataset-resized.zip": "c060e8abfe5d6de0578ca15be1ed8ad0794a865d333c3473d53d1d9ad6e38b8c",
    }
    class_names = ("cardboard", "glass", "metal", "paper", "plastic", "trash")

    def tested(self, files: list[str]) -> set[str]:
        return {file for file in files if (_number(file) - 1) // _NEIGHBOURS % _EVERY == _FIRST}

    def read(self, file):
        content = super().read(file)
        with contextlib.suppress(OSError):  # A file that is not an image is named later.
            return _reduced(content, 160)
        return content


class Signs(ClassFolders, skip_registration=True):
    """Sign-language digits: 2062 photographs (100x100) of hands that show 0 to 9, of about 205 students of Ankara's
    Ayranci Anadolu high school (Mavi, 2020, arXiv 2011.08927; Apache-2.0).

    Each student showed 0 to 9 in turn, and the camera numbered the photographs. So a number after which the digit falls
    by 5 or more begins another student, and every fourth student is the test. All photographs were looked at: no hand
    is on both sides.
    """

    HOMEPAGE = "https://github.com/ardamavi/Sign-Language-Digits-Dataset"
    ARCHIVES = {"signs.zip": "1ef54434252c0bb701c1d0f8a23886830fb26e086c983b9911446a8c714bab0f"}
    class_names = tuple(map(str, range(10)))

    def tested(self, files: list[str]) -> set[str]:
        students: list[list[str]] = [[]]
        for file in sorted(files, key=_number):
            if students[-1] and int(students[-1][-1][0]) - int(file[0]) >= _NEXT_STUDENT:
                students.append([])
            students[-1].append(file)
        return set(itertools.chain(*students[_FIRST::_EVERY]))


def _number(file):
    """The number in a file's name."""
    return int(re.findall(r"\d+", PurePosixPath(file).name)[0])


def _reduced(content: bytes, shorter: int) -> bytes:
    """A JPEG with a shorter side of at most `shorter` pixels. Raises OSError: not an image."""
    image = Image.open(io.BytesIO(content))
    scale = shorter / min(image.size)
    if scale >= 1:
        return content
    width, height = (round(scale * length) for length in image.size)
    reduced = io.BytesIO()
    image.resize((width, height), Image.Resampling.LANCZOS).save(reduced, "JPEG", quality=90)
    return reduced.getvalue()
