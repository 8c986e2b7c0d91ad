"""Small image files for the tests of the builders: each has its own colour, so that no two are equal."""

import io

import numpy as np
from PIL import Image


def picture(number, mode="RGB"):
    shade = np.random.default_rng(number).integers(0, 256, (1, 1, 3), np.uint8)
    return Image.fromarray(shade).resize((12 + number % 5, 9)).convert(mode)


def encoded(number, kind="JPEG", mode="RGB"):
    buffer = io.BytesIO()
    picture(number, mode).save(buffer, kind)
    return buffer.getvalue()
