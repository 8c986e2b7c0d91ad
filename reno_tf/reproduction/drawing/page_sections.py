"""What the reproduction adds to the results page: what it made of the paper's claims, its tables and figures."""

import itertools
from collections.abc import Mapping
from pathlib import Path

from reno_tf import files
from reno_tf.reporting.charts import axis
from reno_tf.reporting.metrics import ASR, CLEAN
from reno_tf.reporting.reading import Reader
from reno_tf.reporting.results_page import Additions, Section
from reno_tf.reproduction import lines, paper
from reno_tf.reproduction.drawing import artefact_files
from reno_tf.reproduction.drawing.bars import bar_chart
from reno_tf.reproduction.drawing.rendering import render_template
from reno_tf.reproduction.verdicts import SIGNS
from reno_tf.results import METRICS

_DRAWN = ("figure3", "table7")  # The ablations have bars.
_CLAIM = ("scale", "number", "statement", "rule", "verdict", "reason", "fails_on")
_PART = ("statistic", "side", "threshold", "unit", "mean", "interval", "n_seeds", "verdict")


def additions(reader: Reader, *, num_trials: int) -> Additions:
    """Reads what sweeps wrote below the folder. num_trials: how many runs that chose a hyper-parameter are left out."""
    claims_files, results = set(reader.folder.rglob("claims.json")), set(reader.folder.rglob("results/*.json"))
    outcomes = [one for one in reader.read_all(results - claims_files, _outcome) if one]
    outcomes.sort(key=lambda one: (one["scale"], one["title"].startswith("Figure"), one["title"]))
    claims = sum(reader.read_all(claims_files, _claims), [])
    notes = list(dict.fromkeys(note for one in outcomes for note in one["notes"]))
    remark = f"{num_trials} runs by which hyper-parameters were chosen are not shown; TensorBoard’s HParams has them."
    return Additions(
        above=(_claims_section(claims, notes),) if claims else (),
        below=(_tables_section(outcomes, [] if claims else notes),) if outcomes else (),
        remarks=(remark,) if num_trials else (),
        style=render_template("page_sections.css") if claims or outcomes else "",
    )


def _claims_section(claims, notes) -> Section:
    scales = sorted({one["scale"] for one in claims})
    by_scale = {scale: [one for one in claims if one["scale"] == scale] for scale in scales}
    html = render_template("claims_section.html.j2", claims=by_scale, notes=notes, signs=SIGNS)
    return Section("claims", "The paper’s claims", html)


def _tables_section(outcomes, notes) -> Section:
    html = render_template("tables_section.html.j2", outcomes=outcomes, notes=notes, metrics=METRICS)
    return Section("tables", "The paper’s tables and figures, as measured here", html)


def _outcome(path: Path) -> dict | None:
    return outcome_for_page(files.read_json(path))


def outcome_for_page(content) -> dict | None:
    """An artefact's outcome (results/<artefact>.json), or None if the file is something else."""
    if not isinstance(content, dict) or "artefact" not in content:
        return None
    pairs = itertools.product(content["datasets"], (CLEAN, ASR)) if content["artefact"] in _DRAWN else ()
    bars = [(data, metric, bar_chart(content, data, metric)) for data, metric in pairs]
    shown = {"bars": [bar for bar in bars if bar[-1]], "labels": lines.distinct(content, "label")}
    shown |= artefact_files.page_content(content, paper.outcomes().get(content["artefact"]))
    return shown | {key: str(content[key]) for key in ("artefact", "scale", "command")}


def _claims(path: Path) -> list[dict]:
    return [claim_for_page(content) for content in files.read_json(path)]


def claim_for_page(content: Mapping) -> dict:
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
    return shown | {"x": axis([0, part["threshold"], *values], 14, 286, ticks=4) if values else None}
