"""Draws README.md's picture from two finished runs: python tools/problem_and_cure.py EXPOSED CURED OUT.png

The first test images that both students get right, whatever then becomes of them, attacked through the teacher by the
one attack of the core that fools EXPOSED most often, and what the students of both runs say.
"""

import json
import sys
import textwrap
from pathlib import Path

from reno_tf import attacks, data, files, models
from reno_tf.reporting.metrics import ASR
from reno_tf.reporting.rendering import plain, png, subplots

# isort: split
import numpy as np
import tensorflow as tf  # After reno_tf, which selects Keras 2.

_COUNT, _LOOKED_AT = 8, 100  # images
_METHODS = {"finetune": "fine-tuned", "renofeation": "Renofeation", "inoculation": "inoculation"}


def main(exposed: Path, cured: Path, out: Path):
    results, config = (json.loads((exposed / name).read_text()) for name in ("results.json", "config.json"))
    strongest = max((row for row in results["suite"] if row["attack"] and not row["outside"]), key=lambda row: row[ASR])
    data_config, networks = config["data"], config["networks"]
    dataset = data.load(
        data_config["name"], shots=data_config["shots"], size=data_config["size"], validation_per_class=1
    )
    names, first = dataset.class_names, dataset.test.take(range(min(_LOOKED_AT, len(dataset.test))))
    right = [
        np.array(_answers(run, first.floats()[:], names)) == np.array(names)[first.labels] for run in (exposed, cured)
    ]
    shown = first.take(np.flatnonzero(right[0] & right[1])[:_COUNT])
    clean = shown.floats()[:]
    teacher = models.build(networks["backbone"], weights=networks["weights"])
    (attack,) = attacks.AttackRef.parse(strongest["name"]).variants(teacher).values()
    budget = attacks.Budget(**{key: config["attack"][key] for key in ("epsilon", "step_size", "steps")})
    attacked = attack.on(teacher, budget)(clean).numpy()
    labels = [names[number] for number in shown.labels]
    said = {_name(run): [_answers(run, images, names) for images in (clean, attacked)] for run in (exposed, cured)}
    files.write_bytes(out, _draw({"clean": clean, "attacked": attacked}, labels, said))
    print(f"{strongest['name']}, epsilon {budget.epsilon}: {strongest[ASR]:.1%} of {exposed}'s turn wrong")


def _name(run):
    method = json.loads((run / "results.json").read_text())["method"]
    return _METHODS.get(method, method)


def _answers(run, images, names):
    (export,) = run.glob("export/*/1")
    model = tf.saved_model.load(str(export))
    return [
        names[number] for number in model.signatures["floats"](images=tf.constant(images))["logits"].numpy().argmax(1)
    ]


def _draw(pictures, labels, said):
    figure, axes = subplots(2, _COUNT, size=(1.45 * _COUNT, 4.6))
    for row, (name, images) in enumerate(pictures.items()):
        axes[row][0].set_ylabel(name, fontsize=11)
        for cell, image, *answers, label in zip(
            axes[row], images, *(one[row] for one in said.values()), labels, strict=True
        ):
            cell.imshow(image)
            lines = [
                f"{student}: {textwrap.shorten(answer, 24, placeholder=' …')}"
                for student, answer in zip(said, answers, strict=True)
            ]
            for line, (text, answer) in enumerate(zip(lines, answers, strict=True)):
                color = "tab:green" if answer == label else "tab:red"
                place = {"transform": cell.transAxes, "ha": "center", "va": "top", "color": color}
                cell.text(0.5, -0.05 - 0.27 * line, plain(text).replace(": ", ":\n", 1), fontsize=8, **place)
            cell.set(xticks=[], yticks=[])
    figure.get_layout_engine().set(h_pad=0.03, w_pad=0.02, hspace=0.26, rect=(0, 0.11, 1, 0.89))
    return png(figure)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
