"""Embedded targets in other scripts than the source's (A-Z, a-z, 0-9).

They leave out letters that look like a class of the source, so that the teacher never learnt a
target class under another name. Each set has 60 training images a class and about 1200 test images.
"""

from reno_tf.data.glyphs import FONTS, GlyphBuilder

_DEJAVU = tuple(font for font in FONTS if font.startswith("DejaVu"))


class _Script(GlyphBuilder, skip_registration=True):
    TRAIN_PER_CLASS, TEST_PER_CLASS = 60, 40


class GreekLetters(_Script):
    """28 Greek letters, without the capitals and small letters that look Latin, such as Alpha or omicron."""

    CHARACTERS = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμξπσςτφψω"


class ArmenianLetters(_Script):
    """33 small Armenian letters, without oh, seh, ho, vo and tso, which have the shapes of o, u, h, n and g."""

    CHARACTERS = "աբգդեզէըթժիլխծկձղճմյնշչպջռվտրւփքֆ"
    FONTS = _DEJAVU


class GeorgianLetters(_Script):
    """The 33 letters of the modern Georgian alphabet."""

    CHARACTERS = "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ"
    FONTS = _DEJAVU


class MathOperators(_Script):
    """30 symbols of Unicode's block Mathematical Operators that most of the fonts share."""

    CHARACTERS = "∀∂∃∇∈∉∋∏∑∓∝∞∠∧∨∩∪≈≠≡≤≥⊂⊃⊕⊗⊞⊢⊣⊥"
    FONTS = tuple(font for font in FONTS if font not in ("STIXGeneralItalic.ttf", "STIXGeneralBolIta.ttf"))
