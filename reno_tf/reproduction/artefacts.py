"""The paper's tables and figures, and one of all methods, as rows of runs, most of which several of them share."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from reno_tf.naming import RunRef
from reno_tf.reporting.metrics import (
    ASR,
    CLEAN,
    CORE,
    FEATURES,
    NOISE,
    RELATIVE,
    TRAINING,
    WEIGHTS,
    WORST,
    WORST_NOISE,
)

NETWORKS = {f"resnet{depth}": f"ResNet-{depth}" for depth in (18, 34, 50, 101)}
NETWORKS |= {"mobilenetv2": "MobileNetV2", "efficientnet_lite0": "EfficientNet-Lite0"}
# What the paper calls the methods.
LABELS = {
    "linear": "Linear classifier",
    "finetune": "Fine-tuning",
    "l2sp": "L2SP",
    "delta": "DELTA",
    "retraining": "Re-training",
    "delta_adversarial": "DELTA adv. trained",
    "delta_r": "DELTA-R",
    "renofeation": "Renofeation",
    "remos": "ReMoS",
    "seam": "SeaM",
    "weight_variance": "Weight variance",
    "neuron_distance": "Neuron distance",
    "pubdef": "PubDef",
    "inoculation": "Inoculation",
    "vaccination": "Vaccination",
}
BASELINES = ("linear", "finetune", "l2sp", "delta", "retraining")  # Table 2's rows, Figure 1's points.
_COMPARED = ("delta", "renofeation", "retraining")
# Nothing that is claimed rests on them.
_FEW = ("remos", "seam", "weight_variance", "neuron_distance", "pubdef", "vaccination")
_DEFENCES = ("linear", "finetune", "vaccination", "inoculation"), ("delta", "seam", "retraining", "renofeation")
MATCHED = "@matched"  # The variant's end of a run that trains until the teacher's features are matched.
_DROPOUT, _SWA = ("dropout", 0.1), ("swa", True)
# A variant -> its changes.
_SWITCHES = {"": (), "+dropout": (_DROPOUT,), "+swa": (_SWA,), "+dropout+swa": (_DROPOUT, _SWA)}
_GROWING = {
    "label": "DELTA adv. trained, ε growing",
    "variant": "+growing",
    "changes": (("method.epsilon_grows", True),),
}
_SIBLING = {
    "label": "Vaccination, one sibling",
    "variant": "+sibling",
    "changes": (("method.siblings", 1),),
}
_STRONGER = {
    "label": "Vaccination, stronger and longer",
    "variant": "+stronger",
    "changes": (("method.feature_weight", 3.0), ("method.epsilon_factor", 1.5), ("steps.train", 1600)),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table: a method on a network, by the label that the paper has for it, under a group's heading.

    changes: (config key, value) pairs against the method's own settings; variant: their short name.
    few: whether few seeds suffice, because no claim rests on the row. data: the data sets that it is for; (): all.
    """

    label: str
    method: str
    network: str
    group: str = ""
    variant: str = ""
    changes: tuple[tuple[str, Any], ...] = ()
    few: bool = False
    data: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[str, str, str]:
        """What its runs have in common: rows of other tables with the same are these runs."""
        return self.method, self.variant, self.network

    def run(self, data: str, seed: int) -> RunRef:
        return RunRef(method=self.method, variant=self.variant, network=self.network, data=data, seed=seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Artefact:
    """A table or figure. title: what it shows; metrics: keys of results.json; data: its data sets, (): all."""

    title: str
    rows: tuple[Row, ...]
    metrics: tuple[str, ...] = (CLEAN, ASR)
    data: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Matched:
    """The regime in which features are matched: lambda, steps, those of averaging, and the data sets it is for."""

    feature_weight: float = 5.0  # the paper's
    steps: int = 0
    swa_steps: int = 0
    data: tuple[str, ...] = ()

    def changes(self, method: str) -> tuple[tuple[str, Any], ...]:
        steps = (("steps.train", self.steps), ("steps.swa", self.swa_steps))
        return steps if method == "retraining" else (("method.feature_weight", self.feature_weight), *steps)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """networks: the paper's names; the first is the one of all tables but Table 4.

    shares: label -> part of the training images, of Table 5. feature_weights: the lambdas of Figure 4.
    matched: what Table 7 and Figure 3 are made with a second time.
    """

    networks: tuple[str, ...]
    shares: Mapping[str, float]
    feature_weights: tuple[float, ...]
    matched: Matched = Matched()


def table2(scale: Scale) -> Artefact:
    rows = tuple(_row(scale, method) for method in BASELINES)
    return Artefact(title="The baselines under attack through the teacher", rows=rows)


def methods(scale: Scale) -> Artefact:
    """Not of the paper: all methods in one table."""
    rows = [_row(scale, method, few=method in _FEW) for method in LABELS]
    rows.append(_row(scale, "delta_adversarial", few=True, **_GROWING))
    metrics = (CLEAN, ASR, CORE, WORST, NOISE)
    return Artefact(title="Every method under attack through the teacher", rows=tuple(rows), metrics=metrics)


def defences(scale: Scale) -> Artefact:
    """Not of the paper: what each method keeps and what it costs, also against attackers who copy it."""
    rows = []
    for network in scale.networks:
        place = {"network": network, "group": NETWORKS[network]}
        first, others = ([_row(scale, method, **place) for method in some] for some in _DEFENCES)
        changed = [_row(scale, "vaccination", **place, **changes) for changes in (_SIBLING, _STRONGER)]
        rows += [*first, *changed, *others, _row(scale, "delta_adversarial", **place, **_GROWING)]
    metrics = (CLEAN, ASR, CORE, WORST, WORST_NOISE, TRAINING)
    return Artefact(title="Defences, also under attack by who copies them", rows=tuple(rows), metrics=metrics)


def table4(scale: Scale) -> Artefact:
    rows = []
    for network in scale.networks:
        few = network != scale.networks[0]
        rows += [_row(scale, method, network=network, group=NETWORKS[network], few=few) for method in _COMPARED]
    return Artefact(title="DELTA, Renofeation and re-training on several networks", rows=tuple(rows))


def table5(scale: Scale) -> Artefact:
    least = min(scale.shares.values(), default=0)
    rows = []
    for group, share in scale.shares.items():
        for method in _COMPARED:
            few, changes = share > least or method == "retraining", (("data.fraction", share),)
            rows.append(_row(scale, method, group=group, variant=f"@{share:g}", few=few, changes=changes))
    return Artefact(title="Less training data", rows=tuple(rows))


def table6(scale: Scale) -> Artefact:
    both = _row(scale, "delta_adversarial", label="DELTA adv. trained + SWA + DO", variant="+dropout+swa", few=True)
    rows = (_row(scale, "delta"), _row(scale, "delta_adversarial"), both, _row(scale, "renofeation"))
    return Artefact(title="Adversarial training as another defence", rows=rows)


def table7(scale: Scale) -> Artefact:
    labels = {"": "DELTA-R", "+dropout": "DELTA-R + dropout", "+swa": "DELTA-R + SWA"}
    rows = [_row(scale, "delta_r", label=label, variant=variant) for variant, label in labels.items()]
    title, rows = "Dropout and weight averaging against the feature loss", (*rows, _row(scale, "renofeation"))
    return Artefact(title=title, rows=rows, metrics=(CLEAN, ASR, FEATURES, RELATIVE))


def table7_matched(scale: Scale) -> Artefact:
    """Not of this name in the paper, whose own regime this is."""
    return _matched(scale, table7(scale))


def figure1(scale: Scale) -> Artefact:
    title = "Attack success against the distance to the teacher"
    return Artefact(title=title, rows=table2(scale).rows, metrics=(ASR, FEATURES, WEIGHTS))


def figure3(scale: Scale) -> Artefact:
    rows = []
    for method in ("delta", "delta_r", "retraining"):
        for label, variant in {"plain": "", "DO": "+dropout", "SWA": "+swa", "DO + SWA": "+dropout+swa"}.items():
            few = method != "delta_r" and label != "plain"
            named = functools.partial(_row, scale, label=label, group=LABELS[method])
            is_renofeation = (method, label) == ("delta_r", "DO + SWA")
            rows.append(named("renofeation") if is_renofeation else named(method, variant=variant, few=few))
    return Artefact(title="Dropout and weight averaging, for three methods", rows=tuple(rows))


def figure3_matched(scale: Scale) -> Artefact:
    return _matched(scale, figure3(scale))


def figure4(scale: Scale) -> Artefact:
    rows = []
    for weight in scale.feature_weights:
        variant, changes = f"@lambda={weight:g}", (("method.feature_weight", weight),)
        rows.append(_row(scale, "delta", label=f"{weight:g}", few=True, variant=variant, changes=changes))
    return Artefact(title="DELTA's feature weight", rows=tuple(rows))


_BUILDERS = (methods, defences, table2, table4, table5, table6, table7, table7_matched)
_BUILDERS += (figure1, figure3, figure3_matched, figure4)
ARTEFACTS: dict[str, Callable[[Scale], Artefact]] = {build.__name__: build for build in _BUILDERS}
UNJUDGED = {table7_matched.__name__, figure3_matched.__name__, defences.__name__}  # Claims are judged without them.


def _matched(scale: Scale, artefact: Artefact) -> Artefact:
    """The same with the random starts in the regime where features are matched. Starts from the teacher are as ever."""
    rows = []
    for row in artefact.rows:
        if row.method != "delta":
            changes = row.changes + scale.matched.changes(row.method)
            row = dataclasses.replace(row, variant=row.variant + MATCHED, changes=changes)
        rows.append(dataclasses.replace(row, data=scale.matched.data))
    title = (
        f"{artefact.title}, where λ = {scale.matched.feature_weight:g} and training lasts until features are matched"
    )
    return dataclasses.replace(artefact, title=title, rows=tuple(rows), data=scale.matched.data)


def _row(scale: Scale, method: str, **options) -> Row:
    """A row on the first network, with the method's label and the variant's changes unless `options` say otherwise."""
    usual = {"label": LABELS[method], "network": scale.networks[0], "method": method}
    return Row(**usual | {"changes": _SWITCHES.get(options.get("variant", ""), ())} | options)
