"""Names in CSV are text: a spreadsheet computes none of them."""

import csv
import io

import pytest

from reno_tf.spreadsheets import comma_separated


def _read(rows):
    return list(csv.reader(io.StringIO(comma_separated(rows))))


@pytest.mark.parametrize(
    "name",
    [
        *(
            "=1+1",
            "+1+1",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1+1",
            "=cmd|' /C calc'!A0",
            "-1e",
            "+",
            "-",
            "＝1",
        ),
        *('=HYPERLINK("http://x","y")', "=1,2"),
    ],
)
def test_what_begins_a_formula_is_text(name):
    text = name.replace("\r", " ")
    assert _read([[name, 3]]) == [[f"'{text}", "3"]]


@pytest.mark.parametrize(
    "cell", ["", "cat", "a=b", "a-b", "-1", "+0.5", "-1.5e-07", "1e+06", -3, -0.25, 7, "'tis", "O'Neill", "a,b", "é"]
)
def test_other_cells_stay_as_they_are(cell):
    assert _read([[cell, "x"]]) == [[str(cell), "x"]]
