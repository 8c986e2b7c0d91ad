"""The keys of what is measured, and how their values are written."""

import math

CLEAN, ASR, NOISE = "clean_accuracy", "attack_success_rate", "noise_success_rate"
WORST, WORST_NOISE, ROUNDED = "worst_case_success_rate", "worst_case_noise_success_rate", "attack_success_rate_8bit"
VALIDATION, FEATURES, WEIGHTS = "validation_accuracy", "feature_distance", "weight_distance"
RELATIVE, CORE, TRAINING = "relative_feature_distance", "core_worst_case_success_rate", "train_seconds"
PAPERS = ("pixel", "paper", "reference", "cleverhans")  # The attacks of the registry that are the paper's.
MISSING = "–"


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


def plural(count: int, word: str) -> str:
    """ "1 run", "2 runs"."""
    return f"{count} {word}{'s' if count != 1 else ''}"


def mean_and_std(summary, places: int) -> str:
    """A `reno_tf.reporting.seeds.Summary`: "86.5 ± 2.1", of a single seed "86.5"."""
    numbers = [summary.mean, summary.std] if summary else []
    return " ± ".join(f"{value:.{places}f}" for value in numbers if value is not None) or MISSING
