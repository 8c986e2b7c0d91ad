"""Printed glyphs in the fonts that matplotlib ships: the embedded source, and the base of `scripts`."""

import functools
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw, ImageFont

from reno_tf.data.builder_info import image_info

IMAGE_SIZE = 32
_SCALE = 4  # Glyphs are drawn this many times larger, then reduced with antialiasing.
FONTS = tuple(
    f"{family}{style}.ttf"
    for family, styles in {
        "DejaVuSans": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "DejaVuSansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "DejaVuSerif": ("", "-Bold", "-Italic", "-BoldItalic"),
        "STIXGeneral": ("", "Bol", "Italic", "BolIta"),
    }.items()
    for style in styles
)


class GlyphBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """One class per character, in random font, size, rotation, shear, place, colours and noise.

    An image is a pure function of (split, character, number). Each of `FONTS` must contain all
    `CHARACTERS`: Pillow draws a box for a missing glyph.
    """

    VERSION = tfds.core.Version("1.0.0")
    CHARACTERS: str
    FONTS = FONTS
    TRAIN_PER_CLASS: int
    TEST_PER_CLASS: int

    def _info(self):
        return image_info(self, self.CHARACTERS, size=IMAGE_SIZE)

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(0, self.TRAIN_PER_CLASS),
            "test": self._generate_examples(1, self.TEST_PER_CLASS),
        }

    def _generate_examples(self, seed, per_class):
        for label, character in enumerate(self.CHARACTERS):
            for number in range(per_class):
                generator = np.random.default_rng([seed, ord(character), number])
                yield f"{label}-{number}", {"image": render(character, generator, self.FONTS), "label": label}


class PrintedGlyphs(GlyphBuilder):
    """A-Z, a-z, 0-9 (62 classes) in the fonts that matplotlib ships."""

    CHARACTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits
    TRAIN_PER_CLASS, TEST_PER_CLASS = 200, 30


def render(character: str, generator: np.random.Generator, fonts: Sequence[str] = FONTS) -> np.ndarray:
    """One glyph, uint8 [32, 32, 3]; `generator` makes every random choice.

    The size varies by 10 % only and the baseline is fixed, so that "c" and "C" stay different classes.
    """
    side = IMAGE_SIZE * _SCALE
    canvas = Image.new("L", (side, side))
    font = _font(generator.choice(fonts), round(side * 0.72 * generator.uniform(0.9, 1.1)))
    ImageDraw.Draw(canvas).text((side / 2, side * 0.74), character, fill=255, font=font, anchor="ms")
    mask = canvas.transform((side, side), Image.Transform.AFFINE, _affine(generator, side), Image.Resampling.BILINEAR)
    mask = np.asarray(mask.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX), np.float64)[..., None] / 255
    ink, paper = _colours(generator)
    image = ink * mask + paper * (1 - mask)
    image += generator.uniform(0, 0.02) * generator.standard_normal(image.shape)
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _affine(generator, side):
    """Rotation, shear and shift about the centre, as PIL's map from output to input coordinates."""
    angle, shear = generator.uniform(-0.2, 0.2), generator.uniform(-0.2, 0.2)
    dx, dy = generator.uniform(-2, 2, size=2) * _SCALE
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [[1, shear], [0, 1]]
    centre = np.array([side / 2, side / 2])
    offset = centre - matrix @ (centre + [dx, dy])
    return (*matrix[0], offset[0], *matrix[1], offset[1])


def _colours(generator):
    """Ink and paper, RGB in [0, 1], at least 0.35 apart in brightness."""
    while True:
        ink, paper = generator.uniform(size=(2, 3))
        if abs(ink.mean() - paper.mean()) >= 0.35:
            return ink, paper


@functools.cache
def _font(file, size):
    import matplotlib  # Only for the fonts it ships.

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / file), size)
