"""Numbers as text, letter by letter."""

import pytest

from reno_tf.reporting import charts, metrics
from reno_tf.reporting.seeds import summarise


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "–"), (0, "0"), (-3.25, "−3.25"), (36.64, "36.6"), (1234.5, "1234"), (0.00012, "0.000120")],
)
def test_numbers_have_three_figures(value, expected):
    assert metrics.number(value) == expected


@pytest.mark.parametrize(
    ("values", "places", "expected"),
    [
        ([80, 90], 1, "85.0 ± 7.1"),
        ([25, None], 1, "25.0"),
        ([None], 1, "–"),
        ([], 1, "–"),
        ([0.01, 0.03], 4, "0.0200 ± 0.0141"),
    ],
)
def test_mean_and_standard_deviation_of_what_is_defined(values, places, expected):
    assert metrics.mean_and_std(summarise(values), places) == expected


def test_rates_are_in_percent():
    assert metrics.percent(0.1234) == "12.3 %" and metrics.percent(None) == "undefined"
    assert metrics.percent(0.1234, [0.1, 0.2]) == "12.3 % [10.0, 20.0]"
    assert metrics.percents([0.1, 0.2], " to ") == "10.0 to 20.0" and metrics.percents(None, " to ") == "–"


def test_the_axis_of_a_single_value_has_ticks_that_differ():
    for value in (89.66666666666667, 0.0, 1e-4):
        axis = charts.axis([value, value + 1e-12], 0, 100)
        assert axis.low < value < axis.high
        assert len({f"{tick:.5g}" for tick in axis.ticks}) == len(axis.ticks)
