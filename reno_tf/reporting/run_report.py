"""A run's report: report.md, report.html with its pictures inside, PNGs."""

import dataclasses
from pathlib import Path

import numpy as np

from reno_tf import files
from reno_tf.evaluation import Answers
from reno_tf.reporting import run_figures, tensorboard
from reno_tf.reporting.metrics import ASR, CLEAN, NOISE, ROUNDED, WORST, WORST_NOISE, percent
from reno_tf.reporting.rendering import inline, markdown, render_template
from reno_tf.results import METRICS

_CLASSES = 30  # whose rates are shown, the most exposed


@dataclasses.dataclass(frozen=True)
class Examples:
    """clean, adversarial: float32 [N, H, W, 3] in [0, 1]; the rest: class names and names of attacks, N each."""

    clean: np.ndarray
    adversarial: np.ndarray
    labels: list[str]
    clean_predictions: list[str]
    adversarial_predictions: list[str]
    attacks: list[str]

    @classmethod
    def choose(cls, split, answers: Answers, class_names, *, count: int = 8) -> "Examples":
        """The first `count` images of the split, not a selection; each under the attack that the attacker would take
        for it."""
        first = split.first(count)
        attacks = [answers.strongest_on(place) for place in range(len(first))]
        adversarial = np.stack([attack.shown[place] for place, attack in enumerate(attacks)])
        fooled = [attack.final[place] for place, attack in enumerate(attacks)]
        columns = [[class_names[number] for number in column] for column in (answers.labels, answers.clean, fooled)]
        named = [column[: len(first)] for column in columns]
        return cls(first.floats()[:], np.clip(adversarial, 0, 1), *named, [attack.name for attack in attacks])

    def pictures(self) -> dict[str, np.ndarray]:
        """{"clean", "perturbation", "adversarial"}; the perturbation is stretched to the full range about grey."""
        difference = self.adversarial - self.clean
        largest = max(float(np.abs(difference).max()), 1e-8)
        return {"clean": self.clean, "perturbation": 0.5 + difference / (2 * largest), "adversarial": self.adversarial}


@dataclasses.dataclass(frozen=True)
class TrainingRecord:
    """What a report says about the student's training.

    history: rows of history.jsonl. seen: images [N, H, W, 3] in [0, 1] as the training saw them, and their names.
    """

    history: list[dict]
    seen: tuple[np.ndarray, list[str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
    """What a report is made of.

    results, config: the content of results.json and config.json. curve: rows {"epsilon", "num_images",
    "attack_success_rate", ...}. convergence: the attack's objective before each step and after the last. command: what
    made the run. training: None if nothing was trained.
    """

    results: dict
    config: dict
    curve: list[dict]
    convergence: list[float]
    examples: Examples
    command: str
    training: TrainingRecord | None = None


def write_report_files(workdir: Path, material: Material) -> None:
    """Writes report.md, report.html, figures/*.png, curve.json, convergence.json, and what TensorBoard shows."""
    results, curve, convergence = material.results, material.curve, material.convergence
    figures = {
        "examples.png": run_figures.example_grid(material.examples),
        "epsilon.png": run_figures.epsilon_curve(curve, results),
        "convergence.png": run_figures.convergence_curve(convergence),
    }
    if material.training:
        figures["training.png"] = run_figures.training_curves(material.training.history)
        figures["data.png"] = run_figures.contact_sheet(*material.training.seen)
    if "audit" in results and results["audit"]["exposure"]:
        figures["exposure.png"] = run_figures.exposure(results["audit"]["exposure"], results)
    if stages := _moved_stages(results):
        figures["lineage.png"] = run_figures.moved_stages(stages)
    files.write_json(workdir / "curve.json", curve)
    files.write_json(workdir / "convergence.json", convergence)
    by_exposure = sorted(results["per_class"], key=lambda row: -(row[WORST] or 0.0))
    values = {
        "results": results,
        "config": material.config,
        "curve": curve,
        "command": material.command,
        "metrics": {key: metric for key, metric in METRICS.items() if key in results},
        "classes": by_exposure[:_CLASSES],
    }
    links, pictures = {}, {}
    for name, content in figures.items():
        files.write_bytes(workdir / "figures" / name, content)
        links[name], pictures[name] = f"figures/{name}", inline(content, "png")
    as_text = {"results": markdown(results), "classes": markdown(values["classes"])}
    files.write_text(workdir / "report.md", render_template("report.md.j2", figures=links, **values | as_text))
    files.write_text(workdir / "report.html", render_template("report.html.j2", figures=pictures, **values))
    step = material.training.history[-1]["step"] if material.training else 0
    tensorboard.write_tensorboard(
        workdir, results=results, config=material.config, figures=figures, command=material.command, step=step
    )


def _moved_stages(results) -> list[dict]:
    """The stages of an audited model beside the public weights that are nearest to it; [] if none are known."""
    lineage = results.get("audit", {}).get("lineage") or {}
    return (lineage.get("nearest") or {}).get("stages", [])


def model_card(results, *, image_shape, geometry: str) -> str:
    """The model card beside an exported student, Markdown. results: the content of results.json."""
    return render_template("model_card.md.j2", results=markdown(results), image_shape=image_shape, geometry=geometry)


def device_card(results, rows: list[dict]) -> str:
    """The card beside .tflite files. rows: {"file", "bytes"} and what was measured for each, as in results.json."""
    return render_template("device_card.md.j2", results=markdown(results), rows=markdown(rows))


def headline(results) -> str:
    """One line: clean accuracy, success of the attack and of noise, the worst case of all attacks and of noise."""
    shown = [key for key in (CLEAN, ASR, ROUNDED, NOISE, WORST) if key in results]
    rates = ", ".join(f"{METRICS[key].short} {percent(results[key])}" for key in shown)
    return f"{results['method']}: {rates} (noise {percent(results[WORST_NOISE])})"
