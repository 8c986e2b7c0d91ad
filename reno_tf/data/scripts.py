"""Embedded targets in scripts that the source's classes (A-Z, a-z, 0-9) do not contain.

Letters that are drawn like one of the source's classes are left out, so that no target class was
ever learnt under another name. Each set has 60 training images a class and about 1200 test images.
"""

from reno_tf.data.glyphs import FONTS, GlyphBuilder

_DEJAVU = tuple(font for font in FONTS if font.startswith("DejaVu"))


class _Script(GlyphBuilder, skip_registration=True):
    TRAIN_PER_CLASS, TEST_PER_CLASS = 60, 40


class GreekLetters(_Script):
    """28 classes; without the capitals and small letters that look Latin, such as Alpha or omicron."""

    CHARACTERS = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμξπσςτφψω"


class ArmenianLetters(_Script):
    """33 small letters; without oh, seh, ho, vo and tso, which are the shapes of o, u, h, n and g."""

    CHARACTERS = "աբգդեզէըթժիլխծկձղճմյնշչպջռվտրւփքֆ"
    FONTS = _DEJAVU


class GeorgianLetters(_Script):
    """The 33 letters of the modern alphabet."""

    CHARACTERS = "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ"
    FONTS = _DEJAVU


class MathOperators(_Script):
    """30 symbols of the block Mathematical Operators that most of the fonts share."""

    CHARACTERS = "∀∂∃∇∈∉∋∏∑∓∝∞∠∧∨∩∪≈≠≡≤≥⊂⊃⊕⊗⊞⊢⊣⊥"
    FONTS = tuple(font for font in FONTS if font not in ("STIXGeneralItalic.ttf", "STIXGeneralBolIta.ttf"))
