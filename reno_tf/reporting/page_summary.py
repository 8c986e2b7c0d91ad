"""What the runs of the results page come to in a few sentences: all numbers and comparisons are taken from them."""

import dataclasses

from reno_tf.reporting.charts import means_of
from reno_tf.reporting.finished_runs import Run
from reno_tf.reporting.metrics import ASR, CLEAN, WORST, attack_named, percent

_NAMED = 6  # methods, at most


@dataclasses.dataclass(frozen=True)
class PageSummary:
    """beginning: what the lines list; lines: a method each, from the least to the most often fooled; gap: how far
    the worst case lies above the ASR, over all runs."""

    beginning: str
    lines: list[str]
    gap: str


def summarise_page(series: list[list[Run]]) -> PageSummary:
    """series: as `finished_runs.series` gives them, at least one."""
    runs = [run for one in series for run in one]
    comparable = _comparable(series)
    key = WORST if WORST in means_of(comparable[0]) else ASR
    alone = attacks_named([runs[0] for runs in comparable])
    means = [(runs[0].name, means_of(runs)) for runs in comparable]
    ranked = sorted((one for one in means if key in one[1]), key=lambda one: one[1][key])
    shown, some = ranked, ""
    if len(ranked) > _NAMED:
        shown, some = ranked[: _NAMED // 2] + ranked[-_NAMED // 2 :], f" (the least and the most of {len(ranked)})"
    beginning = (
        f"{_place(comparable)} {_judge(comparable[0][0], key, alone)} turns wrong, "
        "of the images that a student gets right"
    )
    lines = [_line(name, rates, key, alone) for name, rates in shown]
    return PageSummary(f"{beginning}{some}:" if lines else "", lines, _gap([run.measured for run in runs]))


def attacks_named(runs: list[Run]) -> str:
    """The attack whose success the ASR of these runs is."""
    names = {attack_named(run.attack_name) for run in runs}
    return names.pop() if len(names) == 1 else "the attack that each run names"


def _comparable(series):
    """The largest group under the same attacks on the same data and network; without variants, if there are such."""
    places = {}
    for runs in [runs for runs in series if not runs[0].variant] or series:
        place = runs[0].data, runs[0].network, runs[0].attack, runs[0].tried, WORST in means_of(runs)
        places.setdefault(place, []).append(runs)
    return max(places.values(), key=lambda group: (WORST in means_of(group[0]), len(group)))


def _place(series) -> str:
    first, averaged = series[0][0], any(len(runs) > 1 for runs in series)
    return f"On {first.data} ({first.network}, ε = {first.epsilon:.3g}{', means over seeds' if averaged else ''})"


def _judge(run, key, alone) -> str:
    if key == ASR:
        return alone
    return f"the worst case of {run.tried} attack{'s' if run.tried > 1 else ''}" if run.tried else "the worst case"


def _line(name, rates, key, alone) -> str:
    others = {f"{alone} alone": ASR, "clean accuracy": CLEAN}
    beside = [f"{label} {percent(rates.get(other))}" for label, other in others.items() if other != key]
    return f"{percent(rates[key])} of {name}’s ({', '.join(beside)})"


def _gap(measured) -> str:
    if all(one[WORST] is None for one in measured):
        return "No run here has a worst case. The ASR is of one attack, and an attacker may try others."
    gaps = [one[WORST] - one[ASR] for one in measured if None not in (one[WORST], one[ASR])]
    above = [gap for gap in gaps if gap > 0]
    lies, runs = "The worst case lies above the ASR in", f"{len(gaps)} run{'s' if len(gaps) != 1 else ''}"
    if not above:
        return f"{lies} none of {runs}."
    return f"{lies} {len(above)} of {runs}, by up to {100 * max(above):.1f} points."
