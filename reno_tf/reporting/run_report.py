"""A run's report: report.md, report.html with its pictures inside, PNGs, TensorBoard images."""

from pathlib import Path

import tensorflow as tf

from reno_tf import files
from reno_tf.reporting import run_figures
from reno_tf.reporting.examples import Examples
from reno_tf.reporting.metrics import ASR, CLEAN, METRICS, NOISE
from reno_tf.reporting.numbers import percent
from reno_tf.reporting.rendering import inline, render


def write(
    workdir: Path, *, results, config, history, curve, convergence, examples: Examples, seen, command: str
) -> None:
    """Writes report.md, report.html, figures/*.png, curve.json, convergence.json, and images to TensorBoard.

    Args:
      results: the content of results.json. config: that of config.json.
      history: rows of history.jsonl; empty if nothing was trained. curve: rows
        {"epsilon", "num_images", "attack_success_rate", ...}. convergence: the attack's objective
        before each step and after the last. seen: (images [N, H, W, 3] in [0, 1], their names), as
        the training sees them. command: what made the run.
    """
    figures = {
        "examples.png": run_figures.example_grid(examples),
        "epsilon.png": run_figures.epsilon_curve(curve),
        "convergence.png": run_figures.convergence_curve(convergence),
    }
    images = {f"attack/{name}": pictures for name, pictures in examples.pictures().items()}
    if history:
        figures |= {"training.png": run_figures.training_curves(history), "data.png": run_figures.contact_sheet(*seen)}
        images["data/training"] = seen[0]
    if "audit" in results:
        figures["exposure.png"] = run_figures.exposure(results["audit"]["exposure"])
    for name, content in figures.items():
        files.write_bytes(workdir / "figures" / name, content)
    files.write_json(workdir / "curve.json", curve)
    files.write_json(workdir / "convergence.json", convergence)
    facts = {"results": results, "config": config, "curve": curve, "command": command, "metrics": METRICS}
    pictures = {
        "report.md": {name: f"figures/{name}" for name in figures},
        "report.html": {name: inline(content, "png") for name, content in figures.items()},
    }
    for name, links in pictures.items():
        files.write_text(workdir / name, render(f"{name}.j2", figures=links, **facts))
    _write_images(workdir, images, step=history[-1]["step"] if history else 0)


def headline(results) -> str:
    """One line: clean accuracy, attack success and noise success in percent."""
    rates = ", ".join(f"{METRICS[key].short} {percent(results[key])}" for key in (CLEAN, ASR, NOISE))
    return f"{results['method']}: {rates}"


def _write_images(workdir: Path, pictures: dict, step: int) -> None:
    writer = tf.summary.create_file_writer(str(workdir / "tensorboard"))
    with writer.as_default(step=step):
        for name, images in pictures.items():
            tf.summary.image(name, images, max_outputs=len(images))
    writer.close()
