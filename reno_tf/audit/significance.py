"""Which differences between answers are more than chance."""

import math

import numpy as np
from scipy.stats import binomtest

SURE = 2.5  # standard deviations by which a model has to be better than chance
ERROR = 0.01  # the chance that more or less than a fraction of the images is said wrongly
_FLIPS = 2000  # of a permutation test


def balanced(right, labels) -> float:
    """Mean over the classes of the fraction of its images that is right."""
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def interval(right, labels, z=1.96) -> tuple[float, float]:
    """Wilson's interval of the balanced accuracy, `z` standard deviations wide, for as many images as it rests on."""
    counts = np.unique(labels, return_counts=True)[1]
    rate, size = balanced(right, labels), len(counts) ** 2 / np.sum(1 / counts)
    middle, width = rate + z**2 / (2 * size), z * math.sqrt(rate * (1 - rate) / size + z**2 / (4 * size**2))
    low, high = (float(np.clip((middle + sign * width) / (1 + z**2 / size), 0, 1)) for sign in (-1, 1))
    return low, high


def chance_of_worse(right, best, labels, seed) -> float:
    """The chance that `right` would be so far below `best`, bool [N] each, if both were equally good."""
    counts = np.bincount(labels)
    difference = (best.astype(float) - right) / counts[labels]
    difference = difference[difference != 0]
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(_FLIPS, len(difference)))
    flipped = (signs * np.abs(difference)).sum(1)
    return float((1 + np.sum(flipped >= difference.sum() - 1e-12)) / (1 + _FLIPS))


def surely_more(hits, limit: float, *, error=ERROR) -> bool:
    """Whether surely more than this fraction of all images are hits, from N drawn ones, bool [N]; a few never are."""
    return binomtest(int(hits.sum()), len(hits), limit, alternative="greater").pvalue < error


def surely_less(hits, limit: float, *, error=ERROR) -> bool:
    """Whether surely less than this fraction of all images are hits, from N drawn ones, bool [N]; few never tell."""
    return binomtest(int(hits.sum()), len(hits), limit, alternative="less").pvalue < error
