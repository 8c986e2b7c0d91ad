"""Artefacts and claims as the results page shows them. A file of another version raises KeyError or the like."""

import itertools
from collections.abc import Mapping

from reno_tf.reporting import tables
from reno_tf.reporting.bar_chart import bar_chart
from reno_tf.reporting.claim_chart import claim_chart
from reno_tf.reporting.metrics import ASR, CLEAN
from reno_tf.reporting.seeds import distinct
from reno_tf.reporting.table_formats import title

_DRAWN = ("figure3", "table7")  # The ablations have bars.
_CLAIM = ("scale", "number", "statement", "rule", "verdict", "reason", "fails_on")
_PART = ("statistic", "side", "threshold", "unit", "mean", "interval", "n_seeds", "verdict")


def outcome(content: dict, paper: dict | None = None) -> dict:
    """An artefact's outcome (results/<artefact>.json). paper: what the paper prints of it, as an outcome."""
    pairs = itertools.product(content["datasets"], (CLEAN, ASR)) if content["artefact"] in _DRAWN else ()
    bars = [(data, metric, bar_chart(content, data, metric)) for data, metric in pairs]
    return {
        **{key: content[key] for key in ("artefact", "scale", "command", "missing")},
        "heading": title(content),
        "tables": tables.tables(content, paper),
        "explanations": tables.explanations(content, paper),
        "why_missing": tables.missing(content),
        "notes": content.get("notes", []),
        "bars": [bar for bar in bars if bar[-1]],
        "labels": distinct(content, "label"),
    }


def claim(content: Mapping) -> dict:
    """A judged claim (of claims.json)."""
    return {key: content[key] for key in _CLAIM} | {"parts": [_part(part) for part in content["parts"]]}


def _part(part):
    datasets = {name: {key: row[key] for key in ("mean", "claimed_side")} for name, row in part["per_dataset"].items()}
    paper = part["paper"] and part["paper"]["mean"]
    shown = {key: part[key] for key in _PART} | {"per_dataset": datasets, "paper": paper}
    return shown | {"chart": claim_chart(shown)}
