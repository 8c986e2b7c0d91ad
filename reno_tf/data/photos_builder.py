"""What the builders of photographs share: every file is decoded once, and what cannot be is named."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import tensorflow_datasets as tfds

from reno_tf.data.imagefile import ImageError, normalize
from reno_tf.errors import UserError

_NAMED = 10  # files named in a message; of the others, only the number


def complaint(unreadable: dict[str, list[str]]) -> str:
    """Names the unreadable files of all splits."""
    files = [file for split in unreadable.values() for file in split]
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return f"{len(files)} unreadable {'image' if len(files) == 1 else 'images'}: {', '.join(files[:_NAMED])}{more}"


class Photo(NamedTuple):
    """`read(file)` returns the file's content, or raises ImageError; `label` is a class name."""

    file: str
    label: str
    read: Callable[[str], bytes]


class PhotosBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Photographs of any size with a class each, stored as `imagefile.normalize` returns them.

    A file that cannot be read fails the build, which then leaves nothing; all such files are named.
    With `skip_unreadable` (another config, so a copy of its own) they are left out instead and
    listed in `info.metadata["unreadable"]`: {split: ["file (reason)", ...]}.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="whole", description="Every image."),
        tfds.core.BuilderConfig(name="readable", description="Unreadable images left out."),
    ]

    def __init__(self, *, skip_unreadable: bool = False, config=None, **kwargs):
        self._unreadable = {"train": [], "test": []}
        super().__init__(config=config or ("readable" if skip_unreadable else "whole"), **kwargs)

    @property
    def skip_unreadable(self) -> bool:
        return self.builder_config.name.endswith("readable")

    @property
    def class_names(self) -> list[str]:
        raise NotImplementedError

    def photos(self, dl_manager) -> dict[str, list[Photo]]:
        """The photographs of the splits "train" and "test"."""
        raise NotImplementedError

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=" ".join(self.__doc__.split()),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=self.class_names),
                    "file": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            metadata=tfds.core.MetadataDict(unreadable=self._unreadable),
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split, photos) for split, photos in self.photos(dl_manager).items()}

    def _generate_examples(self, split, photos: Iterable[Photo]):
        missing = set(self.class_names)
        for photo in photos:
            file = photo.file.encode(errors="backslashreplace").decode()  # Names need not be valid UTF-8.
            try:
                image = normalize(photo.read(photo.file))
            except ImageError as error:
                self._unreadable[split].append(f"{file} ({error})")
            else:
                missing.discard(photo.label)
                yield file, {"image": image, "label": photo.label, "file": file}
        # A whole build has its own, complete complaint below; but tfds cannot write an empty split.
        if missing and (self.skip_unreadable or len(missing) == len(self.class_names)):
            raise UserError(f"class {min(missing)!r} has no readable {split} image; {complaint(self._unreadable)}")

    def _download_and_prepare(self, *args, **kwargs):
        for files in self._unreadable.values():
            files.clear()  # of an earlier, failed build
        super()._download_and_prepare(*args, **kwargs)
        if any(self._unreadable.values()) and not self.skip_unreadable:
            raise UserError(f"{complaint(self._unreadable)}; replace them, or leave them out with --skip_unreadable")
