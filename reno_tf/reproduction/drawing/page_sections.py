"""What the reproduction adds to the results page: what it made of the paper's claims, its tables and figures."""

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path

from reno_tf import files, records
from reno_tf.reporting.charts import Axis, axis
from reno_tf.reporting.metrics import ASR, CLEAN
from reno_tf.reporting.reading import Reader
from reno_tf.reporting.results_page import Additions, Section
from reno_tf.reproduction import lines, paper
from reno_tf.reproduction.drawing import artefact_files
from reno_tf.reproduction.drawing.bars import bar_chart
from reno_tf.reproduction.drawing.rendering import render_template
from reno_tf.reproduction.result_types import JudgedClaim, JudgedPart, Outcome
from reno_tf.reproduction.verdicts import SIGNS
from reno_tf.results import METRICS

_DRAWN = ("figure3", "table7")  # The ablations have bars.


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
    scales = sorted({claim.scale for claim, _ in claims})
    by_scale = {scale: [pair for pair in claims if pair[0].scale == scale] for scale in scales}
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
    outcome = records.from_json(Outcome, content)
    pairs = itertools.product(outcome.datasets, (CLEAN, ASR)) if outcome.artefact in _DRAWN else ()
    bars = [(data, metric, bar_chart(outcome, data, metric)) for data, metric in pairs]
    shown = {"bars": [bar for bar in bars if bar[-1]], "labels": lines.distinct(outcome, "label")}
    shown |= artefact_files.page_content(outcome, paper.outcomes().get(outcome.artefact))
    return shown | {key: str(getattr(outcome, key)) for key in ("artefact", "scale", "command")}


def _claims(path: Path) -> list[tuple[JudgedClaim, list[Axis | None]]]:
    return [claim_for_page(content) for content in files.read_json(path)]


def claim_for_page(content: Mapping) -> tuple[JudgedClaim, list[Axis | None]]:
    """A judged claim (of claims.json), and of each part the axis of its chart."""
    claim = records.from_json(JudgedClaim, content)
    return dataclasses.replace(claim, scale=str(claim.scale)), [_axis(part) for part in claim.parts]


def _axis(part: JudgedPart) -> Axis | None:
    """None if nothing stands beside the threshold."""
    means = (part.mean, part.paper and part.paper.mean, *(measure.mean for measure in part.per_dataset.values()))
    values = [value for value in (*means, *(part.interval or ())) if value is not None]
    return axis([0, part.threshold, *values], 14, 286, ticks=4) if values else None
