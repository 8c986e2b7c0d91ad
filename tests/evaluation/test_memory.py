"""A suite needs the memory of its largest attack, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SUITE = """
import resource
import numpy as np
from reno_tf import data, models
from reno_tf.attacks import Budget
from reno_tf.evaluation import Attacker, Crafting, Network, Suite, ask
from reno_tf.evaluation.suite import references

teacher, student = models.build("resnet18"), models.build("resnet18_cifar", width=2, num_classes=2)
split = data.Split(np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8), np.arange(8) % 2)
attacker = Attacker(networks={"teacher": Network(teacher)}, own_images=split.floats())
for names in (("disruption penultimate",), ("disruption penultimate", "pixel", "momentum", "neurons", "joint")):
    suite = Suite(name="suite", attacks=references(*names), budget=Budget(steps=1), curve=())
    answers = ask(Network(student), attacker, split, suite, crafting=Crafting(batch_size=8, precision="float32"))
    print(len(answers.attacks), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.long
def test_the_peak_of_a_suite_is_that_of_its_largest_attack():
    done = subprocess.run([sys.executable, "-c", _SUITE], cwd=_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (_, alone), (attacks, suite) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert attacks == 8 and suite <= 1.15 * alone
