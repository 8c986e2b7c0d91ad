"""The page of all finished runs below a folder, and of the files that cannot be read. It needs no network."""

import dataclasses
import re
import urllib.parse
from collections import Counter
from collections.abc import Collection

from reno_tf.reporting import charts, finished_runs, page_summary, rendering
from reno_tf.reporting.finished_runs import Run
from reno_tf.reporting.metrics import WORST
from reno_tf.reporting.reading import Reader, inside
from reno_tf.results import METRICS

_VERSIONS = {"device": "", "python": "Python ", "tensorflow": "TensorFlow ", "tf-keras": "tf-keras "}


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page that another package makes. anchor: its id; html: what follows its title, escaped."""

    anchor: str
    title: str
    html: str


@dataclasses.dataclass(frozen=True)
class Additions:
    """What another package adds: sections above and below the runs, remarks on which runs are shown, and CSS."""

    above: tuple[Section, ...] = ()
    below: tuple[Section, ...] = ()
    remarks: tuple[str, ...] = ()
    style: str = ""


@dataclasses.dataclass(frozen=True)
class GatheredRuns:
    """examples: a run's folder -> WebP of its adversarial examples."""

    runs: list[Run]
    examples: dict[str, bytes]


def gather(reader: Reader, *, without: Collection = ()) -> GatheredRuns:
    """Reads all runs below the reader's folder, but for the results.json in `without`."""
    folder = reader.folder
    shown = [path for path in folder.rglob("results.json") if path not in without]
    runs = reader.read_all(shown, lambda path: finished_runs.read_run(path, folder))
    pictures = [folder / run.folder / "figures" / "examples.png" for run in finished_runs.exemplary(runs)]
    examples = reader.read_all(pictures, lambda path: (inside(path.parents[1], folder), rendering.webp(path)))
    return GatheredRuns(runs, dict(examples))


def is_page(content: str) -> bool:
    """Whether `page` made it, in this version or an earlier one."""
    return re.search(r"<title>Renofeation for TensorFlow: \d+ runs?</title>", content) is not None


def page(gathered: GatheredRuns, *, methods: list[str], command: str, unread=(), added: Additions | None = None) -> str:
    """The page as HTML. methods: every known method, in the order to show them; command: what makes the page;
    unread: each `reading.Unread`."""
    methods = [*methods, *sorted({run.method for run in gathered.runs} - set(methods))]
    runs = sorted(
        gathered.runs, key=lambda run: (methods.index(run.method), run.variant, run.network, run.data, run.seed)
    )
    by_setting = finished_runs.series(runs)
    versions = [[(label, run.versions[key]) for key, label in _VERSIONS.items() if key in run.versions] for run in runs]
    machines = Counter(", ".join(f"{label}{version}" for label, version in one) or "not recorded" for one in versions)
    pictured = [run for run in runs if run.folder in gathered.examples]
    return rendering.render_template(
        "results_page.html.j2",
        runs=runs,
        methods=[name for name in methods if any(run.method == name for run in runs)],
        datasets=sorted({run.data for run in runs}),
        networks=sorted({run.network for run in runs}),
        attacks=sorted({run.attack for run in runs}),
        seeds=sorted({run.seed for run in runs}),
        machines=machines.most_common(),
        summary=page_summary.summarise_page(by_setting),
        alone=page_summary.attacks_named(runs),
        tried=sorted({run.tried for run in runs if run.tried}),
        without_worst=[run for run in runs if run.measured[WORST] is None],
        scatter=charts.scatter_chart(by_setting),
        panels=_panels(by_setting),
        added=added or Additions(),
        metrics=METRICS,
        rates=finished_runs.RATES,
        unread=unread,
        examples=[(run, rendering.inline(gathered.examples[run.folder], "webp")) for run in pictured],
        command=command,
        link=lambda run: urllib.parse.quote(f"{run.folder}/report.html"),
        known_methods=methods,
    )


def _panels(by_setting):
    """[(data, network, chart)] of the plain runs."""
    places = {}
    for one in by_setting:
        if not one[0].variant:
            places.setdefault((one[0].data, one[0].network), []).append(one)
    return [(*place, chart) for place in sorted(places) if (chart := charts.curve_chart(places[place]))]
