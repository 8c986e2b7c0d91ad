"""Peak memory of a whole suite of attacks beside that of its largest attack alone.

    python benchmarks/memory.py

Each attack runs in a process of its own, then all of them in one. One attack is in memory at a time, so
the suite should need little more than its largest member.
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=64, help="side of the images in pixels")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--only", nargs="*", help="the attacks to run in this process")
    parser.add_argument("--output", default="results/benchmarks/memory.json")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(run(options)))
    else:
        report(options)


def run(options) -> dict:
    """{"attacks": how many were run, "peak_mib": of this process}."""
    import numpy as np

    from reno_tf import attacks, data, models
    from reno_tf.evaluation import Attacker, Crafting, Network, Suite, ask
    from reno_tf.evaluation.suite import references

    teacher = models.build(options.backbone)
    student = models.build(options.backbone, num_classes=10, seed=1)
    shape = (options.images, options.size, options.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    split = data.Split(images, np.arange(options.images) % 10)
    others = [models.build(options.backbone, num_classes=10, seed=seed) for seed in range(2, 6)]
    networks = {"teacher": Network(teacher), **dict.fromkeys(("student", "surrogate"), Network(student))}
    networks["ensemble"] = Network(attacks.Ensemble((student, *others)))
    attacker = Attacker(networks=networks, own_images=split.floats())
    suite = Suite(name="suite", attacks=references(*options.only), budget=attacks.Budget(steps=2), curve=())
    crafting = Crafting(batch_size=options.images, precision=options.precision)
    answers = ask(Network(student), attacker, split, suite, crafting=crafting)
    return {"attacks": len(answers.attacks), "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def report(options):
    from reno_tf import files, hardware
    from reno_tf.evaluation.suite import WHOLE

    names = [str(reference) for reference in WHOLE]
    alone = {name: _in_a_process(options, [name]) for name in names}
    whole = _in_a_process(options, names)
    largest = max(alone, key=lambda name: alone[name]["peak_mib"])
    ratio = whole["peak_mib"] / alone[largest]["peak_mib"]
    for name, row in alone.items():
        print(f"| {name} | {row['attacks']} | {row['peak_mib']:.0f} |")
    print(f"| all | {whole['attacks']} | {whole['peak_mib']:.0f} |")
    print(f"{ratio:.2f} times its largest, {largest}")
    work = {key: getattr(options, key) for key in ("backbone", "size", "images", "precision")}
    content = {"work": work, "machine": hardware.device_name(), "alone": alone, "suite": whole, "times_largest": ratio}
    files.write_json(Path(options.output), content)


def _in_a_process(options, names):
    work = [f"--{key}={getattr(options, key)}" for key in ("backbone", "size", "images", "precision")]
    command = [sys.executable, __file__, *work, "--only", *names]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
