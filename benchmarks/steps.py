"""The objective that an attack reaches with so many gradients, by how the size of its steps changes on the way.

    python benchmarks/steps.py

The embedded teacher, validation images of digits, a random start in the L-infinity ball. "constant" is the package's
rule; the others begin at twice epsilon and end near 0, whatever the number of steps: linearly, along a cosine, or
halved at the checkpoints of Auto-PGD (Croce and Hein, ICML 2020, section 3), here without its conditions.
"""

import argparse
import math
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT)]

_EPSILON, _STEP = 0.1, 0.01
_STEPS = (10, 20, 40, 100)
_CHECKPOINTS = (0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93, 0.99)  # Auto-PGD's, as shares of all steps.
SCHEDULES = {  # Share of the steps already taken -> step size.
    "constant": lambda done: _STEP,
    "linear": lambda done: 2 * _EPSILON * (1 - done),
    "cosine": lambda done: _EPSILON * (1 + math.cos(math.pi * done)),
    "halved": lambda done: 2 * _EPSILON / 2 ** sum(done >= checkpoint for checkpoint in _CHECKPOINTS),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100, help="how many, ten classes alike")
    parser.add_argument("--output", default="results/benchmarks/steps.json")
    options = parser.parse_args()
    from reno_tf import attacks, data, files, hardware, models

    teacher = models.build("resnet18_cifar", weights="glyphs")
    images = data.load("digits", validation_per_class=options.images // 10).validation.floats()
    objectives = {
        "penultimate target": attacks.TargetDistance(),
        "angle of stage 2": attacks.Disruption(outputs=("stage2",), distance="cosine"),
    }
    reached_by = {}
    for name, objective in objectives.items():
        crafter = attacks.PGD(objective=objective).on(teacher, attacks.Budget(epsilon=_EPSILON))
        reached_by[name] = {
            schedule: [reached(crafter, images, schedule, steps) for steps in _STEPS] for schedule in SCHEDULES
        }
        print(f"\n{name}\n| | {' | '.join(map(str, _STEPS))} |\n{'|---' * (1 + len(_STEPS))}|")
        for schedule, values in reached_by[name].items():
            print(f"| {schedule} | {' | '.join(f'{value:.5g}' for value in values)} |", flush=True)
    content = {"images": len(images), "epsilon": _EPSILON, "steps": _STEPS, "machine": hardware.device_name()}
    files.write_json(Path(options.output), content | {"objective": reached_by})


def reached(crafter, images, schedule, steps):
    """The objective's mean over the images after the last step."""
    import numpy as np
    import tensorflow as tf

    images, indices = crafter._enter(images, None)
    limits, context = crafter._limits(images), crafter._context(images, indices)
    x, keys = crafter._begin(images, indices, 0, limits)
    for number in range(steps):
        size = tf.constant(np.float32(SCHEDULES[schedule](number / steps)))
        x = crafter._compiled(limits._replace(step_size=size, steps=tf.constant(1)), images, x, keys, *context)
    return float(tf.reduce_mean(crafter._losses(x, *context)))


if __name__ == "__main__":
    main()
