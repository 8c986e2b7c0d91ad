"""What the builders of image sets share with each other."""

from collections.abc import Sequence

import tensorflow_datasets as tfds

from reno_tf.data.imagefile import ImageError, normalize
from reno_tf.errors import UserError

_MAX_NAMED = 10  # A message names this many files, and counts the others.


def image_info(builder, class_names, *, size=None, homepage=None, metadata=None, **features) -> tfds.core.DatasetInfo:
    """The description of images with a class each. The text is the builder's docstring.

    Images of `size` pixels a side are stored as PNG; with None, images of any size are stored as they are.
    """
    image = tfds.features.Image(shape=(size, size, 3), encoding_format="png" if size else None)
    label = tfds.features.ClassLabel(names=list(class_names))
    return tfds.core.DatasetInfo(
        builder=builder,
        description=" ".join(builder.__doc__.split()),
        features=tfds.features.FeaturesDict({"image": image, "label": label, **features}),
        supervised_keys=("image", "label"),
        homepage=homepage,
        metadata=metadata,
    )


def unreadable_message(unreadable: dict[str, list[str]]) -> str:
    """Counts and names the unreadable files of all splits."""
    files = [file for split in unreadable.values() for file in split]
    named, more = files[:_MAX_NAMED], len(files) - _MAX_NAMED
    images = "image" if len(files) == 1 else "images"
    return f"{len(files)} unreadable {images}: {', '.join(named)}{f' and {more} more' if more > 0 else ''}"


class PhotosBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Photos of any size with a class each, stored as `imagefile.normalize` returns them.

    A subclass has `photos(dl_manager)` -> {"train": {file: class name}, "test": ..., perhaps "validation": ...};
    and `read(file)` -> the file's bytes, which raises ImageError.

    An unreadable file fails the build. The error names all such files, and nothing stays on the disk.
    With `skip_unreadable` the build leaves them out, and lists them in `info.metadata["unreadable"]`:
    {split: ["file (reason)", ...]}. That is another config of the builder, with a copy of its own.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="whole", description="Every image."),
        tfds.core.BuilderConfig(name="readable", description="Unreadable images left out."),
    ]
    HOMEPAGE: str | None = None
    class_names: Sequence[str]

    def __init__(self, *, skip_unreadable: bool = False, config=None, **kwargs):
        self._unreadable: dict[str, list[str]] = {"train": [], "test": []}
        super().__init__(config=config or ("readable" if skip_unreadable else "whole"), **kwargs)
        self._skips = self.builder_config.name.endswith("readable")

    def _info(self):
        return image_info(
            self,
            self.class_names,
            file=tfds.features.Text(),
            homepage=self.HOMEPAGE,
            metadata=tfds.core.MetadataDict(unreadable=self._unreadable),
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split, photos) for split, photos in self.photos(dl_manager).items()}

    def _generate_examples(self, split, photos):
        unreadable = self._unreadable.setdefault(split, [])
        classes = set(photos.values())
        empty_classes = set(classes)
        for file, label in photos.items():
            name = file.encode(errors="backslashreplace").decode()  # A file's name need not be valid UTF-8.
            try:
                image = normalize(self.read(file))
            except ImageError as error:
                unreadable.append(f"{name} ({error})")
            else:
                empty_classes.discard(label)
                yield name, {"image": image, "label": label, "file": name}
        # Without `skip_unreadable` the error below names all files; but tfds cannot write an empty split.
        if empty_classes and (self._skips or empty_classes == classes):
            message = f"class {min(empty_classes)!r} has no readable {split} image"
            raise UserError(f"{message}; {unreadable_message(self._unreadable)}")

    def _download_and_prepare(self, *args, **kwargs):
        for files in self._unreadable.values():
            files.clear()  # of an earlier, failed build
        super()._download_and_prepare(*args, **kwargs)
        if any(self._unreadable.values()) and not self._skips:
            advice = "replace them, or leave them out with --skip_unreadable"
            raise UserError(f"{unreadable_message(self._unreadable)}; {advice}")
