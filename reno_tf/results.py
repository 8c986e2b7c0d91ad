"""What a run found. results.json, its schema, the names of metrics and what a sweep keeps follow from these fields."""

import dataclasses
import enum
from typing import Any

from reno_tf.records import Rate, described, json_key

_FRACTION = {"least": 0, "most": 1}


@dataclasses.dataclass(frozen=True)
class Metric:
    """short: in a table; name: in a sentence; title: on an axis. unit: "%" for what is stored as a fraction."""

    short: str
    name: str
    title: str
    unit: str = "%"

    @property
    def scale(self) -> int:
        """The factor from what is stored to what is shown."""
        return 100 if self.unit == "%" else 1

    def with_unit(self, text: str) -> str:
        return f"{text} ({self.unit})" if self.unit else text


def _metric(description, short, name, title, unit="%", **metadata):
    return described(description, metric=Metric(short, name, title, unit), **metadata)


class Verdict(enum.StrEnum):
    OK = "ok"
    DOUBTFUL = "doubtful"
    NOT_APPLICABLE = "not applicable"


@dataclasses.dataclass(frozen=True)
class Check:
    """One rule by which a number could be an artefact (`reno_tf.evaluation.checks`)."""

    name: str
    verdict: str = described(choices=[verdict.value for verdict in Verdict])
    reason: str = described("a code; `reno_tf.reporting.sentences` has its words")
    figures: dict[str, Any] = described("what the verdict rests on; rates are fractions")


@dataclasses.dataclass(frozen=True)
class Skipped:
    """An attack that was not tried."""

    name: str
    why: str


@dataclasses.dataclass(frozen=True)
class Few:
    """The fewest attacks, at most three, that come within a point of all; else the three that come nearest."""

    attacks: tuple[str, ...]
    success_rate: float = described("of these few", **_FRACTION)


@dataclasses.dataclass(frozen=True)
class WorstCase:
    """The attacks and the images of the worst case."""

    attacks: tuple[str, ...]
    num_images: int
    num_attacked: int = described("of these images, those that are right when clean")
    enough: Few | None


@dataclasses.dataclass(frozen=True)
class AttackRow:
    """One attack on the first images, or the worst case of those that share a name."""

    name: str
    counts: bool = described("whether the worst case counts it")
    outside: str | None = described("why it does not count")
    gradients: int = described("of each image")
    attack: dict[str, Any] | None = described("all that its images depend on beside the network; null for several")
    attack_success_rate: Rate = described("of this attack")


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """The images of one class."""

    label: str = described(json="class")
    num_images: int
    clean_accuracy: Rate
    attack_success_rate: Rate
    worst_case_success_rate: Rate


@dataclasses.dataclass(frozen=True)
class Distance:
    """Between the student's and the teacher's features of one stage."""

    absolute: float = described("mean squared difference")
    relative: float | None = described("that, divided by the variance of the teacher's")


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """The attacks within one radius (curve.json)."""

    epsilon: float = described("in the attack's unit")
    attack_success_rate: Rate
    noise_success_rate: Rate
    num_attacked: int
    num_images: int
    core_worst_case_success_rate: Rate | None = described("where all of the core were tried", absent=True, default=None)


@dataclasses.dataclass(frozen=True)
class Exposure:
    """One attack within several radii."""

    name: str
    outside: str | None
    rates: dict[str, float | None] = described("epsilon, three figures -> success rate", **_FRACTION)


