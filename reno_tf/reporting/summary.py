"""Finished runs, and those that differ in nothing but the seed taken together."""

import dataclasses
import statistics
from collections.abc import Iterable, Mapping


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run.

    folder: relative to the page. variant: what its name says beside the method; attack: preset and budget.
    data: the data set, with the split where that is not the test. settings: equal where only the seed differs.
    measured: the rates and distances of results.json with each rate's "..._ci95", and "train_seconds"; None where
    there is none. curve: rows of curve.json. versions: what made it. report: whether there is a report.html.
    """

    folder: str
    method: str
    variant: str
    network: str
    data: str
    seed: int
    attack: str
    settings: str
    measured: Mapping[str, float | list | None]
    curve: list[Mapping]
    versions: Mapping[str, str]
    report: bool

    @property
    def name(self) -> str:
        return self.method + self.variant


@dataclasses.dataclass(frozen=True)
class Series:
    """Runs of one setting, one for each seed."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        return self.runs[0]


def series(runs: Iterable[Run]) -> list[Series]:
    """In the order of the runs; of two runs with the same setting and seed the first."""
    groups = {}
    for run in runs:
        groups.setdefault((run.data, run.network, run.name, run.settings), {}).setdefault(run.seed, run)
    return [Series(tuple(group[seed] for seed in sorted(group))) for group in groups.values()]


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are defined; None if none is."""
    defined = [value for value in values if value is not None]
    return statistics.fmean(defined) if defined else None


def exemplary(runs: Iterable[Run], *, limit: int = 10) -> list[Run]:
    """The plain run of the lowest seed of each method, on the data set and network that most methods share."""
    places = {}
    for run in runs:
        if not run.variant:
            place = places.setdefault((run.data, run.network), {})
            place[run.method] = min(place.get(run.method, run), run, key=lambda candidate: candidate.seed)
    return list(max(places.values(), key=len, default={}).values())[:limit]
