"""What the builders of photos share: they decode every file once, and name each file that cannot be decoded."""

import tensorflow_datasets as tfds

from reno_tf.data.builder_info import image_info
from reno_tf.data.imagefile import ImageError, normalize
from reno_tf.errors import UserError

_MAX_NAMED = 10  # A message names so many files, and counts the others.


def unreadable_message(unreadable: dict[str, list[str]]) -> str:
    """Counts and names the unreadable files of all splits."""
    files = [file for split in unreadable.values() for file in split]
    named, more = files[:_MAX_NAMED], len(files) - _MAX_NAMED
    images = "image" if len(files) == 1 else "images"
    return f"{len(files)} unreadable {images}: {', '.join(named)}{f' and {more} more' if more > 0 else ''}"


class PhotosBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Photos of any size with a class each, stored as `imagefile.normalize` returns them.

    An unreadable file fails the build. The error names all such files, and nothing stays on the disk.
    With `skip_unreadable` the build leaves them out, and lists them in `info.metadata["unreadable"]`:
    {split: ["file (reason)", ...]}. It is another config of the builder, so a copy of its own.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="whole", description="Every image."),
        tfds.core.BuilderConfig(name="readable", description="Unreadable images left out."),
    ]
    HOMEPAGE: str | None = None

    def __init__(self, *, skip_unreadable: bool = False, config=None, **kwargs):
        self._unreadable = {"train": [], "test": []}
        super().__init__(config=config or ("readable" if skip_unreadable else "whole"), **kwargs)

    @property
    def skip_unreadable(self) -> bool:
        return self.builder_config.name.endswith("readable")

    @property
    def class_names(self) -> list[str]:
        raise NotImplementedError

    def photos(self, dl_manager) -> dict[str, dict[str, str]]:
        """{"train": {file: class name}, "test": ...}."""
        raise NotImplementedError

    def read(self, file: str) -> bytes:
        """The content of one of those files. Raises ImageError."""
        raise NotImplementedError

    def _info(self):
        metadata = tfds.core.MetadataDict(unreadable=self._unreadable)
        file = tfds.features.Text()
        return image_info(self, self.class_names, homepage=self.HOMEPAGE, metadata=metadata, file=file)

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split, photos) for split, photos in self.photos(dl_manager).items()}

    def _generate_examples(self, split, photos):
        empty_classes = set(self.class_names)
        for file, label in photos.items():
            name = file.encode(errors="backslashreplace").decode()  # A file's name need not be valid UTF-8.
            try:
                image = normalize(self.read(file))
            except ImageError as error:
                self._unreadable[split].append(f"{name} ({error})")
            else:
                empty_classes.discard(label)
                yield name, {"image": image, "label": label, "file": name}
        # Without `skip_unreadable` the error below names all files; but tfds cannot write an empty split.
        if empty_classes and (self.skip_unreadable or len(empty_classes) == len(self.class_names)):
            message = unreadable_message(self._unreadable)
            raise UserError(f"class {min(empty_classes)!r} has no readable {split} image; {message}")

    def _download_and_prepare(self, *args, **kwargs):
        for files in self._unreadable.values():
            files.clear()  # of an earlier, failed build
        super()._download_and_prepare(*args, **kwargs)
        if any(self._unreadable.values()) and not self.skip_unreadable:
            message = unreadable_message(self._unreadable)
            raise UserError(f"{message}; replace them, or leave them out with --skip_unreadable")
