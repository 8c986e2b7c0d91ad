"""The embedded target: scikit-learn's handwritten digits (UCI Optical Recognition of Handwritten Digits)."""

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from reno_tf.data.builders import image_info
from reno_tf.data.glyphs import IMAGE_SIZE

_DIGIT_SIZE = 24  # A digit is enlarged to this and centred: about as large as the source's glyphs.
_TEST_PER_CLASS = 120


class HandwrittenDigits(tfds.core.GeneratorBasedBuilder):
    """scikit-learn's 1797 real 8x8 digits, enlarged to 32x32: 1200 to test (120 a class), 597 to train."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        homepage = "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"
        return image_info(self, "0123456789", size=IMAGE_SIZE, homepage=homepage)

    def _split_generators(self, dl_manager):
        from sklearn.datasets import load_digits  # Slow to import, and needed once.

        pixels, labels = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(labels))
        test = np.concatenate([order[labels[order] == digit][:_TEST_PER_CLASS] for digit in range(10)])
        splits = {"train": np.setdiff1d(order, test), "test": test}
        return {split: self._generate_examples(pixels, labels, indices) for split, indices in splits.items()}

    def _generate_examples(self, pixels, labels, indices):
        margin = (IMAGE_SIZE - _DIGIT_SIZE) // 2
        for index in indices:
            grey = Image.fromarray(np.round(pixels[index].reshape(8, 8) * 255 / 16).astype(np.uint8))  # from 0..16
            canvas = Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE))
            canvas.paste(grey.resize((_DIGIT_SIZE, _DIGIT_SIZE), Image.Resampling.BICUBIC), (margin, margin))
            yield int(index), {"image": np.asarray(canvas), "label": int(labels[index])}
