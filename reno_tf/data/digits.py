"""The embedded target: scikit-learn's handwritten digits (UCI Optical Recognition of Handwritten Digits)."""

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

IMAGE_SIZE = 32
_DIGIT_SIZE = 24  # enlarged to this and centred, so that a digit is about as large as the source's glyphs
_TEST_PER_CLASS = 120


class HandwrittenDigits(tfds.core.GeneratorBasedBuilder):
    """1797 real 8x8 digits, enlarged to 32x32: 1200 to test (120 a class), 597 to train."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="Handwritten digits shipped with scikit-learn, 8x8 grey, enlarged to 32x32 RGB.",
            homepage="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(IMAGE_SIZE, IMAGE_SIZE, 3), encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=[str(digit) for digit in range(10)]),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        from sklearn.datasets import load_digits  # Slow to import, and needed once.

        pixels, labels = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(labels))
        test = np.concatenate([order[labels[order] == digit][:_TEST_PER_CLASS] for digit in range(10)])
        train = np.setdiff1d(order, test)
        return {
            "train": self._generate_examples(pixels, labels, train),
            "test": self._generate_examples(pixels, labels, test),
        }

    def _generate_examples(self, pixels, labels, indices):
        for index in indices:
            yield int(index), {"image": _enlarge(pixels[index].reshape(8, 8)), "label": int(labels[index])}


def _enlarge(digit):
    """8x8 in 0..16 -> uint8 [32, 32, 3]."""
    grey = Image.fromarray(np.round(digit * 255 / 16).astype(np.uint8))
    canvas, margin = Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE)), (IMAGE_SIZE - _DIGIT_SIZE) // 2
    canvas.paste(grey.resize((_DIGIT_SIZE, _DIGIT_SIZE), Image.Resampling.BICUBIC), (margin, margin))
    return np.asarray(canvas)
