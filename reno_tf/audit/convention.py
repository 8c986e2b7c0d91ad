"""How a model wants to be fed and read."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Tried:
    """One way to feed the model, and how that went on the images that it was asked about.

    accuracy: balanced, the mean over the classes of the fraction that is right; with the labels as they come, and with
    the labels matched to the outputs (each half of the images by the matching of the other half).
    """

    geometry: str
    input_range: str
    asked: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    matched: float
    matched_ci95: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Tied:
    """A way to feed the model that fits as well as the one that is taken, which is the more usual one.

    accuracy: balanced, with the labels in the order that is used. differing: the fraction of the answers.
    """

    geometry: str
    input_range: str
    accuracy: float
    accuracy_ci95: tuple[float, float]
    differing: float


@dataclasses.dataclass(frozen=True)
class Convention:
    """How a model is to be fed and read."""

    geometry: str  # how a photo becomes its input: a key of `reno_tf.data.transforms.GEOMETRIES`, "" without photos
    input_range: str  # a key of `RANGES`
    outputs: str  # what its scores are: a key of `outputs.KINDS`
    order: np.ndarray  # int [classes], the output that stands for each label
    renamed: bool  # whether that order was found by matching
    unmatched: tuple[int, ...]  # labels for which surely most images get another answer
    draws: int  # answers to an image that are averaged; more than one where they differ
    tried: tuple[Tried, ...]
    tied: tuple[Tied, ...] = ()  # the best first

    @property
    def chosen(self) -> Tried:
        return next(way for way in self.tried if (way.geometry, way.input_range) == (self.geometry, self.input_range))

    @property
    def accuracy(self) -> tuple[float, tuple[float, float]]:
        """Balanced, of the chosen way with the labels in the order that is used, and its 95 % interval."""
        way = self.chosen
        return (way.matched, way.matched_ci95) if self.renamed else (way.accuracy, way.accuracy_ci95)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stated:
    """What the user says about a model; "auto" is detected.

    input_range: a key of `RANGES`. geometry: of `reno_tf.data.transforms.GEOMETRIES`. outputs: of `outputs.KINDS`.
    label_order: "given": output i is label i; or the output of each label, as "2,0,1". "auto": as given, unless
    matching outputs and labels anew is significantly better on images that it was not matched on.
    """

    input_range: str = "auto"
    geometry: str = "auto"
    outputs: str = "auto"
    label_order: str = "auto"
