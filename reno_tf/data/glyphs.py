"""Printed characters in the fonts that matplotlib ships: the embedded source, and targets in other scripts."""

import functools
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw, ImageFont

from reno_tf.data.builders import image_info

IMAGE_SIZE = 32
_SCALE = 4  # Glyphs are drawn this many times larger, then reduced with antialiasing.
_STYLES = {
    "DejaVuSans": ("", "-Bold", "-Oblique", "-BoldOblique"),
    "DejaVuSansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
    "DejaVuSerif": ("", "-Bold", "-Italic", "-BoldItalic"),
    "STIXGeneral": ("", "Bol", "Italic", "BolIta"),
}
FONTS = tuple(f"{family}{style}.ttf" for family, styles in _STYLES.items() for style in styles)
_DEJAVU = tuple(font for font in FONTS if font.startswith("DejaVu"))


class GlyphBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """One class per character, in random font, size, rotation, shear, place, colours and noise.

    An image is a pure function of (split, character, number). Each of `FONTS` must contain all
    `CHARACTERS`: Pillow draws a box for a missing glyph. A script other than the source's leaves out letters that
    look like a class of the source, so that the teacher never learnt a target class under another name.
    """

    VERSION = tfds.core.Version("1.0.0")
    CHARACTERS: str
    FONTS = FONTS
    TRAIN_PER_CLASS, TEST_PER_CLASS = 60, 40

    def _info(self):
        return image_info(self, self.CHARACTERS, size=IMAGE_SIZE)

    def _split_generators(self, dl_manager):
        sizes = {"train": self.TRAIN_PER_CLASS, "test": self.TEST_PER_CLASS}
        return {split: self._generate_examples(seed, sizes[split]) for seed, split in enumerate(sizes)}

    def _generate_examples(self, seed, per_class):
        for label, character in enumerate(self.CHARACTERS):
            for number in range(per_class):
                generator = np.random.default_rng([seed, ord(character), number])
                yield f"{label}-{number}", {"image": render(character, generator, self.FONTS), "label": label}


class PrintedGlyphs(GlyphBuilder):
    """A-Z, a-z, 0-9 (62 classes) in the fonts that matplotlib ships."""

    CHARACTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits
    TRAIN_PER_CLASS, TEST_PER_CLASS = 200, 30


class GreekLetters(GlyphBuilder):
    """28 Greek letters, without the capitals and small letters that look Latin, such as Alpha or omicron."""

    CHARACTERS = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμξπσςτφψω"


class ArmenianLetters(GlyphBuilder):
    """33 small Armenian letters, without oh, seh, ho, vo and tso, which have the shapes of o, u, h, n and g."""

    CHARACTERS = "աբգդեզէըթժիլխծկձղճմյնշչպջռվտրւփքֆ"
    FONTS = _DEJAVU


class GeorgianLetters(GlyphBuilder):
    """The 33 letters of the modern Georgian alphabet."""

    CHARACTERS = "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ"
    FONTS = _DEJAVU


class MathOperators(GlyphBuilder):
    """30 symbols of Unicode's block Mathematical Operators that most of the fonts share."""

    CHARACTERS = "∀∂∃∇∈∉∋∏∑∓∝∞∠∧∨∩∪≈≠≡≤≥⊂⊃⊕⊗⊞⊢⊣⊥"
    FONTS = tuple(font for font in FONTS if font not in ("STIXGeneralItalic.ttf", "STIXGeneralBolIta.ttf"))


def render(character: str, generator: np.random.Generator, fonts: Sequence[str] = FONTS) -> np.ndarray:
    """One glyph, uint8 [32, 32, 3]; `generator` makes every random choice.

    The size varies by 10 % only and the baseline is fixed, so that "c" and "C" stay different classes.
    """
    side = IMAGE_SIZE * _SCALE
    canvas = Image.new("L", (side, side))
    font = _font(generator.choice(fonts), round(side * 0.72 * generator.uniform(0.9, 1.1)))
    ImageDraw.Draw(canvas).text((side / 2, side * 0.74), character, fill=255, font=font, anchor="ms")
    angle, shear = generator.uniform(-0.2, 0.2), generator.uniform(-0.2, 0.2)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [[1, shear], [0, 1]]
    # Rotation, shear and shift about the centre, as Pillow's map from output to input coordinates.
    offset = side / 2 - matrix @ (side / 2 + generator.uniform(-2, 2, size=2) * _SCALE)
    affine = (*matrix[0], offset[0], *matrix[1], offset[1])
    drawn = canvas.transform((side, side), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    mask = np.asarray(drawn.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX), np.float64)[..., None] / 255
    ink, paper = generator.uniform(size=(2, 3))
    while abs(ink.mean() - paper.mean()) < 0.35:  # too close in brightness
        ink, paper = generator.uniform(size=(2, 3))
    image = ink * mask + paper * (1 - mask)
    image += generator.uniform(0, 0.02) * generator.standard_normal(image.shape)
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


@functools.cache
def _font(file, size):
    import matplotlib  # Only for the fonts it ships.

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / file), size)
