"""From values to pixels, for the charts of the results page; templates/charts.j2 draws them."""

import dataclasses
from collections.abc import Iterable

from matplotlib.ticker import MaxNLocator


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


def spaced(places: list[float], gap: float, *, low: float, high: float) -> list[float]:
    """The places moved apart to at least `gap`, in their order, within [low, high] if they fit."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved, least = {}, low
    for index in order:
        moved[index] = max(places[index], least)
        least = moved[index] + gap
    most = max(high, low + gap * (len(places) - 1))
    for index in reversed(order):
        moved[index] = min(moved[index], most)
        most = moved[index] - gap
    return [round(moved[index], 1) for index in range(len(places))]
