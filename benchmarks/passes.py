"""What a training step and a gradient of the attack cost, in forward passes of the frozen teacher: the factors of
reno_tf/evaluation/cost.py.

    python benchmarks/passes.py
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reno_tf import Transfer, attacks, files, hardware, methods, models  # noqa: E402

# isort: split
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from reno_tf.evaluation import cost  # noqa: E402
from reno_tf.training import optimizers  # noqa: E402

_NETWORKS = {  # and the side of the images
    "resnet18_cifar": 32,
    "mobilenet_v2_cifar": 32,
    "efficientnet_lite0": 128,
    "mobilenet_v2": 128,
    "keras_efficientnetb0": 128,
    "keras_resnet50": 128,
}
_BATCH, _CLASSES, _STEPS = 32, 4, 5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", default="results/benchmarks/passes.json")
    options = parser.parse_args()
    rows = {name: measure(name, side, options.rounds) for name, side in _NETWORKS.items()}
    columns = list(next(iter(rows.values())))
    print(f"| | {' | '.join(columns)} |\n{'|---' * (len(columns) + 1)}|")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(f'{value:.2g}' for value in row.values())} |")
    files.write_json(Path(options.output), {"machine": hardware.device_name(), "batch": _BATCH, "networks": rows})


def measure(name, side, rounds):
    teacher, generator = models.build(name), np.random.default_rng(0)
    pixels = generator.integers(0, 256, (_BATCH, side, side, 3), np.uint8)
    images, labels = tf.constant(pixels / 255, tf.float32), tf.constant(generator.integers(_CLASSES, size=_BATCH))
    each = statistics.median(cost.seconds_of_pass(teacher, pixels) for _ in range(rounds))
    row = {"ms a pass": 1000 * each}
    for precision in ("float32", "mixed_bfloat16"):
        model = Transfer(models.build(name, num_classes=_CLASSES, precision=precision), teacher, methods.Renofeation())
        model.compile(optimizer=optimizers.SGD(0.005, 0.9))
        taken = median(lambda model=model: model.train_on_batch(images, labels), rounds)
        row[f"training, {precision}"] = taken / _BATCH / each
    for precision in ("float32", "bfloat16"):
        attack = attacks.penultimate_pgd(teacher, precision=precision, epsilon=0.03, step_size=0.003, steps=_STEPS)
        row[f"a gradient, {precision}"] = median(lambda attack=attack: attack(images), rounds) / _STEPS / _BATCH / each
    return row


def median(call, rounds):
    call()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
