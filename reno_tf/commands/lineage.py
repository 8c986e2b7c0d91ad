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
    """Whether the backbone is the one that the model's lineage names.

    So it is where the user named public weights alone, and the config's backbone has none of that name.
    """
    backbones = public_weights.backbones_with(config_model.weights)
    return "model.backbone" not in said and bool(backbones) and config_model.backbone not in backbones


def backbone_for(traced: Traced | None, weights: str) -> str:
    """The backbone that the model was made from, which has public weights of this name, at hand.

    Raises UserError if its lineage does not tell, or if they are not at hand.
    """
    if traced is None:
        raise _unnamed(weights, "the model does not show its weights")
    titles, nearest, candidates = traced.lineage.titles, traced.lineage.comparison, list(traced.lineage.names)
    if not titles:
        raise _unnamed(weights, "the model has the shapes of no network that this project knows")
    if nearest and not nearest.related:
        far = f"its weights are not those of {nearest.network.name} (distance {nearest.distance:.2f})"
        raise _unnamed(weights, f"the model has the shapes of {' or '.join(titles)}, but {far}", candidates)
    if nearest and nearest.network.weights != weights:
        raise UserError(f"--teacher={weights}: the model was made from {nearest.network.name}, not from these")
    if nearest:
        candidates = [nearest.network.backbone]
    candidates = [name for name in candidates if name in public_weights.backbones_with(weights)]
    if len(candidates) != 1:
        raise _unnamed(weights, f"the model has the shapes of {' or '.join(titles)}", candidates)
    models.locate(candidates[0], weights)
    return candidates[0]


def _unnamed(weights, why, candidates=()) -> UserError:
    names = " or ".join(f"--backbone={name}" for name in candidates) or "--backbone"
    return UserError(f"--teacher={weights} needs the name of its network, for {why}: add {names}")


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
