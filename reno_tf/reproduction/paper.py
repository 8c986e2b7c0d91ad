"""The numbers that the paper prints, in the form of outcomes."""

import dataclasses
import functools
import json
from importlib import resources

from reno_tf.reporting.metrics import ASR, CLEAN, FEATURES
from reno_tf.reproduction.artefacts import ARTEFACTS, MATCHED, Scale
from reno_tf.reproduction.result_types import Outcome, OutcomeRow
from reno_tf.results import METRICS

DATASETS = ("dogs", "birds", "actions", "indoor", "flowers")
_NETWORKS = ("resnet18", "resnet50", "resnet101", "mobilenetv2")
SCALE = Scale(networks=_NETWORKS, shares={"33 %": 0.33, "66 %": 0.66}, feature_weights=())


@functools.cache
def printed_tables() -> dict:
    """paper.json: Tables 2 to 7 as printed: rates in percent; what stands for "≈" is named in `approximate`."""
    return json.loads(resources.files("reno_tf.reproduction").joinpath("paper.json").read_text())


@functools.cache
def outcomes() -> dict[str, Outcome]:
    """{artefact: outcome} with the paper's numbers as those of one seed, 0; rates are fractions.

    A row has the numbers of every table that prints its runs (those of Figure 3 are in Tables 2 and 7), and no cells
    where none does. Of Figure 4 the paper prints no number: it is not there. The paper's runs match the features.
    """
    artefacts = {name: build(SCALE) for name, build in ARTEFACTS.items()}
    numbers, by_artefact = {}, {}  # numbers: what a row's runs are -> {metric: values on DATASETS}, over all tables
    for name in printed_tables().keys() & ARTEFACTS.keys():
        rows = {(row.group, row.label): row for row in artefacts[name].rows}
        for line in printed_tables()[name]["rows"]:
            values = numbers.setdefault(rows[line["group"], line["label"]].runs, {})
            values |= {metric: line[metric] for metric in (CLEAN, ASR, FEATURES) if metric in line}
    for name, artefact in artefacts.items():
        rows = []
        for row in artefact.rows:
            unmatched = dataclasses.replace(row, variant=row.variant.removesuffix(MATCHED))
            rows.append(OutcomeRow(**vars(row), cells=_cells(numbers.get(unmatched.runs, {}))))
        if rows:
            by_artefact[name] = Outcome(
                artefact=name, title=artefact.title, metrics=artefact.metrics, datasets=DATASETS, rows=tuple(rows)
            )
    return by_artefact


def _cells(values):
    """The cells of a row, from its printed `values` {metric: numbers on DATASETS}; no cells if there are none."""
    return {
        data: {"seeds": [0], **{metric: [row[index] / METRICS[metric].scale] for metric, row in values.items()}}
        for index, data in enumerate(DATASETS if values else ())
    }
