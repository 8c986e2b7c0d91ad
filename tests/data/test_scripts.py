"""The embedded targets in other scripts: every glyph is there, and none looks like another."""

import functools
import string
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from reno_tf import data
from reno_tf.data import glyphs

_FOLDER = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
_SIZES = {"greek": 28, "armenian": 33, "georgian": 33, "operators": 30}
_SETS = {name: data.DATASETS[name].builder for name in _SIZES}
_PAIRS = [(name, font) for name, builder in _SETS.items() for font in builder.FONTS]


@functools.cache
def _drawn(font, character):
    """The upright glyph, large, black on white; centred on its box, so that place does not tell it apart."""
    canvas = Image.new("L", (96, 96))
    ImageDraw.Draw(canvas).text((48, 48), character, 255, ImageFont.truetype(str(_FOLDER / font), 64), "mm")
    box = canvas.getbbox()
    centred = Image.new("L", (96, 96))
    centred.paste(canvas.crop(box), ((96 - box[2] + box[0]) // 2, (96 - box[3] + box[1]) // 2))
    return np.asarray(centred, np.float64) / 255


def _overlap(font, one, other):
    a, b = _drawn(font, one), _drawn(font, other)
    return np.minimum(a, b).sum() / np.maximum(a, b).sum()


@pytest.mark.parametrize("name,font", _PAIRS)
def test_each_font_has_each_character(name, font):
    present = TTFont(_FOLDER / font).getBestCmap()
    assert not [character for character in _SETS[name].CHARACTERS if ord(character) not in present]


@pytest.mark.parametrize("name", _SETS)
def test_no_two_classes_look_alike_and_none_like_a_class_of_the_source(name):
    characters, source = _SETS[name].CHARACTERS, string.ascii_letters + string.digits
    assert len(characters) == len(set(characters)) == _SIZES[name] and not set(characters) & set(source)
    for index, one in enumerate(characters):
        for other in characters[index + 1 :] + source:
            overlaps = [_overlap(font, one, other) for font in _SETS[name].FONTS]
            assert np.mean(overlaps) < 0.9 and min(overlaps) < 0.85, (one, other, overlaps)


def test_overlap_finds_what_was_left_out():
    assert _overlap("DejaVuSans.ttf", "Α", "A") == 1 and _overlap("DejaVuSans.ttf", "ο", "o") > 0.9
    assert _overlap("DejaVuSans.ttf", "օ", "o") > 0.9 and _overlap("DejaVuSans.ttf", "հ", "h") > 0.9


@pytest.mark.parametrize("name", _SETS)
def test_images_are_a_function_of_split_character_and_number(name, tmp_path):
    builder = _SETS[name](data_dir=str(tmp_path))
    one, two = dict(builder._generate_examples(0, 1)), dict(builder._generate_examples(0, 2))
    test = dict(builder._generate_examples(1, 1))
    assert len(one) == _SIZES[name] and len(two) == 2 * len(one)
    for key, example in one.items():
        np.testing.assert_array_equal(example["image"], two[key]["image"])
        assert (example["image"] != test[key]["image"]).any() and example["image"].mean(-1).std() > 5
    assert len({example["image"].tobytes() for example in two.values()}) == len(two)


def test_only_fonts_of_the_set_are_used(monkeypatch, tmp_path):
    used, font = set(), glyphs._font
    monkeypatch.setattr(glyphs, "_font", lambda file, size: used.add(file) or font(file, size))
    list(_SETS["armenian"](data_dir=str(tmp_path))._generate_examples(0, 3))
    assert used == {file for file in glyphs.FONTS if file.startswith("DejaVu")} and len(used) == 12


@pytest.mark.long
def test_sizes(tmp_path):
    greek = data.load("greek", data_dir=str(tmp_path))
    assert greek.class_names == list("ΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμξπσςτφψω")
    assert (np.bincount(greek.train.labels) == 60).all() and (np.bincount(greek.test.labels) == 40).all()
