"""All finished runs, the paper's tables made of them, and its claims, on one page that needs no network."""

import urllib.parse
from collections import Counter

from reno_tf.reporting import charts
from reno_tf.reporting.finished_runs import RATES, Run, series
from reno_tf.reporting.gathering import Found
from reno_tf.reporting.metrics import METRICS, SIGNS
from reno_tf.reporting.rendering import inline, render

_VERSIONS = {"device": "", "python": "Python ", "tensorflow": "TensorFlow ", "tf-keras": "tf-keras "}


def page(found: Found, *, methods: list[str], command: str) -> str:
    """The page as HTML.

    Args:
      methods: every known method, in the order to show them. command: what makes the page.
    """
    methods = [*methods, *_distinct(run.method for run in found.runs if run.method not in methods)]
    runs = sorted(found.runs, key=lambda run: (methods.index(run.method), run.variant, run.network, run.data, run.seed))
    outcomes = sorted(found.outcomes, key=lambda one: (one["scale"], one["title"].startswith("Figure"), one["title"]))
    by_setting = series(runs)
    scales = _distinct(claim["scale"] for claim in found.claims)
    return render(
        "results_page.html.j2",
        runs=runs,
        methods=[name for name in methods if any(run.method == name for run in runs)],
        datasets=_distinct(run.data for run in runs),
        networks=_distinct(run.network for run in runs),
        attacks=_distinct(run.attack for run in runs),
        seeds=_distinct(run.seed for run in runs),
        machines=Counter(_machine(run.versions) for run in runs).most_common(),
        scatter=charts.scatter_chart(by_setting),
        panels=_panels(by_setting),
        outcomes=outcomes,
        notes=list(dict.fromkeys(note for one in outcomes for note in one["notes"])),
        claims={scale: [claim for claim in found.claims if claim["scale"] == scale] for scale in scales},
        signs=SIGNS,
        metrics=METRICS,
        rates=RATES,
        skipped=found.skipped,
        trials=found.trials,
        examples=[(run, inline(found.examples[run.folder], "webp")) for run in runs if run.folder in found.examples],
        command=command,
        link=link,
        known_methods=methods,
    )


def link(run: Run) -> str:
    """From the page to the run's report."""
    return urllib.parse.quote(f"{run.folder}/report.html")


def _distinct(values) -> list:
    return sorted(set(values))


def _machine(versions):
    return ", ".join(f"{label}{versions[key]}" for key, label in _VERSIONS.items() if key in versions) or "not recorded"


def _panels(by_setting):
    """[(data, network, chart)] of the plain runs."""
    places = {}
    for one in by_setting:
        if not one[0].variant:
            places.setdefault((one[0].data, one[0].network), []).append(one)
    drawn = [(*place, charts.curve_chart(places[place])) for place in sorted(places)]
    return [panel for panel in drawn if panel[-1]]
