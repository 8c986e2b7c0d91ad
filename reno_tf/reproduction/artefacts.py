"""The paper's tables and figures, and one of all methods, as rows of runs, most of which several of them share."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

CLEAN, ASR, FEATURES = "clean_accuracy", "attack_success_rate", "feature_distance"
NOISE = "noise_success_rate"
_DROPOUT, _SWA = ("dropout", 0.1), ("swa", True)
NETWORKS = {"resnet18": "ResNet-18", "resnet34": "ResNet-34", "resnet50": "ResNet-50", "resnet101": "ResNet-101"}
NETWORKS["mobilenetv2"] = "MobileNetV2"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table: a method on a network.

    label: what the paper calls it; group: the heading it stands under.
    changes: (config key, value) pairs against the method's own settings; variant: their short name.
    few: whether the few seeds do, because no claim rests on the row.
    """

    label: str
    method: str
    network: str
    group: str = ""
    variant: str = ""
    changes: tuple[tuple[str, Any], ...] = ()
    few: bool = False

    def run(self, data: str, seed: int) -> str:
        """The run's name, and its folder's: rows of other tables with this name are this run."""
        return f"{self.method}{self.variant}-{self.network}-{data}-{seed}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Artefact:
    """A table or figure. title: what it shows; metrics: keys of results.json."""

    title: str
    rows: tuple[Row, ...]
    metrics: tuple[str, ...] = (CLEAN, ASR)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """What the artefacts are made of.

    networks: the paper's names; the first is the one of all tables but Table 4.
    shares: label -> part of the training images, of Table 5. feature_weights: the lambdas of Figure 4.
    """

    networks: tuple[str, ...]
    shares: Mapping[str, float]
    feature_weights: tuple[float, ...]


def table2(scale: Scale) -> Artefact:
    row = _on(scale)
    rows = (
        row("Linear classifier", "linear"),
        row("Fine-tuning", "finetune"),
        row("L2SP", "l2sp"),
        row("DELTA", "delta"),
        row("Re-training", "retraining"),
    )
    return Artefact(title="The baselines under attack through the teacher", rows=rows)


def methods(scale: Scale) -> Artefact:
    """Not of the paper: all methods in one table."""
    row = _on(scale)
    others = (
        row("DELTA adv. trained", "delta_adversarial", few=True),
        row("DELTA-R", "delta_r"),
        row("Renofeation", "renofeation"),
    )
    title = "Every method under attack through the teacher"
    return Artefact(title=title, rows=table2(scale).rows + others, metrics=(CLEAN, ASR, NOISE))


def table4(scale: Scale) -> Artefact:
    rows = [
        Row(label=label, method=method, network=network, group=NETWORKS[network], few=network != scale.networks[0])
        for network in scale.networks
        for label, method in (("DELTA", "delta"), ("Renofeation", "renofeation"), ("Re-training", "retraining"))
    ]
    return Artefact(title="DELTA, Renofeation and re-training on several networks", rows=tuple(rows))


def table5(scale: Scale) -> Artefact:
    row, least = _on(scale), min(scale.shares.values(), default=0)
    rows = [
        row(
            *(label, method),
            group=name,
            variant=f"@{share:g}",
            changes=(("data.fraction", share),),
            few=share > least or method == "retraining",
        )
        for name, share in scale.shares.items()
        for label, method in (("DELTA", "delta"), ("Renofeation", "renofeation"), ("Re-training", "retraining"))
    ]
    return Artefact(title="Less training data", rows=tuple(rows))


def table6(scale: Scale) -> Artefact:
    row = _on(scale)
    rows = (
        row("DELTA", "delta"),
        row("DELTA adv. trained", "delta_adversarial", few=True),
        row(
            *("DELTA adv. trained + SWA + DO", "delta_adversarial"),
            variant="+dropout+swa",
            changes=(_DROPOUT, _SWA),
            few=True,
        ),
        row("Renofeation", "renofeation"),
    )
    return Artefact(title="Adversarial training as another defence", rows=rows)


def table7(scale: Scale) -> Artefact:
    row = _on(scale)
    rows = (
        row("DELTA-R", "delta_r"),
        row("DELTA-R + dropout", "delta_r", variant="+dropout", changes=(_DROPOUT,)),
        row("DELTA-R + SWA", "delta_r", variant="+swa", changes=(_SWA,)),
        row("Renofeation", "renofeation"),
    )
    title = "Dropout and weight averaging against the feature loss"
    return Artefact(title=title, rows=rows, metrics=(CLEAN, ASR, FEATURES))


def figure1(scale: Scale) -> Artefact:
    metrics = (ASR, FEATURES, "weight_distance")
    return Artefact(
        title="Attack success against the distance to the teacher", rows=table2(scale).rows, metrics=metrics
    )


def figure3(scale: Scale) -> Artefact:
    row = _on(scale)
    rows = []
    for group, method in (("DELTA", "delta"), ("DELTA-R", "delta_r"), ("Re-training", "retraining")):
        for label, variant, changes in (
            ("plain", "", ()),
            ("DO", "+dropout", (_DROPOUT,)),
            ("SWA", "+swa", (_SWA,)),
            ("DO + SWA", "+dropout+swa", (_DROPOUT, _SWA)),
        ):
            if method == "delta_r" and label == "DO + SWA":
                rows.append(row(label, "renofeation", group=group))  # What Renofeation is.
            else:
                few = method != "delta_r" and label != "plain"
                rows.append(row(label, method, group=group, variant=variant, changes=changes, few=few))
    return Artefact(title="Dropout and weight averaging, for three methods", rows=tuple(rows))


def figure4(scale: Scale) -> Artefact:
    row = _on(scale)
    rows = [
        row(
            f"{weight:g}",
            "delta",
            variant=f"@lambda={weight:g}",
            changes=(("method.feature_weight", weight),),
            few=True,
        )
        for weight in scale.feature_weights
    ]
    return Artefact(title="DELTA's feature weight", rows=tuple(rows))


ARTEFACTS: dict[str, Callable[[Scale], Artefact]] = {
    function.__name__: function
    for function in (methods, table2, table4, table5, table6, table7, figure1, figure3, figure4)
}


def _on(scale: Scale):
    """Row(...) on the first network, label and method by position."""
    return lambda label, method, **options: Row(label=label, method=method, network=scale.networks[0], **options)
