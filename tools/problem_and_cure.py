"""Draws README.md's picture from two finished runs: python tools/problem_and_cure.py EXPOSED CURED OUT.png

The first test images, attacked through the teacher by the one attack of the core that fools EXPOSED most often, and what
the students of both runs say of them.
"""

import json
import sys
import textwrap
from pathlib import Path

import reno_tf  # First: it selects Keras 2.

# isort: split
import numpy as np
import tensorflow as tf

from reno_tf import attacks, data, files, models
from reno_tf.reporting.metrics import ASR
from reno_tf.reporting.rendering import plain, plt, png

_COUNT = 8
_METHODS = {"finetune": "fine-tuned", "renofeation": "Renofeation", "inoculation": "inoculation"}


def main(exposed: Path, cured: Path, out: Path):
    results, config = (json.loads((exposed / name).read_text()) for name in ("results.json", "config.json"))
    strongest = max((row for row in results["suite"] if row["attack"] and not row["outside"]), key=lambda row: row[ASR])
    chosen, networks = config["data"], config["networks"]
    dataset = data.load(chosen["name"], shots=chosen["shots"], size=chosen["size"], validation_per_class=1)
    clean = dataset.test.take(range(_COUNT)).floats()[:]
    teacher = models.build(networks["backbone"], weights=networks["weights"])
    attacked = _craft(teacher, strongest["name"], config["attack"], clean)
    said = {
        folder: [_answers(folder, images, dataset.class_names) for images in (clean, attacked)]
        for folder in (exposed, cured)
    }
    files.write_bytes(out, _draw(clean, attacked, [dataset.class_names[n] for n in dataset.test.labels[:_COUNT]], said))
    print(
        f"{strongest['name']}, epsilon {config['attack']['epsilon']}; it turns {strongest[ASR]:.1%} of {exposed} wrong"
    )


def _craft(teacher, name, settings, clean):
    (attack,) = attacks.variants(name, teacher).values()
    budget = attacks.Budget(**{key: settings[key] for key in ("epsilon", "step_size", "steps")})
    return attack.on(teacher, budget)(tf.constant(clean), tf.range(len(clean))).numpy()


def _answers(folder, images, names):
    (export,) = folder.glob("export/*/1")
    model = tf.saved_model.load(str(export))
    return [names[n] for n in model.signatures["floats"](images=tf.constant(images))["logits"].numpy().argmax(1)]


def _draw(clean, attacked, labels, said):
    figure, axes = plt.subplots(2, _COUNT, figsize=(1.55 * _COUNT, 4.6), layout="constrained")
    for row, (name, pictures, which) in enumerate((("clean", clean, 0), ("attacked", attacked, 1))):
        for column, cell in enumerate(axes[row]):
            cell.imshow(pictures[column])
            cell.set(xticks=[], yticks=[])
            for line, (folder, answers) in enumerate(said.items()):
                method = json.loads((folder / "results.json").read_text())["method"]
                answer = answers[which][column]
                color = "tab:green" if answer == labels[column] else "tab:red"
                text = f"{_METHODS.get(method, method)}:\n{plain(textwrap.shorten(answer, 24, placeholder=' …'))}"
                cell.text(
                    0.5,
                    -0.04 - 0.26 * line,
                    text,
                    transform=cell.transAxes,
                    ha="center",
                    va="top",
                    fontsize=8,
                    color=color,
                )
        axes[row][0].set_ylabel(name, fontsize=11)
    figure.get_layout_engine().set(h_pad=0.3)
    return png(figure)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
