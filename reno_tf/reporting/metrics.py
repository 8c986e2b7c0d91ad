"""What is measured: the keys of results.json, and what tables, pictures and sentences call them."""

import dataclasses

CLEAN, ASR, NOISE, ADVERSARIAL = "clean_accuracy", "attack_success_rate", "noise_success_rate", "adversarial_accuracy"
VALIDATION, FEATURES, WEIGHTS = "validation_accuracy", "feature_distance", "weight_distance"


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
    ASR: Metric("ASR", "ASR", "attack success rate"),
    NOISE: Metric("noise", "noise", "the same rate under uniform noise"),
    ADVERSARIAL: Metric("adversarial", "adversarial accuracy", "accuracy on adversarial images"),
    VALIDATION: Metric("validation", "validation", "accuracy on the validation split"),
    FEATURES: Metric("feature distance", "feature distance", "feature distance to the teacher", unit=""),
    WEIGHTS: Metric("weight distance", "weight distance", "weight distance to the teacher", unit=""),
}
