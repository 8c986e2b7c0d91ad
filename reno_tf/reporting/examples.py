"""A few attacked images with what the student says of them."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Examples:
    """clean, adversarial: float32 [N, H, W, 3] in [0, 1]; the rest: class names, N each."""

    clean: np.ndarray
    adversarial: np.ndarray
    labels: list[str]
    clean_predictions: list[str]
    adversarial_predictions: list[str]

    @classmethod
    def choose(cls, split, adversarial_images, names, *, clean, adversarial, noise, count: int = 8) -> "Examples":
        """The first `count` images of the split, whatever became of them: no picking."""
        named = [[names[i] for i in column[:count]] for column in (split.labels, clean, adversarial)]
        images = split.take(range(min(count, len(split)))).floats()[:]
        return cls(images, np.clip(adversarial_images[:count], 0, 1), *named)

    def pictures(self) -> dict[str, np.ndarray]:
        """{"clean", "perturbation", "adversarial"}; the perturbation is stretched to the full range about grey."""
        difference = self.adversarial - self.clean
        largest = max(float(np.abs(difference).max()), 1e-8)
        return {"clean": self.clean, "perturbation": 0.5 + difference / (2 * largest), "adversarial": self.adversarial}
