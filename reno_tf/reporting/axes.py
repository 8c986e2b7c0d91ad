"""Places, colours and shapes of the marks in the site's charts, in pixels; templates/charts.j2 draws them."""

import dataclasses
from collections.abc import Iterable

from matplotlib.ticker import MaxNLocator

TONES = 8  # Colours in site.css; whatever comes after them is grey.
_SHAPES = (  # One for each data set, about the origin.
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "M-4-4h8v8h-8z",
    "M0-5.5L5.2 4H-5.2z",
    "M0-6L5.5 0L0 6L-5.5 0z",
    "M0 5.5L5.2-4H-5.2z",
    "M-1.7-5.5h3.4v3.8h3.8v3.4h-3.8v3.8h-3.4v-3.8h-3.8v-3.4h3.8z",
    "M0-6L1.6-1.8L6-1.7L2.5 1L3.7 5.2L0 2.8L-3.7 5.2L-2.5 1L-6-1.7L-1.6-1.8z",
    "M-5-2.5L0-5.5L5-2.5V2.5L0 5.5L-5 2.5z",
)


@dataclasses.dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def axis(values: Iterable[float], start: float, end: float, *, ticks: int = 5) -> Axis:
    """An axis over all values whose ends are round numbers."""
    values = list(values)
    places = [float(tick) for tick in MaxNLocator(ticks).tick_values(min(values), max(values))]
    return Axis(places[0], places[-1], start, end, tuple(places))


def shape(names: list[str], name: str) -> str:
    """The path that stands for a data set."""
    return _SHAPES[names.index(name) % len(_SHAPES)]


def tone(names: list[str], name: str) -> int:
    """The number of the colour that stands for a method."""
    return min(names.index(name), TONES)
