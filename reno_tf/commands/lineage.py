"""Where an audited model comes from, and its public network or part in the place of a teacher."""

import dataclasses
from collections.abc import Collection

from absl import logging

from reno_tf import audit as foreign
from reno_tf import models
from reno_tf.commands.common import Teacher
from reno_tf.errors import UserError
from reno_tf.evaluation import Network
from reno_tf.models import public_weights
from reno_tf.models.kernels import WeightArray
from reno_tf.results import ComparisonFacts, LineageFacts, StageLineage, TeacherFacts

STUDENT = "student"  # config.model.weights, where the attacker has the student's own public part


@dataclasses.dataclass(frozen=True)
class Traced:
    """The model's weights, and where they come from."""

    weights: tuple[WeightArray, ...]
    lineage: foreign.Lineage

    def facts(self, teacher: Teacher | None = None) -> LineageFacts:
        """For results.json. teacher: the network that the model is attacked through."""
        nearest, beside = self.lineage.comparison, None
        if teacher is not None and not teacher.is_of_student:
            backbone, _, name = teacher.record.name.partition("/")
            beside = foreign.compare(self.weights, public_weights.describe(teacher.model, name, backbone=backbone))
        return LineageFacts(
            architectures=self.lineage.titles,
            nearest=_facts(nearest) if nearest else None,
            teacher=_facts(beside) if beside else None,
        )


def trace(opened: foreign.Foreign) -> Traced | None:
    """None for a model that does not show its weights, or whose file keeps them in a way that is not read."""
    if opened.read_weights is None:
        return None
    try:
        arrays = tuple(opened.read_weights())
    except UserError as error:
        logging.warning("where the model comes from is not looked up: %s", error)
        return None
    return Traced(arrays, foreign.trace(arrays))


def _facts(comparison: foreign.Comparison) -> ComparisonFacts:
    distances = comparison.stage_distances()
    stages = []
    for stage, distance in distances.items():
        equal, total = comparison.equal_of_stage(stage)
        stages.append(StageLineage(stage=stage, num_layers=total, num_equal=equal, distance=distance))
    return ComparisonFacts(
        network=comparison.network.name,
        related=comparison.related,
        distance=float(comparison.distance),
        num_layers=len(comparison.layers),
        num_equal=sum(comparison.layers.values()),
        public_stages=comparison.public_stages,
        folded=comparison.folded,
        certain=comparison.certain,
        stages=tuple(stages),
    )


def names_the_backbone(config_model, said: Collection[str]) -> bool:
    """Whether the model's lineage is to name the backbone.

    So it is where the user names public weights and no backbone, and where the config's backbone has none of that name.
    """
    backbones = public_weights.backbones_with(config_model.weights)
    is_open = "model.weights" in said or config_model.backbone not in backbones
    return "model.backbone" not in said and bool(backbones) and is_open


def backbone_for(traced: Traced | None, weights: str, configured: str) -> str:
    """The backbone with public weights of this name that the model was made from.

    Where its lineage does not tell, it is the `configured` one, if that has such weights. Raises UserError if it has
    not, or if the weights are not at hand.
    """
    able = public_weights.backbones_with(weights)
    named = _named_by_lineage(traced, able)
    backbone = named[0] if len(named) == 1 else configured
    if backbone not in able:
        raise UserError(
            f"--teacher={weights} needs the name of its network, for {_why_unknown(traced, weights, named)}"
        )
    models.locate(backbone, weights)
    return backbone


def _named_by_lineage(traced, able) -> list[str]:
    """The backbone of the public weights that the model was made from, or those that have its shapes, of `able`."""
    if traced is None:
        return []
    nearest, names = traced.lineage.comparison, traced.lineage.names
    if nearest:
        names = [nearest.network.backbone] if nearest.related else []
    return [name for name in names if name in able]


def _why_unknown(traced, weights, named) -> str:
    """Why the lineage names no backbone that has such weights, or several, and what to add."""
    if traced is None:
        return "the model does not show its weights: add --backbone"
    titles, nearest = " or ".join(traced.lineage.titles), traced.lineage.comparison
    if not titles:
        return "the model has the shapes of no network that this project knows: add --backbone"
    if nearest is None:
        flags = " or ".join(f"--backbone={name}" for name in named)
        return f"the model has the shapes of {titles}{': add ' if flags else ', which has none of that name'}{flags}"
    if nearest.related:
        return f"the model was made from {nearest.network.name}, whose network has none of that name"
    return (
        f"the model has the shapes of {titles}, but its weights are not those of {nearest.network.name} (distance "
        f"{nearest.distance:.2f}): add --backbone={nearest.network.backbone} to attack through them all the same"
    )


def backbone_of(traced: Traced | None) -> str:
    """The backbone whose first stages, at least, have public weights. Raises UserError if there is none."""
    comparison = traced and traced.lineage.comparison
    if not comparison or not comparison.public_stages:
        raise UserError(
            "--teacher=student needs a model whose first stages, at least, are known public ones, which --mode=inspect "
            "tells; name the public network by --backbone and --teacher"
        )
    return comparison.network.backbone


def build_teacher(traced: Traced, networks, sha256: str) -> Teacher:
    """The student's stages that are public, with its own weights. sha256: of the student."""
    comparison = traced.lineage.comparison
    model = models.build(networks.backbone, **networks.options)
    teacher = foreign.public_teacher(model, traced.weights, comparison)
    last, whole = comparison.public_stages, comparison.network.num_stages
    upto = "" if last == whole else f", stages 1 to {last} of {whole}"
    name = f"{comparison.network.name} inside of the student{upto}"
    digest = models.sha256(models.save(teacher))
    return Teacher(Network(teacher, digest), TeacherFacts(name, sha256), is_of_student=True)


def is_whole(traced: Traced) -> bool:
    """Whether every stage is public."""
    return traced.lineage.comparison.public_stages == traced.lineage.comparison.network.num_stages