@dataclasses.dataclass(frozen=True)
class Seconds:
    """How long it took, also before an interruption."""

    train: float | None = _metric(
        "of the student's training",
        "training",
        "training time",
        "training time",
        "s",
        absent=True,
        metric_key="train_seconds",
    )
    craft: float = described("of all adversarial images")
    evaluate: float = described("of the student's answers, the controls and the distances")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackRates:
    """What one attack does to a student."""

    clean_accuracy: Rate = _metric(
        "right answers to clean images", "clean", "clean accuracy", "accuracy on clean images"
    )
    attack_success_rate: Rate = _metric(
        "P(wrong on the headline attack's image | right on the clean one); the paper, section 3",
        "ASR",
        "ASR",
        "attack success rate",
    )
    noise_success_rate: Rate = _metric(
        "P(wrong on uniform noise of the same size | right on the clean image)",
        "noise",
        "noise",
        "the same rate under uniform noise",
    )
    adversarial_accuracy: Rate = _metric(
        "right answers to the headline attack's images",
        "adversarial",
        "adversarial accuracy",
        "accuracy on adversarial images",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation(AttackRates):
    """What was measured of a student, by a suite whose first attack is the headline. Rates are over images."""

    worst_case_success_rate: Rate = _metric(
        "P(at least one attack that counts succeeds | right on the clean image), on the first images",
        "worst case",
        "worst case",
        "the worst case of all attacks",
    )
    core_worst_case_success_rate: Rate | None = _metric(
        "the worst case of the core alone, where more was tried",
        "core worst case",
        "worst case of the core",
        "the worst case of the core attacks",
        absent=True,
    )
    mean_worst_case_success_rate: float | None = _metric(
        "the core's worst case, its mean over epsilon from 0 to the run's own, by the trapezoidal rule",
        "mean worst case",
        "mean worst case",
        "the worst case of the core attacks, its mean from epsilon 0",
        absent=True,
        **_FRACTION,
    )
    worst_case_noise_success_rate: Rate = _metric(
        "the same with as many draws of noise as attacks",
        "worst noise",
        "worst noise",
        "the worst case of as many draws of noise",
    )
    attack_success_rate_8bit: Rate | None = _metric(
        "the headline attack's images rounded to 8 bits",
        "8-bit ASR",
        "ASR of 8-bit images",
        "the attack's images rounded to 8 bits",
        absent=True,
    )
    validation_accuracy: float | None = _metric(
        "null without a validation split", "validation", "validation", "accuracy on the validation split", **_FRACTION
    )
    feature_distance: float | None = _metric(
        "mean over the stages", "feature distance", "feature distance", "feature distance to the teacher", ""
    )
    relative_feature_distance: float | None = _metric(
        "mean over the stages",
        "relative distance",
        "relative feature distance",
        "feature distance / teacher's variance",
        "",
    )
    weight_distance: float | None = _metric(
        "Euclidean, over the backbone's trained weights",
        "weight distance",
        "weight distance",
        "weight distance to the teacher",
        "",
    )
    stage_distances: dict[str, Distance] | None
    attack_success_rate_of_all: Rate = described("the same successes, as a part of all images")
    worst_case_success_rate_of_all: Rate = described("the same successes, as a part of those images")
    num_attacked: int
    worst_case_of: WorstCase = described(json="worst_case")
    suite: tuple[AttackRow, ...] = described("a row for each attack, on the first images")
    per_class: tuple[ClassRow, ...]
    skipped: tuple[Skipped, ...]
    attack: dict[str, Any] = described("the headline attack, with all that its images depend on")
    checks: tuple[Check, ...]
    seconds: Seconds

    @property
    def worst_case(self) -> Rate:
        return self.worst_case_success_rate

    def __getitem__(self, name: str) -> Rate:
        """The success of the attack of that name on the first images."""
        alone = {self.attack["name"]: self.attack_success_rate}
        return ({row.name: row.attack_success_rate for row in self.suite} or alone)[name]


@dataclasses.dataclass(frozen=True)
class LeakedImage:
    """A test image that is in training too."""

    file: str
    training_file: str
    same: bool = described("whether each pixel is")
    other_label: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """The data set of a run. Numbers are of images."""

    name: str
    num_classes: int
    note: str = described("what a reader should know about it")
    num_train: int
    num_validation: int
    num_test: int
    num_unreadable_train: int
    num_unreadable_test: int
    num_unreadable_validation: int | None = described("where a validation split is published", absent=True)
    num_leaked_test: int = described("test images that are training or validation images too")
    num_leaked_test_same: int = described("of those, with the same pixels; the others are nearly the same")
    num_leaked_test_other_label: int = described("of those, with another label in training")
    num_leaked_validation: int = described("validation images that are training images too")
    leaked_test: tuple[LeakedImage, ...] = described("the first ten")


@dataclasses.dataclass(frozen=True)
class TeacherFacts:
    """The public network."""

    name: str = described("backbone/weights")
    sha256: str = described("of the file of its weights")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AskedWay:
    """One way to feed an audited model, and how that went on the images that it was asked about."""

    geometry: str
    input_range: str
    asked: int = described("how many images")
    accuracy: float = described("balanced, with the labels as they come", **_FRACTION)
    accuracy_ci95: tuple[float, ...] = described(**_FRACTION)
    matched: float = described("with the labels matched to the outputs", **_FRACTION)
    matched_ci95: tuple[float, ...] = described(**_FRACTION)


@dataclasses.dataclass(frozen=True)
class TiedWay:
    """A way to feed an audited model that fits as well as the one that is taken."""

    geometry: str
    input_range: str
    accuracy: float = described("balanced, with the labels in the order that is used", **_FRACTION)
    accuracy_ci95: tuple[float, ...] = described(**_FRACTION)
    differing: float = described("of the answers, from those to the way that is taken", **_FRACTION)


@dataclasses.dataclass(frozen=True)
class ComparedRow:
    """The audited model, or Renofeation beside it."""

    name: str
    clean_accuracy: float | None = described(**_FRACTION)
    attack_success_rate: float | None = described(**_FRACTION)
    noise_success_rate: float | None = described(**_FRACTION)
    worst_case_success_rate: float | None = described(**_FRACTION)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageLineage:
    """One stage of an audited model beside a public network's. Numbers are of layers with weights."""

    stage: int = described("counted from 1")
    num_layers: int
    num_equal: int = described("whose weights are all the public ones")
    distance: float | None = described("relative, of its kernels, up to a scale for each channel; null without kernels")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonFacts:
    """An audited model beside one public network, layer by layer."""

    network: str = described("backbone/weights")
    related: bool = described("whether the model's weights began as these, as far as their distance tells")
    distance: float = described("relative, the median over the kernels; 1: nothing in common", least=0)
    num_layers: int = described("of the public network that were compared")
    num_equal: int = described("of these, with all weights the public ones, as far as the file's type can hold them")
    public_stages: int = described("how many stages, from the first, are public throughout")
    folded: bool = described("whether BatchNorm is folded into the kernels; then kernels alone are compared")
    certain: bool = described(
        "whether it can be said which layers are equal: not of a converted file without the public weights"
    )
    stages: tuple[StageLineage, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LineageFacts:
    """Where an audited model comes from."""

    architectures: tuple[str, ...] = described("the known networks with the shapes of its kernels")
    nearest: ComparisonFacts | None = described("the known public weights that are nearest to it")
    teacher: ComparisonFacts | None = described("beside the network that it was attacked through")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditFacts:
    """What an audit found out about the model."""

    path: str
    sha256: str = described("of all that it consists of")
    format: str
    geometry: str = described("how a photo becomes its input; empty where the images never were photos")
    input_range: str
    outputs: str = described("what its scores are")
    draws: int = described("answers that are averaged; more than 1 where each is another")
    has_gradient: bool
    asked: tuple[AskedWay, ...]
    tied: tuple[TiedWay, ...] = described("the images do not tell them from the way that is taken")
    label_order: tuple[int, ...] = described("the output that stands for each label")
    label_order_was_matched: bool
    unmatched: tuple[str, ...] = described("classes of which most images get another answer")
    image_size: tuple[int, ...] = described("[height, width] in pixels")
    exposure: tuple[Exposure, ...] = described("each attack at several epsilon; empty in a quick audit")
    comparison: tuple[ComparedRow, ...]
    lineage: LineageFacts | None = described("where it comes from; of a model that shows its weights", absent=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results(Evaluation):
    """The content of results.json: what was measured, and of what."""

    method: str
    seed: int = described(least=0)
    split: str = described(choices=("test", "validation"))
    precision: str | None = described("of the training; absent in an audit", absent=True)
    dataset: DatasetFacts
    teacher: TeacherFacts
    versions: dict[str, Any] = described("Python, packages and the device")
    audit: AuditFacts | None = described("of an audit alone", absent=True)


def _metrics() -> dict[str, Metric]:
    fields = (*dataclasses.fields(Evaluation), *dataclasses.fields(Seconds))
    metrics = {field.metadata.get("metric_key", json_key(field)): field.metadata.get("metric") for field in fields}
    first = ("clean_accuracy", "worst_case_success_rate")  # The worst case before what one attack does.
    return {key: metrics[key] for key in (*first, *metrics) if metrics[key]}


METRICS = _metrics()  # Their order is that of a report's table.


def numbers(content: dict) -> dict[str, float | None]:
    """Each metric's value in the content of a results.json, None where it has none: what a sweep keeps of a run."""
    flat = content | {"train_seconds": content.get("seconds", {}).get("train")}
    return {key: flat.get(key) for key in METRICS}
