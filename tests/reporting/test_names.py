"""Class names are data, whatever they look like."""

import warnings

import numpy as np
import pytest

from reno_tf.reporting import run_figures
from reno_tf.reporting.run_report import Examples

NASTY = ("$5_$", "a$b$c", "<b>&", "100 %", "a|b", '"quoted"', "🙂", "שלום", "x" * 200, "\\frac{1}{2}$")


@pytest.mark.parametrize("name", NASTY)
def test_pictures_show_any_name(name):
    images = np.zeros((1, 4, 4, 3), np.float32)
    examples = Examples(images, images, [name], [name], ["other"], [name])
    warnings.simplefilter("error")
    for content in (run_figures.example_grid(examples), run_figures.contact_sheet(images, [name])):
        assert content.startswith(b"\x89PNG")
