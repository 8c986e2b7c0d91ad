"""All finished runs, the paper's tables made of them, and its claims, on one page that needs no network."""

import base64
import urllib.parse
from collections import Counter
from collections.abc import Mapping

from reno_tf.reporting import axes, summary, tables
from reno_tf.reporting.bars import bars, strip
from reno_tf.reporting.curves import curves
from reno_tf.reporting.rendering import render
from reno_tf.reporting.scatter import scatter
from reno_tf.reporting.summary import Run
from reno_tf.reproduction.tables import title

VERDICTS = {"held": "✓", "not held": "✗", "undecided": "?"}
_ORDER = ("methods", "table2", "table4", "table5", "table6", "table7", "figure1", "figure3", "figure4")
_ABLATIONS = ("figure3", "table7")  # The first that is there is drawn.
_DRAWN = ("clean_accuracy", "attack_success_rate")
_VERSIONS = {"device": "", "python": "Python ", "tensorflow": "TensorFlow ", "tf-keras": "tf-keras "}


def page(
    runs: list[Run],
    *,
    methods: list[str],
    command: str,
    outcomes: list[dict] = (),
    claims: list[dict] = (),
    skipped: list[dict] = (),
    trials: int = 0,
    examples: Mapping[str, bytes] | None = None,
) -> str:
    """The page as HTML.

    Args:
      methods: every known method, in the order to show them. command: what makes the page.
      outcomes, claims: of `outcome` and `claim`. skipped: {"file", "why"} of what could not be read.
      trials: how many runs are not shown because a hyper-parameter was chosen by them.
      examples: a run's folder -> WebP of its adversarial examples.
    """
    methods = [*methods, *_names({run.method for run in runs} - set(methods))]
    runs = sorted(runs, key=lambda run: (methods.index(run.method), run.variant, run.network, run.data, run.seed))
    outcomes = sorted(outcomes, key=lambda one: (one["scale"], one["place"]))
    series, datasets = summary.series(runs), _names(run.data for run in runs)
    return render(
        "site.html.j2",
        runs=runs,
        methods=[name for name in methods if any(run.method == name for run in runs)],
        datasets=datasets,
        networks=_names(run.network for run in runs),
        attacks=_names(run.attack for run in runs),
        seeds=sorted({run.seed for run in runs}),
        machines=Counter(_machine(run.versions) for run in runs).most_common(),
        scatter=scatter(series, methods=methods, datasets=datasets),
        panels=_panels(series, methods),
        ablations=_ablations(outcomes),
        outcomes=outcomes,
        notes=list(dict.fromkeys(note for one in outcomes for note in one["notes"])),
        claims={
            scale: [one for one in claims if one["scale"] == scale] for scale in _names(c["scale"] for c in claims)
        },
        marks=VERDICTS,
        skipped=skipped,
        trials=trials,
        examples=[(run, _inline(examples[run.folder])) for run in runs if run.folder in (examples or {})],
        command=command,
        link=link,
        number=tables.number,
        tone=lambda method: axes.tone(methods, method),
        shape=lambda data: axes.shape(datasets, data),
    )


def link(run: Run) -> str:
    """From the page to the run's report."""
    return urllib.parse.quote(f"{run.folder}/report.html")


def outcome(content: Mapping, paper: Mapping | None = None) -> dict:
    """An artefact's outcome (results/<artefact>.json) as the page shows it; what is absent there is left out.

    paper: the paper's numbers in the same form; on other data sets than ours they make a table of their own.
    """
    artefact, theirs = str(content["artefact"]), dict(paper or {})
    theirs["rows"] = [row for row in theirs.get("rows", []) if row.get("cells")]
    shared = set(content.get("datasets", [])) & set(theirs.get("datasets", []))
    drawn = {
        data: {metric: bars(content, data, metric) for metric in _DRAWN}
        for data in (content.get("datasets", []) if artefact in _ABLATIONS else [])
    }
    return {
        "artefact": artefact,
        "place": (_ORDER.index(artefact) if artefact in _ORDER else len(_ORDER), artefact),
        "bars": {data: charts for data, charts in drawn.items() if any(charts.values())},
        "labels": list(dict.fromkeys(row["label"] for row in content["rows"])) if drawn else [],
        "table": tables.table(content, theirs),
        "paper": None if shared or not theirs["rows"] else tables.table(theirs),
        "heading": title({"artefact": artefact, "title": content.get("title", "")}),
        **{key: str(content.get(key, "")) for key in ("scale", "command")},
        "notes": list(content.get("notes", [])),
        "missing": [{"run": one.get("run", ""), "why": one.get("why", "")} for one in content.get("missing", [])],
    }


def claim(content: Mapping) -> dict:
    """A judged claim (of claims.json) as the page shows it."""
    absent = {
        "scale": "",
        "number": "",
        "statement": "",
        "rule": "",
        "verdict": "undecided",
        "reason": "",
        "fails_on": [],
    }
    return absent | dict(content) | {"parts": [_part(part) for part in content.get("parts", [])]}


def _part(part):
    absent = {"statistic": "", "side": "", "unit": "", "verdict": "", "n_seeds": None}
    absent |= {"threshold": None, "mean": None, "interval": None, "paper": None}
    datasets = {
        name: {"mean": row.get("mean"), "claimed": row.get("claimed_side")}
        for name, row in part.get("per_dataset", {}).items()
    }
    paper = (part.get("paper") or {}).get("mean")
    part = absent | dict(part) | {"per_dataset": datasets, "paper": paper}
    return part | {"strip": strip(part)}


def _names(values) -> list[str]:
    return sorted(set(values))


def _machine(versions):
    return ", ".join(f"{label}{versions[key]}" for key, label in _VERSIONS.items() if key in versions) or "not recorded"


def _panels(series, methods):
    """[(data, network, chart)] of the plain runs."""
    places = {}
    for one in series:
        if not one.first.variant:
            places.setdefault((one.first.data, one.first.network), []).append(one)
    drawn = [(*place, curves(places[place], methods=methods)) for place in sorted(places)]
    return [panel for panel in drawn if panel[-1]]


def _ablations(outcomes):
    """The outcome to draw of each scale."""
    found = {}
    for name in reversed(_ABLATIONS):
        found |= {one["scale"]: one for one in outcomes if one["artefact"] == name and one["bars"]}
    return [found[scale] for scale in sorted(found)]


def _inline(picture: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(picture).decode()
