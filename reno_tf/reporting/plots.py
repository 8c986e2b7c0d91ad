"""The pictures of a run, as PNG bytes."""

import io
import textwrap

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

_NOT_TERMS = {"phase", "step", "seconds", "loss", "accuracy", "validation_accuracy", "validation_cross_entropy"}
_METADATA = {"Software": None}  # The same picture is the same bytes.


def training_curves(history: list[dict]) -> bytes:
    """Loss terms, and accuracy on training and validation images, against the step."""
    figure, (losses, accuracy) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    steps = [row["step"] for row in history]
    for name in ["loss", *sorted(history[0].keys() - _NOT_TERMS)] if history else []:
        values = np.array([row[name] for row in history])
        if np.any(values > 0):
            losses.plot(steps, np.where(values > 0, values, np.nan), label=name.replace("_", " "), lw=1.5)
    for name in ("accuracy", "validation_accuracy"):
        if history and name in history[0]:
            label = "training (augmented)" if name == "accuracy" else "validation"
            accuracy.plot(steps, [100 * row[name] for row in history], label=label, lw=1.5)
    for axes in (losses, accuracy):
        for before, after in zip(history, history[1:], strict=False):
            if before["phase"] != after["phase"]:
                axes.axvline(before["step"], color="0.6", ls=":", label="averaging begins")
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    losses.set(yscale="log", ylabel="loss terms, with their coefficients")
    accuracy.set(ylim=(0, 101), ylabel="accuracy (%)")
    return _png(figure)


def example_grid(examples) -> bytes:
    """Rows: clean, perturbation, adversarial; above each image what the student says of it."""
    rows, count = examples.pictures(), len(examples.labels)
    figure, axes = plt.subplots(3, count, figsize=(1.25 * count + 0.6, 4.7), layout="constrained", squeeze=False)
    for row, (name, pictures) in zip(axes, rows.items(), strict=True):
        for cell, picture in zip(row, pictures, strict=True):
            cell.imshow(picture)
            cell.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    said = {0: examples.clean_predictions, 2: examples.adversarial_predictions}
    for row, predictions in said.items():
        for cell, label, prediction in zip(axes[row], examples.labels, predictions, strict=True):
            right = label == prediction
            cell.set_title(prediction, fontsize=10, color="tab:green" if right else "tab:red", fontweight="bold")
    largest = np.abs(examples.adversarial - examples.clean).max()
    figure.suptitle(f"The student's predictions (green: right), largest change {largest:.3g} of the range", fontsize=10)
    return _png(figure)


def exposure(rows: list[dict]) -> bytes:
    """Success of each attack over epsilon; dashed: what does not count.

    rows: [{"name", "outside", "rates": {epsilon: rate}}].
    """
    figure, axes = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
    colors = plt.get_cmap("tab20").colors
    for number, row in enumerate(rows):
        points = [(float(epsilon), 100 * rate) for epsilon, rate in row["rates"].items() if rate is not None]
        style = "--" if row["outside"] else "-"
        axes.plot(
            *np.array(points).reshape(-1, 2).T, style, marker="o", ms=3, color=colors[number % 20], label=row["name"]
        )
    axes.set(xlabel="epsilon", ylabel="attack success rate (%)", ylim=(-2, 102), xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _png(figure)


def contact_sheet(images: np.ndarray, names: list[str], *, columns: int = 8) -> bytes:
    """Images [N, H, W, 3] in [0, 1] in rows, above each its name."""
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.25 * columns, 1.45 * rows), layout="constrained")
    for cell in np.ravel(axes):
        cell.axis("off")
    for cell, image, name in zip(np.ravel(axes), images, names, strict=False):
        cell.imshow(image)
        cell.set_title(textwrap.shorten(name.replace("_", " "), 18, placeholder=" …"), fontsize=8)
    return _png(figure)


def epsilon_curve(curve: list[dict]) -> bytes:
    """Attack success and the noise control against epsilon, with 95 % intervals."""
    figure, axes = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
    for key, label, color in (
        ("attack_success_rate", "attack through the teacher", "tab:red"),
        ("noise_success_rate", "uniform noise of the same size", "tab:gray"),
    ):
        points = [point for point in curve if point[key] is not None]
        x, y = [p["epsilon"] for p in points], [100 * p[key] for p in points]
        low, high = ([100 * p[f"{key}_ci95"][i] for p in points] for i in (0, 1))
        axes.fill_between(x, low, high, color=color, alpha=0.2, lw=0)
        axes.plot(x, y, "o-", color=color, label=label)
    axes.set(xlabel="epsilon", ylabel="success rate (%), 95 % interval", ylim=(-2, 102), xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return _png(figure)


def convergence_curve(values: list[float]) -> bytes:
    """The attack's objective, a mean over images, before each step and after the last."""
    figure, axes = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
    axes.plot(range(len(values)), values, "-", color="tab:blue", lw=1.5)
    axes.set(xlabel="step of the attack", ylabel="objective (it is lowered)")
    axes.grid(alpha=0.3)
    return _png(figure)


def _png(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata=_METADATA)
    plt.close(figure)
    return buffer.getvalue()
