"""Images that are in training too: the same pixels by a digest, nearly the same photo by a perceptual hash."""

import dataclasses
import hashlib

import imagehash
import numpy as np
from PIL import Image

_LARGE = 256  # pixels; a larger photo is reduced to this many first
_HASH_SIDE = 16  # bits
_THUMBNAIL_SIDE = 16  # pixels
# Two images look alike if both hold (docs/choices.md): at most this many of the 256 bits of their hashes differ, and
# their thumbnails' grey levels by at most this, root mean square. By the hash alone, solar cells are all alike.
_BITS = 32
_LEVELS = 1.0
_NAMED = 10  # pairs that are named


@dataclasses.dataclass(frozen=True)
class Prints:
    """What N images are recognised by.

    files: names [N]. labels: int64 [N]. pixels: uint8 [N, 16], digests of the decoded images. hashes: uint8 [N, 32],
    and thumbnails: uint8 [N, 256], of photos; None for images that never were photos, many of which are alike.
    """

    files: np.ndarray
    labels: np.ndarray
    pixels: np.ndarray
    hashes: np.ndarray | None = None
    thumbnails: np.ndarray | None = None

    @classmethod
    def of_images(cls, images: np.ndarray, labels: np.ndarray) -> "Prints":
        """Of uint8 [N, H, W, 3]."""
        names = np.array([f"image {number}" for number in range(len(images))])
        return cls(names, labels, np.array([pixel_digest(image) for image in images]))

    @classmethod
    def of_index(cls, index: dict[str, np.ndarray]) -> "Prints":
        """Of what `building.index` returns; the row of an unreadable photo is all zeros."""
        return cls(**{field.name: index[field.name] for field in dataclasses.fields(cls)})

    def take(self, positions) -> "Prints":
        return Prints(*(None if column is None else column[positions] for column in self._columns()))

    def join(self, other: "Prints") -> "Prints":
        """These prints and the other's."""
        pairs = zip(self._columns(), other._columns(), strict=True)
        return Prints(*(None if one is None else np.concatenate([one, two]) for one, two in pairs))

    def _columns(self):
        return [getattr(self, field.name) for field in dataclasses.fields(self)]


@dataclasses.dataclass(frozen=True)
class Leak:
    """An image of another split that is in training too."""

    file: str
    training_file: str
    same: bool  # whether every pixel is the same
    other_label: bool


@dataclasses.dataclass(frozen=True)
class Leaks:
    """test: the test images that are in training or validation too; validation: its images that are in training."""

    test: tuple[Leak, ...] = ()
    validation: tuple[Leak, ...] = ()

    @classmethod
    def of(cls, *, train: Prints, validation: Prints, test: Prints) -> "Leaks":
        return cls(find_leaks(test, train.join(validation)), find_leaks(validation, train))

    def facts(self) -> dict:
        """For results.json: how many images leaked, and the first of the test."""
        return {
            "num_leaked_test": len(self.test),
            "num_leaked_test_same": sum(leak.same for leak in self.test),
            "num_leaked_test_other_label": sum(leak.other_label for leak in self.test),
            "num_leaked_validation": len(self.validation),
            "leaked_test": [dataclasses.asdict(leak) for leak in self.test[:_NAMED]],
        }


def pixel_digest(image: np.ndarray) -> np.ndarray:
    """Digest of an image's size and pixels, uint8 [16]."""
    content = hashlib.sha256(str(image.shape).encode())
    content.update(image.tobytes())
    return np.frombuffer(content.digest()[:16], np.uint8)


def look(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photo's row of each column of `Prints`; image: uint8 [H, W, 3]."""
    grey = Image.fromarray(image).convert("L")
    grey.thumbnail((_LARGE, _LARGE))
    bits = imagehash.phash(grey, _HASH_SIDE).hash
    thumbnail = grey.resize((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return pixel_digest(image), np.packbits(bits), np.asarray(thumbnail).ravel()


NOTHING = tuple(np.zeros(size, np.uint8) for size in (16, _HASH_SIDE**2 // 8, _THUMBNAIL_SIDE**2))  # No image's row.


def find_leaks(prints: Prints, training: Prints) -> tuple[Leak, ...]:
    """The images that are in training too, each with the training image that is most like it."""
    leaks = []
    for place, twin in _twins(prints, training).items():
        same = bool((prints.pixels[place] == training.pixels[twin]).all())
        other_label = bool(prints.labels[place] != training.labels[twin])
        leaks.append(Leak(str(prints.files[place]), str(training.files[twin]), same, other_label))
    return tuple(leaks)


def sentence(dataset: dict, *, names: int = _NAMED) -> str:
    """What `Dataset.facts` says of leaks, with this many pairs by name; "" if there are none."""
    parts = []
    if count := dataset.get("num_leaked_test", 0):
        same, relabelled = dataset["num_leaked_test_same"], dataset["num_leaked_test_other_label"]
        pairs = [
            f"{leak['file']} {'=' if leak['same'] else '~'} {leak['training_file']}"
            for leak in dataset["leaked_test"][:names]
        ]
        counted = f"{same} the same, {count - same} nearly" + f", {relabelled} with another label" * bool(relabelled)
        parts.append(f"{_also_in_training('test', count, dataset)} ({counted}), such as {', '.join(pairs)}")
    if count := dataset.get("num_leaked_validation", 0):
        parts.append(_also_in_training("validation", count, dataset))
    return f"{'; '.join(parts)}: the accuracies are too high" if parts else ""


def _also_in_training(split, count, dataset):
    verb = "is also a training image" if count == 1 else "are also training images"
    return f"{count} of {dataset[f'num_{split}']} {split} images {verb}"


def _twins(prints, others) -> dict[int, int]:
    """{place of an image: that of the one most like it among the others}, for images that have one."""
    places = {row.tobytes(): place for place, row in reversed([*enumerate(others.pixels)])}
    twins = {place: places.get(row.tobytes()) for place, row in enumerate(prints.pixels)}
    if prints.hashes is not None:
        bits, their_bits = (np.ascontiguousarray(rows).view(np.uint64) for rows in (prints.hashes, others.hashes))
        thumbnails, their_thumbnails = (rows.astype(np.int32) for rows in (prints.thumbnails, others.thumbnails))
        for place in [place for place, twin in twins.items() if twin is None]:
            near = np.flatnonzero(np.bitwise_count(their_bits ^ bits[place]).sum(1) <= _BITS)
            difference = np.square(their_thumbnails[near] - thumbnails[place]).mean(1)
            if len(near) and difference.min() <= _LEVELS**2:
                twins[place] = near[difference.argmin()]
    return {place: twin for place, twin in twins.items() if twin is not None}
