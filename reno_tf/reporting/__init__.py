"""Results as files: report.md, report.html with its pictures inside, PNGs, TensorBoard images."""

import base64
from pathlib import Path

import tensorflow as tf

from reno_tf import files
from reno_tf.reporting import plots
from reno_tf.reporting.examples import Examples
from reno_tf.reporting.rendering import percent, render

# (key in results.json, what a reader calls it)
RATES = (
    ("clean_accuracy", "Accuracy on clean images"),
    ("attack_success_rate", "Attack success rate (ASR)"),
    ("noise_success_rate", "The same rate under uniform noise"),
    ("adversarial_accuracy", "Accuracy on adversarial images"),
)


def write(
    workdir: Path, *, results, config, history, curve, convergence, examples: Examples, seen, command: str
) -> None:
    """Writes report.md, report.html, figures/*.png, curve.json, convergence.json, and images to TensorBoard.

    Args:
      results: the content of results.json. config: the resolved config.
      history: rows of `reno_tf.phases.read_history`; empty if nothing was trained. curve: rows
        {"epsilon", "num_images", "attack_success_rate", ...}. convergence: the attack's objective
        before each step and after the last. seen: (images [N, H, W, 3] in [0, 1], their names), as
        the training sees them. command: what made the run.
    """
    figures = {
        "examples.png": plots.example_grid(examples),
        "epsilon.png": plots.epsilon_curve(curve),
        "convergence.png": plots.convergence_curve(convergence),
    }
    if history:
        figures |= {"training.png": plots.training_curves(history), "data.png": plots.contact_sheet(*seen)}
    if "audit" in results:
        figures["exposure.png"] = plots.exposure(results["audit"]["exposure"])
    for name, content in figures.items():
        files.write_bytes(workdir / "figures" / name, content)
    files.write_json(workdir / "curve.json", curve)
    files.write_json(workdir / "convergence.json", convergence)
    facts = {"results": results, "config": config, "curve": curve, "rates": RATES, "command": command}
    inline = {name: "data:image/png;base64," + base64.b64encode(content).decode() for name, content in figures.items()}
    linked = {name: f"figures/{name}" for name in figures}
    files.write_text(workdir / "report.md", render("report.md.j2", figures=linked, **facts))
    files.write_text(workdir / "report.html", render("report.html.j2", figures=inline, **facts))
    attacked = {f"attack/{name}": images for name, images in examples.pictures().items()}
    trained = {"data/training": seen[0]} if history else {}
    _write_images(workdir, trained | attacked, step=history[-1]["step"] if history else 0)


def headline(results) -> str:
    """One line: clean accuracy, attack success and noise success in percent."""
    return (
        f"{results['method']}: clean {percent(results['clean_accuracy'])}, "
        f"ASR {percent(results['attack_success_rate'])}, noise {percent(results['noise_success_rate'])}"
    )


def _write_images(workdir: Path, pictures: dict, step: int) -> None:
    writer = tf.summary.create_file_writer(str(workdir / "tensorboard"))
    with writer.as_default(step=step):
        for name, images in pictures.items():
            tf.summary.image(name, images, max_outputs=len(images))
    writer.close()
