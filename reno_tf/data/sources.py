"""Where each data set comes from. A new one is a tensorflow-datasets builder, and a line here."""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow_datasets as tfds

from reno_tf.data import transforms
from reno_tf.data.actions import StanfordActions
from reno_tf.data.digits import HandwrittenDigits
from reno_tf.data.folder import FolderImages
from reno_tf.data.glyphs import PrintedGlyphs
from reno_tf.data.indoor import IndoorScenes
from reno_tf.data.scripts import ArmenianLetters, GeorgianLetters, GreekLetters, MathOperators


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A data set that can be built.

    builder: (data_dir=..., ...) -> a tensorflow-datasets builder with "image" and "label".
    origin: "embedded" (generated here, small enough for memory), "download" (tensorflow-datasets
      fetches the archives), "manual" (the user fetches the archives) or "folder" (the user's images).
    sizes: published numbers of classes, training and test images; None for a folder of any size.
    train: the published splits that make the training split, in tensorflow-datasets' notation.
    note: what a user should know about the data set.
    """

    builder: Callable
    origin: str
    sizes: tuple[int, int, int] | None
    train: str = "train"
    note: str = ""

    def open(self, *, folder: str | None, skip_unreadable: bool, data_dir: str | None) -> tfds.core.DatasetBuilder:
        """The builder, which has built nothing yet. See `reno_tf.data.load` for the arguments."""
        options = {"data_dir": data_dir}
        if self.origin != "embedded":
            options["file_format"] = "array_record"  # Reads records in any order.
        if self.origin in ("manual", "folder"):
            options["skip_unreadable"] = skip_unreadable
        return self.builder(folder, **options) if self.origin == "folder" else self.builder(**options)

    @property
    def augment(self) -> Callable | None:
        """The augmentation besides a photo's random crop: see `reno_tf.data.train_batches`."""
        return transforms.random_affine if self.origin == "embedded" else None


def _download(name, **options):
    return Source(builder=functools.partial(tfds.builder, name), origin="download", **options)


DATASETS = {
    "digits": Source(builder=HandwrittenDigits, origin="embedded", sizes=(10, 597, 1200)),
    "glyphs": Source(
        builder=PrintedGlyphs, origin="embedded", sizes=(62, 12400, 1860), note="the embedded teacher's own"
    ),
    "greek": Source(builder=GreekLetters, origin="embedded", sizes=(28, 1680, 1120)),
    "armenian": Source(builder=ArmenianLetters, origin="embedded", sizes=(33, 1980, 1320)),
    "georgian": Source(builder=GeorgianLetters, origin="embedded", sizes=(33, 1980, 1320)),
    "operators": Source(builder=MathOperators, origin="embedded", sizes=(30, 1800, 1200)),
    "flowers": _download("oxford_flowers102", sizes=(102, 2040, 6149), train="train+validation"),
    "birds": _download("caltech_birds2011", sizes=(200, 5994, 5794)),
    "dogs": _download(
        "stanford_dogs",
        sizes=(120, 12000, 8580),
        note="its images are part of ImageNet's training set: an ImageNet teacher has seen them",
    ),
    "actions": Source(builder=StanfordActions, origin="manual", sizes=(40, 4000, 5532)),
    "indoor": Source(builder=IndoorScenes, origin="manual", sizes=(67, 5360, 1340)),
    "folder": Source(builder=FolderImages, origin="folder", sizes=None),
}
