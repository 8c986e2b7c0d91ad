"""Runs decide the paper's claims: held, not held, or undecided. RULES says how."""

import itertools
import math
from collections.abc import Mapping

import numpy as np
from scipy import stats

from reno_tf.reproduction import paper
from reno_tf.reproduction.claims import CLAIMS, MATCHED_CLAIMS, SEEDS_NEEDED, Part
from reno_tf.reproduction.result_types import JudgedClaim, JudgedPart, Measure, Outcome, PaperMeasure
from reno_tf.reproduction.verdicts import HELD, NOT_HELD, UNDECIDED

RULES = f"""\
For each seed a statistic is taken over the data sets; the interval is the 95 % t-interval over seeds, of which those
count whose every run is there. A seed draws the training images, the random weights, the batches and the masks; the
teacher, the test images and the attack on them are the same for all, so no interval says how these numbers would vary
with another teacher. A part is **held** if the interval lies wholly on the claimed side of its threshold,
**not held** if wholly on the other, and **undecided** if the threshold lies within it, with fewer than {SEEDS_NEEDED}
seeds, or where a value is undefined. A claim is held if all its parts are, and not held if any is not. Nothing is
corrected for the number of claims. The thresholds were fixed before the runs that they judge were made."""


def judge(outcomes: Mapping[str, Outcome]) -> list[JudgedClaim]:
    """Every claim with its verdict, from {artefact: outcome}; a row that several of them share is one run.

    Those that the regime decides come a second time, "matched": of the runs whose features are matched.
    """
    pool, printed = _pool(outcomes.values()), _pool(paper.outcomes().values())
    numbers, claims = {statement: number for number, statement in enumerate(CLAIMS, start=1)}, []
    for matched, statements in ((False, CLAIMS), (True, MATCHED_CLAIMS if "table7_matched" in outcomes else {})):
        for statement, parts in statements.items():
            judged = tuple(_judge_part(part, pool, printed) for part in parts)
            claims.append(_judged_claim(numbers[statement], matched, statement, judged))
    return claims


def t_interval(values) -> tuple[float, float] | None:
    """The two-sided 95 % interval of the mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def _pool(outcomes):
    """{(run, data set): {seed: {metric: value}}} of the network that the tables share."""
    pool = {}
    for outcome in outcomes:
        shared = [row for row in outcome.rows if row.network == outcome.rows[0].network]  # Also in Table 4.
        for row, data in itertools.product(shared, outcome.datasets):
            seeds = pool.setdefault((row.method + row.variant, data), {})
            cell = row.cells.get(data, {"seeds": []})
            for index, seed in enumerate(cell["seeds"]):
                values = {key: cell[key][index] for key in cell.keys() - {"seeds", "runs"}}
                seeds.setdefault(seed, {}).update(values)
    return pool


def _judged_claim(number, matched, statement, parts) -> JudgedClaim:
    verdicts = [part.verdict for part in parts]
    verdict = next((v for v in (NOT_HELD, UNDECIDED) if v in verdicts), HELD)
    sides = [(data, measure.claimed_side) for part in parts for data, measure in part.per_dataset.items()]
    return JudgedClaim(
        number=number,
        matched=matched,
        statement=statement,
        rule=" and ".join(part.rule for part in parts),
        verdict=verdict,
        reason="; ".join(part.reason for part in parts if part.verdict == verdict),
        fails_on=tuple(dict.fromkeys(data for data, claimed in sides if claimed is False)),
        parts=parts,
    )


def _judge_part(part: Part, pool, printed) -> JudgedPart:
    # The data sets that the artefacts have for every needed run, whether it was made or not.
    all_data = dict.fromkeys(data for _, data in pool)
    datasets = [data for data in all_data if all((run, data) in pool for run, _ in part.needs)]
    samples = _samples(part, pool, datasets)
    ours, of_paper = _measure(part, samples), _measure(part, _samples(part, printed, paper.DATASETS)).mean
    verdict, why = _verdict(part, pool, datasets, samples, ours.interval)
    return JudgedPart(
        statistic=part.statistic,
        side=part.side,
        threshold=part.threshold,
        unit=part.unit,
        mean=ours.mean,
        interval=ours.interval,
        n_seeds=ours.n_seeds,
        verdict=verdict,
        reason=f"{part.statistic}: {why}",
        per_dataset=_per_dataset(part, pool, datasets),
        paper=None if of_paper is None else PaperMeasure(of_paper, _per_dataset(part, printed, paper.DATASETS)),
    )


def _samples(part, pool, datasets):
    """{seed: statistic} of the seeds whose every needed run is there; nan where it is undefined."""
    places = list(itertools.product(dict.fromkeys(run for run, _ in part.needs), datasets))
    samples = {}
    for seed in sorted(set.intersection(*(set(pool[place]) for place in places)) if places else ()):
        columns = [[pool[run, data][seed].get(metric) for data in datasets] for run, metric in part.needs]
        samples[seed] = part.compute(*np.array(columns, float))  # None becomes nan.
    return samples


def _measure(part, samples) -> Measure:
    """The mean over seeds, its interval and side; None if there is no seed, or one is undefined."""
    values = list(samples.values())
    if not values or np.isnan(values).any():
        return Measure(mean=None, interval=None, n_seeds=len(values), claimed_side=None)
    mean, ends = float(np.mean(values)), t_interval(values)
    interval = ends and tuple(np.clip(ends, *part.bounds).tolist())
    return Measure(mean=mean, interval=interval, n_seeds=len(values), claimed_side=_claimed(part, mean))


def _per_dataset(part, pool, datasets):
    return {data: _measure(part, _samples(part, pool, [data])) for data in datasets}


def _verdict(part, pool, datasets, samples, interval):
    if len(samples) < SEEDS_NEEDED:
        runs = dict.fromkeys(run for run, _ in part.needs)
        fewest = {run: min((len(pool[run, data]) for data in datasets), default=SEEDS_NEEDED) for run in runs}
        short = "".join(f", {run} has {count}" for run, count in fewest.items() if count < SEEDS_NEEDED)
        none = "" if datasets else f" (the artefacts at hand have no data set for all of {', '.join(runs)})"
        return UNDECIDED, f"{len(samples)} of the {SEEDS_NEEDED} seeds needed are complete{short}{none}"
    if interval is None:
        undefined = ", ".join(str(seed) for seed, value in samples.items() if math.isnan(value))
        return UNDECIDED, f"undefined for seed {undefined}"
    if all(_claimed(part, end) for end in interval):
        return HELD, "the interval lies on the claimed side"
    if not any(_claimed(part, end) for end in interval):
        return NOT_HELD, "the interval lies on the other side"
    return UNDECIDED, "the threshold lies within the interval"


def _claimed(part, value):
    return value > part.threshold if part.side == ">" else value < part.threshold
