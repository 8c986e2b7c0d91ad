"""What a sweep writes, and `reno_tf.records` reads: the outcomes of artefacts, and judged claims."""

import dataclasses
from typing import Any

from reno_tf.records import described
from reno_tf.reproduction.artefacts import Row


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutcomeRow(Row):
    """A row with what its runs gave.

    cells: data set -> {"seeds": those of the finished runs, "runs": their names, metric of `METRICS`: their values},
    lists of the same length. Rates are fractions; a value that is undefined is None. A cell, "runs" and metrics may be
    lacking.
    """

    cells: dict[str, dict[str, list]]


@dataclasses.dataclass(frozen=True)
class MissingRun:
    """A run that is not there, by its name, and the reason."""

    run: str
    why: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """An artefact of finished runs: <artefact>.json.

    metrics: keys of `METRICS` to show; datasets: names; scale, command, notes: the sweep's; hyper_parameters: data set
    -> {recipe key: chosen value}; chosen: data set -> DELTA's weight, of Figure 4 alone; made_with: versions and
    machines of the runs, None for no run.
    """

    artefact: str
    title: str
    metrics: tuple[str, ...]
    datasets: tuple[str, ...]
    rows: tuple[OutcomeRow, ...]
    missing: tuple[MissingRun, ...] = ()
    scale: str = ""
    command: str = ""
    notes: tuple[str, ...] = ()
    hyper_parameters: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    chosen: dict[str, float] | None = described(default=None, absent=True)
    made_with: str | None = described(default=None, absent=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measure:
    """A statistic over seeds, in the part's unit. interval: the 95 % one of the mean; None: it cannot be computed.

    n_seeds: of how many seeds; claimed_side: whether the mean is on the claimed side of the threshold.
    """

    mean: float | None
    interval: tuple[float, float] | None
    n_seeds: int
    claimed_side: bool | None


@dataclasses.dataclass(frozen=True)
class PaperMeasure:
    """The mean of the paper's numbers over its data sets, in the part's unit, and that of each data set."""

    mean: float
    per_dataset: dict[str, Measure]


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgedPart:
    """A statistic of a claim, on which `side`, ">" or "<", of its threshold the paper says that it lies.

    unit: "points" (percentage points) or "", of threshold, mean and interval, which are as in `Measure`, over all data
    sets; per_dataset: over one alone; paper: None where it prints no number.
    """

    statistic: str
    side: str
    threshold: float
    unit: str
    mean: float | None
    interval: tuple[float, float] | None
    n_seeds: int
    verdict: str
    reason: str
    per_dataset: dict[str, Measure]
    paper: PaperMeasure | None

    @property
    def rule(self) -> str:
        """The side of the threshold on which the paper says it lies."""
        return f"{self.statistic} {self.side} {self.threshold:g} {self.unit}".rstrip()


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgedClaim:
    """A claim of the paper with its verdict; claims.json has a list of these.

    matched: whether it is judged where features are matched; rule: those of its parts; fails_on: the data sets on which
    the mean of some part is not on the claimed side, whatever the verdict; scale: the sweep's.
    """

    number: int
    matched: bool
    statement: str
    rule: str
    verdict: str
    reason: str
    fails_on: tuple[str, ...]
    parts: tuple[JudgedPart, ...]
    scale: str = ""
