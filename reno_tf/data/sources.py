"""Where each data set comes from. A new one is a tensorflow-datasets builder, and a line here."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import tensorflow_datasets as tfds

from reno_tf.data import digits, glyphs, manual
from reno_tf.data.folder import FolderImages
from reno_tf.data.solar import SolarCells
from reno_tf.data.zipped import Signs, Trashnet
from reno_tf.errors import UserError, choose

_TFDS = "tfds:"  # Before the name of any data set that tensorflow-datasets knows.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A data set that can be built.

    builder: (data_dir=..., ...) -> a tensorflow-datasets builder with "image" and "label".
    origin: "embedded" (generated here, small enough for memory), "download" (tensorflow-datasets
      fetches the archives), "manual" (the user fetches the archives), "package" (one that is installed) or
      "folder" (the user's images).
    sizes: published numbers of classes, training and test images; None for any.
    train, test: the published splits that make these splits, in tensorflow-datasets' notation; test None: "test" if
      there is one, else "validation", else a fifth of "train".
    note: what a user should know about the data set.
    """

    builder: Callable
    origin: str
    sizes: tuple[int, int, int] | None
    train: str = "train"
    test: str | None = "test"
    note: str = ""

    def splits(self, builder) -> dict[str, str]:
        """{"train", "test"} of a data set that is built, in tensorflow-datasets' notation.

        A user's folder may have a "validation" too.
        """
        there = builder.info.splits
        if self.test:
            validation = {"validation": "validation"} if self.origin == "folder" and "validation" in there else {}
            return {"train": self.train, "test": self.test, **validation}
        for split in ("test", "validation"):
            if split in there:
                return {"train": self.train, "test": split}
        return {"train": f"{self.train}[:80%]", "test": f"{self.train}[80%:]"}

    def open(self, *, folder: str | None, skip_unreadable: bool, data_dir: str | None) -> tfds.core.DatasetBuilder:
        """The builder, which has built nothing yet. See `reno_tf.data.load` for the arguments."""
        options: dict[str, Any] = {"data_dir": data_dir}
        if self.origin == "download":
            prepared = self.builder(**options)
            if prepared.data_path.exists():  # Perhaps by another program, in another format.
                return prepared
        if self.origin != "embedded":
            options["file_format"] = "array_record"  # Reads records in any order.
        if self.origin in ("manual", "package", "folder"):
            options["skip_unreadable"] = skip_unreadable
        return self.builder(folder, **options) if self.origin == "folder" else self.builder(**options)


def _embedded(builder, *sizes, note=""):
    return Source(builder=builder, origin="embedded", sizes=sizes, note=note)


def _download(name, *sizes, **options):
    return Source(builder=functools.partial(tfds.builder, name), origin="download", sizes=sizes, **options)


_IN_IMAGENET = "its images are part of ImageNet's training set: an ImageNet teacher has seen them"
_SOLAR = (
    "photographs of solar cells by Buerhop-Lutz et al., 2018, and Deitsch et al., 2019 (CC BY-NC-SA 4.0: not for "
    "commercial use; cite them), installed by the extra photos"
)
_WASTE = "photographs of waste by Thung and Yang, 2016 (MIT: cite their repository); the split is this project's"
_SIGNS = (
    "photographs of hands that show digits, by Mavi, 2020 (Apache-2.0: cite arXiv 2011.08927); the split, by people, "
    "is this project's"
)
DATASETS = {
    "digits": _embedded(digits.HandwrittenDigits, 10, 597, 1200),
    "glyphs": _embedded(glyphs.PrintedGlyphs, 62, 12400, 1860, note="the embedded teacher's own"),
    "greek": _embedded(glyphs.GreekLetters, 28, 1680, 1120),
    "armenian": _embedded(glyphs.ArmenianLetters, 33, 1980, 1320),
    "georgian": _embedded(glyphs.GeorgianLetters, 33, 1980, 1320),
    "operators": _embedded(glyphs.MathOperators, 30, 1800, 1200),
    "flowers": _download("oxford_flowers102", 102, 2040, 6149, train="train+validation"),
    "birds": _download("caltech_birds2011", 200, 5994, 5794),
    "dogs": _download("stanford_dogs", 120, 12000, 8580, note=_IN_IMAGENET),
    "actions": Source(builder=manual.StanfordActions, origin="manual", sizes=(40, 4000, 5532)),
    "indoor": Source(builder=manual.IndoorScenes, origin="manual", sizes=(67, 5360, 1340)),
    "solar": Source(builder=SolarCells, origin="package", sizes=(4, 1664, 559), note=_SOLAR),
    "trashnet": Source(builder=Trashnet, origin="manual", sizes=(6, 1910, 617), note=_WASTE),
    "signs": Source(builder=Signs, origin="manual", sizes=(10, 1546, 516), note=_SIGNS),
    "folder": Source(builder=FolderImages, origin="folder", sizes=None),
}


def find(name: str, data_dir: str | None = None) -> Source:
    """The source of a key of `DATASETS`, or of "tfds:NAME", any image classification that tensorflow-datasets knows.

    It knows its own sets, and those prepared in `data_dir`, even without their code; None: its own folder.

    Raises UserError for an unknown name, or if it has no image with a class.
    """
    if not name.startswith(_TFDS):
        return DATASETS[choose("data set", name, [*DATASETS, f"{_TFDS}NAME"])]
    tfds_name = name.removeprefix(_TFDS)
    try:
        features = dict((tfds.builder(tfds_name, data_dir=data_dir).info.features or {}).items())
    except (tfds.core.DatasetNotFoundError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"tensorflow-datasets cannot open {tfds_name!r}: {reason}") from None
    image, label = (features.get(key) for key in ("image", "label"))
    if not isinstance(image, tfds.features.Image) or not isinstance(label, tfds.features.ClassLabel):
        raise UserError(f"{name} is not image classification: it has {', '.join(features)}, not an image and a label")
    return Source(builder=functools.partial(tfds.builder, tfds_name), origin="download", sizes=None, test=None)
