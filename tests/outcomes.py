"""Made-up outcomes of artefacts."""

from reno_tf import records
from reno_tf.reproduction.result_types import JudgedClaim, JudgedPart, Measure, Outcome, OutcomeRow, PaperMeasure


def row(method, cells, *, label="", network="resnet18", variant="", **more):
    """cells: {data set: {metric: values of seeds 0, 1, …}}, or with "seeds" those."""
    full = {}
    for data, values in cells.items():
        seeds = values.get("seeds", list(range(len(next(iter(values.values()))))))
        full[data] = {"seeds": seeds, "runs": [f"{method}{variant}-{data}-{seed}" for seed in seeds], **values}
    return OutcomeRow(label=label or method, method=method, network=network, variant=variant, cells=full, **more)


def outcome(artefact, rows, *, datasets=("a", "b"), metrics=("clean_accuracy", "attack_success_rate"), **more):
    names = {"title": "A title", "scale": "embedded", "command": "python main.py --mode=reproduce"} | more
    return Outcome(artefact=artefact, metrics=tuple(metrics), datasets=tuple(datasets), rows=tuple(rows), **names)


def figure3(**changes):
    """As figure3.json has it: two seeds on one data set; with the second, no image was right."""
    cell = {"clean_accuracy": [0.8, 0.9], "attack_success_rate": [0.5, None]}
    rows = [row("delta", {"greek": cell}, label="DO", group="DELTA")]
    return records.to_json(outcome("figure3", rows, datasets=["greek"], notes=("NOTE",), title="T")) | changes


_PART = JudgedPart(
    statistic="gap",
    side=">",
    threshold=-3,
    unit="points",
    mean=-5.04,
    interval=(-6.5, -3.6),
    n_seeds=5,
    verdict="not held",
    reason="gap: the interval lies on the other side",
    per_dataset={"greek": Measure(mean=-1.5, interval=None, n_seeds=5, claimed_side=True)},
    paper=PaperMeasure(-1.3, {}),
)
_CLAIM = JudgedClaim(
    scale="embedded",
    number=3,
    matched=False,
    statement="Near in accuracy.",
    rule="gap > -3 points",
    verdict="not held",
    reason="the interval lies on the other side",
    fails_on=(),
    parts=(_PART,),
)
CLAIM = records.to_json(_CLAIM)  # as claims.json has it
