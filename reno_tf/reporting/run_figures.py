"""The pictures of a run, as PNG bytes."""

import textwrap

import matplotlib
import numpy as np

from reno_tf.reporting.metrics import ASR, CORE, NOISE, WORST, attack_named
from reno_tf.reporting.rendering import plain, png, subplots

_RATES = {"ylim": (-2, 102), "xlim": (0, None)}  # To be set after the lines are drawn.
_NOT_TERMS = {"phase", "step", "seconds", "loss", "accuracy", "validation_accuracy", "validation_cross_entropy"}


def training_curves(history: list[dict]) -> bytes:
    """Loss terms, and accuracy on training and validation images, against the step."""
    figure, (losses, accuracy) = subplots(1, 2, size=(10, 3.6))
    steps = [row["step"] for row in history]
    for name in ["loss", *sorted(history[0].keys() - _NOT_TERMS)]:
        values = np.array([row[name] for row in history])
        if np.any(values > 0):
            losses.plot(steps, np.where(values > 0, values, np.nan), label=name.replace("_", " "), lw=1.5)
    for name, label in {"accuracy": "training (augmented)", "validation_accuracy": "validation"}.items():
        if name in history[0]:
            accuracy.plot(steps, [100 * row[name] for row in history], label=label, lw=1.5)
    losses.set(yscale="log", ylabel="loss terms, with their coefficients")
    accuracy.set(ylim=(0, 101), ylabel="accuracy (%)")
    for axes in (losses, accuracy):
        for before, after in zip(history, history[1:], strict=False):
            if before["phase"] != after["phase"]:
                axes.axvline(before["step"], color="0.6", ls=":", label="averaging begins")
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return png(figure)


def example_grid(examples) -> bytes:
    """Rows: clean, perturbation, adversarial; above each image the student's prediction, below its attack."""
    rows, count = examples.pictures(), len(examples.labels)
    figure, axes = subplots(3, count, size=(1.25 * count + 0.6, 5.1), squeeze=False)
    for row, (name, pictures) in zip(axes, rows.items(), strict=True):
        for cell, picture in zip(row, pictures, strict=True):
            cell.imshow(picture)
            cell.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    for row, predictions in {0: examples.clean_predictions, 2: examples.adversarial_predictions}.items():
        for cell, label, prediction in zip(axes[row], examples.labels, predictions, strict=True):
            color = "tab:green" if label == prediction else "tab:red"
            cell.set_title(
                plain(textwrap.shorten(prediction, 18, placeholder=" …")), fontsize=10, color=color, fontweight="bold"
            )
    for cell, attack in zip(axes[2], examples.attacks, strict=True):
        cell.set_xlabel(plain(textwrap.fill(attack, 14)), fontsize=8)
    largest = np.abs(examples.adversarial - examples.clean).max()
    figure.suptitle(f"The student's predictions (green: right), largest change {largest:.3g} of the range", fontsize=10)
    return png(figure)


def contact_sheet(images: np.ndarray, names: list[str], *, columns: int = 8) -> bytes:
    """Images [N, H, W, 3] in [0, 1] in rows, above each its name."""
    rows = -(-len(images) // columns)
    figure, axes = subplots(rows, columns, size=(1.25 * columns, 1.45 * rows))
    for cell in np.ravel(axes):
        cell.axis("off")
    for cell, image, name in zip(np.ravel(axes), images, names, strict=False):
        cell.imshow(image)
        cell.set_title(plain(textwrap.shorten(name.replace("_", " "), 18, placeholder=" …")), fontsize=8)
    return png(figure)


def exposure(rows: list[dict], results) -> bytes:
    """Success of each attack over epsilon, of [{"name", "outside", "rates": {epsilon: rate}}]; dashed: "outside".

    results: the content of results.json, for the worst case.
    """
    figure, axes = _plot("epsilon", "attack success rate (%)", size=(7.5, 4.6))
    colors = matplotlib.colormaps["tab20"].colors
    for number, row in enumerate(rows):
        points = [(float(epsilon), 100 * rate) for epsilon, rate in row["rates"].items() if rate is not None]
        style = {"ls": "--" if row["outside"] else "-", "color": colors[number % 20], "label": row["name"]}
        axes.plot(*np.array(points).reshape(-1, 2).T, **style, marker="o", ms=3)
    _mark_worst(axes, results)
    axes.set(**_RATES)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return png(figure)


def moved_stages(rows: list[dict]) -> bytes:
    """How far each stage is from the public weights: a bar for each of `reno_tf.results.StageLineage`, as JSON."""
    figure, axes = subplots(size=(6.5, 0.9 + 0.32 * len(rows)))
    places, distances = range(len(rows)), [row["distance"] or 0.0 for row in rows]
    bars = axes.barh(places, distances, color="tab:blue")
    labels = [f"{row['num_equal']} of {row['num_layers']} layers public" for row in rows]
    axes.bar_label(
        bars,
        [f"{distance:.2g}   {label}" for distance, label in zip(distances, labels, strict=True)],
        padding=3,
        fontsize=8,
    )
    axes.set_yticks(places, [f"stage {row['stage']}" for row in rows])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.6), xticks=(0, 0.5, 1), xlabel="relative distance of the kernels (1: nothing in common)")
    return png(figure)


def epsilon_curve(curve: list[dict], results) -> bytes:
    """Success of the attack, the core's worst case and noise against epsilon, the worst case at the run's own; 95 %
    intervals.

    results: the content of results.json.
    """
    figure, axes = _plot("epsilon", "success rate (%), 95 % interval")
    lines = {
        CORE: ("worst case of the core attacks", "black"),
        ASR: (attack_named(results["attack"]["name"]), "tab:red"),
        NOISE: ("uniform noise of the same size", "tab:gray"),
    }
    for key, (label, color) in lines.items():
        points = [point for point in curve if point.get(key) is not None]
        if not points:
            continue
        x, y = [p["epsilon"] for p in points], [100 * p[key] for p in points]
        low, high = ([100 * p[f"{key}_ci95"][i] for p in points] for i in (0, 1))
        axes.fill_between(x, low, high, color=color, alpha=0.2, lw=0)
        axes.plot(x, y, "o-", color=color, label=label)
    _mark_worst(axes, results)
    axes.set(**_RATES)
    axes.legend(fontsize=8)
    return png(figure)


def _mark_worst(axes, results):
    """The worst case of all attacks that count, at the run's epsilon; nothing where it is undefined."""
    rate = results[WORST]
    if rate is None:
        return
    low, high = results[f"{WORST}_ci95"]
    beyond = [[100 * max(rate - low, 0)], [100 * max(high - rate, 0)]]
    worst = results["worst_case"]
    label = f"worst case of {len(worst['attacks'])} attacks, first {worst['num_images']} images"
    axes.errorbar(results["attack"]["epsilon"], 100 * rate, yerr=beyond, fmt="kD", ms=6, capsize=3, label=label)


def convergence_curve(values: list[float]) -> bytes:
    """The attack's objective, a mean over images, before each step and after the last."""
    figure, axes = _plot("step of the attack", "objective (it is lowered)")
    axes.plot(range(len(values)), values, "-", color="tab:blue", lw=1.5)
    return png(figure)


def _plot(x, y, *, size=(5.5, 3.6)):
    figure, axes = subplots(size=size)
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes
