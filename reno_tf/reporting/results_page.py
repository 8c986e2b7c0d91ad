"""The results page: runs, artefacts and claims below a folder, and the files that cannot be read, without a network."""

import dataclasses
import itertools
import re
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.reporting import artefact_files, charts, finished_runs, page_summary, rendering, seeds
from reno_tf.reporting.finished_runs import Run, inside
from reno_tf.reporting.metrics import ASR, CLEAN, METRICS, SIGNS, WORST

_VERSIONS = {"device": "", "python": "Python ", "tensorflow": "TensorFlow ", "tf-keras": "tf-keras "}
_DRAWN = ("figure3", "table7")  # The ablations have bars.
_CLAIM = ("scale", "number", "statement", "rule", "verdict", "reason", "fails_on")
_PART = ("statistic", "side", "threshold", "unit", "mean", "interval", "n_seeds", "verdict")
_FOREIGN = (AttributeError, KeyError, TypeError, ValueError)  # What another version's file gives, read as ours.


@dataclasses.dataclass(frozen=True)
class Found:
    """skipped: {"file", "why"} of what could not be read; examples: a run's folder -> WebP of its adversarial examples.

    trials: how many runs are left out because a hyper-parameter was chosen by them.
    """

    runs: list[Run]
    trials: int
    outcomes: list[dict]
    claims: list[dict]
    examples: dict[str, bytes]
    skipped: list[dict]


def gather(folder: Path, *, paper: Mapping[str, dict]) -> Found:
    """Reads all that the page shows. paper: artefact -> the numbers that the paper prints of it, as an outcome."""
    skipped = []

    def read_all(paths: Iterable[Path], read: Callable) -> list:
        """The content of each file; files that `read` cannot read go to `skipped`."""
        found = []
        for path in sorted(paths):
            try:
                found.append(read(path))
                continue
            except (UserError, OSError) as error:
                why = str(error).removeprefix(f"{path} ")
            except _FOREIGN as error:
                why = f"is of another version ({type(error).__name__}: {error})"
            skipped.append({"file": inside(path, folder), "why": why})
        return found

    # A sweep chooses a hyper-parameter by the runs trials/DATA/RUN, and then writes trials/DATA-grid/trials.json.
    grids = {path: Path(f"{path.parent.parent}-grid", "trials.json") for path in folder.rglob("results.json")}
    shown = [path for path, grid in grids.items() if grid.parents[1].name != "trials" or not grid.is_file()]
    runs = read_all(shown, lambda path: finished_runs.read(path, folder))
    claims, results = set(folder.rglob("claims.json")), set(folder.rglob("results/*.json"))
    outcomes = read_all(results - claims, lambda path: outcome(files.read_json(path), paper))
    pictures = [folder / run.folder / "figures" / "examples.png" for run in finished_runs.exemplary(runs)]
    return Found(
        runs=runs,
        trials=len(grids) - len(shown),
        outcomes=[one for one in outcomes if one],
        claims=sum(read_all(claims, lambda path: [claim(content) for content in files.read_json(path)]), []),
        examples=dict(read_all(pictures, lambda path: (inside(path.parents[1], folder), rendering.webp(path)))),
        skipped=skipped,
    )


def outcome(content, paper: Mapping[str, dict]) -> dict | None:
    """An artefact's outcome (results/<artefact>.json), or None if the file is something else."""
    if not isinstance(content, dict) or "artefact" not in content:
        return None
    pairs = itertools.product(content["datasets"], (CLEAN, ASR)) if content["artefact"] in _DRAWN else ()
    bars = [(data, metric, charts.bar_chart(content, data, metric)) for data, metric in pairs]
    shown = {"bars": [bar for bar in bars if bar[-1]], "labels": seeds.distinct(content, "label")}
    shown |= artefact_files.facts(content, paper.get(content["artefact"]))
    return shown | {key: str(content[key]) for key in ("artefact", "scale", "command")}


def claim(content: Mapping) -> dict:
    """A judged claim (of claims.json)."""
    parts = [_part(part) for part in content["parts"]]
    shown = {key: content[key] for key in _CLAIM} | {"matched": bool(content.get("matched"))}
    return shown | {"scale": str(content["scale"]), "parts": parts}


def _part(part):
    """A part of a claim, with the axis of its chart; the axis is None if nothing stands beside the threshold."""
    sides = {data: {key: row[key] for key in ("mean", "claimed_side")} for data, row in part["per_dataset"].items()}
    shown = {key: part[key] for key in _PART} | {"per_dataset": sides, "paper": (part["paper"] or {}).get("mean")}
    means = (shown["mean"], shown["paper"], *(row["mean"] for row in sides.values()))
    values = [value for value in (*means, *(part["interval"] or ())) if value is not None]
    return shown | {"x": charts.axis([0, part["threshold"], *values], 14, 286, ticks=4) if values else None}


def is_page(content: str) -> bool:
    """Whether `page` made it, in this version or an earlier one."""
    return re.search(r"<title>Renofeation for TensorFlow: \d+ runs?</title>", content) is not None


def page(found: Found, *, methods: list[str], command: str) -> str:
    """The page as HTML. methods: every known method, in the order to show them; command: what makes the page."""
    methods = [*methods, *sorted({run.method for run in found.runs} - set(methods))]
    runs = sorted(found.runs, key=lambda run: (methods.index(run.method), run.variant, run.network, run.data, run.seed))
    outcomes = sorted(found.outcomes, key=lambda one: (one["scale"], one["title"].startswith("Figure"), one["title"]))
    by_setting = finished_runs.series(runs)
    scales = sorted({claim["scale"] for claim in found.claims})
    known = [[(label, run.versions[key]) for key, label in _VERSIONS.items() if key in run.versions] for run in runs]
    machines = Counter(", ".join(f"{label}{version}" for label, version in one) or "not recorded" for one in known)
    pictured = [run for run in runs if run.folder in found.examples]
    return rendering.render(
        "results_page.html.j2",
        runs=runs,
        methods=[name for name in methods if any(run.method == name for run in runs)],
        datasets=sorted({run.data for run in runs}),
        networks=sorted({run.network for run in runs}),
        attacks=sorted({run.attack for run in runs}),
        seeds=sorted({run.seed for run in runs}),
        machines=machines.most_common(),
        summary=page_summary.summarise(by_setting),
        alone=page_summary.attacks_named(runs),
        tried=sorted({run.tried for run in runs if run.tried}),
        without_worst=[run for run in runs if run.measured[WORST] is None],
        scatter=charts.scatter_chart(by_setting),
        panels=_panels(by_setting),
        outcomes=outcomes,
        notes=list(dict.fromkeys(note for one in outcomes for note in one["notes"])),
        claims={scale: [claim for claim in found.claims if claim["scale"] == scale] for scale in scales},
        signs=SIGNS,
        metrics=METRICS,
        rates=finished_runs.RATES,
        skipped=found.skipped,
        trials=found.trials,
        examples=[(run, rendering.inline(found.examples[run.folder], "webp")) for run in pictured],
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
