"""Finished runs that belong together."""

from collections.abc import Iterable

from reno_tf.reporting.finished_runs import Run


def series(runs: Iterable[Run]) -> list[list[Run]]:
    """The runs of each setting, one for each seed, by seed; of two runs with the same setting and seed the first."""
    groups = {}
    for run in runs:
        groups.setdefault((run.data, run.network, run.name, run.settings), {}).setdefault(run.seed, run)
    return [[group[seed] for seed in sorted(group)] for group in groups.values()]


def exemplary(runs: Iterable[Run], *, limit: int = 10) -> list[Run]:
    """The plain run of the lowest seed of each method, on the data set and network that most methods share."""
    places = {}
    for run in sorted(runs, key=lambda run: run.seed):
        if not run.variant:
            places.setdefault((run.data, run.network), {}).setdefault(run.method, run)
    return list(max(places.values(), key=len, default={}).values())[:limit]
