"""What is measured and judged: the keys of results.json, the verdicts, and how both are written."""

import dataclasses
import math
from collections.abc import Mapping

CLEAN, ASR, NOISE, ADVERSARIAL = "clean_accuracy", "attack_success_rate", "noise_success_rate", "adversarial_accuracy"
WORST, WORST_NOISE, ROUNDED = "worst_case_success_rate", "worst_case_noise_success_rate", "attack_success_rate_8bit"
VALIDATION, FEATURES, WEIGHTS = "validation_accuracy", "feature_distance", "weight_distance"
RELATIVE, CORE, TRAINING = "relative_feature_distance", "core_worst_case_success_rate", "train_seconds"
HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"
SIGNS = {HELD: "✓", NOT_HELD: "✗", UNDECIDED: "?"}
PAPERS = ("pixel", "paper", "reference", "cleverhans")  # The attacks of the registry that are the paper's.
MISSING = "–"


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


METRICS = {
    CLEAN: Metric("clean", "clean accuracy", "accuracy on clean images"),
    WORST: Metric("worst case", "worst case", "the worst case of all attacks"),  # Before what one attack does.
    ASR: Metric("ASR", "ASR", "attack success rate"),
    NOISE: Metric("noise", "noise", "the same rate under uniform noise"),
    CORE: Metric("core worst case", "worst case of the core", "the worst case of the core attacks"),
    WORST_NOISE: Metric("worst noise", "worst noise", "the worst case of as many draws of noise"),
    ROUNDED: Metric("8-bit ASR", "ASR of 8-bit images", "the attack's images rounded to 8 bits"),
    ADVERSARIAL: Metric("adversarial", "adversarial accuracy", "accuracy on adversarial images"),
    VALIDATION: Metric("validation", "validation", "accuracy on the validation split"),
    FEATURES: Metric("feature distance", "feature distance", "feature distance to the teacher", unit=""),
    RELATIVE: Metric(
        "relative distance", "relative feature distance", "feature distance / teacher's variance", unit=""
    ),
    WEIGHTS: Metric("weight distance", "weight distance", "weight distance to the teacher", unit=""),
    TRAINING: Metric("training", "training time", "training time", unit="s"),
}


def percent(value: float | None, interval: list | None = None) -> str:
    """A fraction, with its interval: "12.3 % [11.0, 13.9]". A rate over nothing is "undefined"."""
    if value is None:
        return "undefined"
    return f"{100 * value:.1f} %" + (f" [{percents(interval, ', ')}]" if interval else "")


def attack_named(name: str) -> str:
    """The attack whose success is the ASR, by its name in the registry, for a sentence."""
    return "the paper's attack" if name in PAPERS else f"the attack {name}"


def percents(interval: list | None, between: str) -> str:
    """The ends of an interval of fractions, without a unit."""
    return between.join(f"{100 * end:.1f}" for end in interval) if interval else MISSING


def number(value: float | None) -> str:
    """Three figures: 1234, 36.6, −0.0123."""
    return MISSING if value is None else f"{value:.{decimals(value)}f}".replace("-", "−")


def decimals(value: float) -> int:
    """The decimals with which a number has three figures."""
    return max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0


def mean_and_std(summary, places: int) -> str:
    """A `reno_tf.reporting.seeds.Summary`: "86.5 ± 2.1", of a single seed "86.5"."""
    numbers = [summary.mean, summary.std] if summary else []
    return " ± ".join(f"{value:.{places}f}" for value in numbers if value is not None) or MISSING


def statistic(value: float | None, unit: str) -> str:
    """A claim's statistic: percentage points with one decimal, the rest with three figures."""
    return MISSING if value is None else f"{value:{'.1f' if unit else '.3g'}}"


def rule(part: Mapping) -> str:
    """The side of the threshold on which the paper says a judged part of a claim lies."""
    return f"{part['statistic']} {part['side']} {part['threshold']:g} {part['unit']}".rstrip()
