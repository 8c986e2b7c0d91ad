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

    from configs.default import get_config
    from reno_tf import attacks, data, models, settings
    from reno_tf.evaluation import suite

    config = get_config()
    config.attack.update(steps=2, cache="", batch_size=options.images)
    config.attack.update({"preset": options.only[0]} if len(options.only) == 1 else {"suite": tuple(options.only)})
    config.attack.precision = options.precision
    teacher = models.build(options.backbone)
    student = models.build(options.backbone, num_classes=10, seed=1)
    shape = (options.images, options.size, options.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    split = data.Split(images, np.arange(options.images) % 10)
    others = [models.build(options.backbone, num_classes=10, seed=seed) for seed in range(2, 6)]
    networks = {"teacher": (teacher, "t"), **dict.fromkeys(("student", "surrogate"), (student, "s"))}
    networks["ensemble"] = attacks.Ensemble((student, *others)), "e"
    target = suite.Target(networks, split, split.floats())
    outcomes, _ = suite.run(settings.read(config, preset="suite").attack, target)
    return {"attacks": len(outcomes), "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def report(options):
    from configs.default import get_config
    from reno_tf import files, hardware

    names = list(get_config().attack.suite)
    alone = {name: _in_a_process(options, [name]) for name in names}
    whole = _in_a_process(options, names)
    largest = max(alone, key=lambda name: alone[name]["peak_mib"])
    ratio = whole["peak_mib"] / alone[largest]["peak_mib"]
    for name, row in alone.items():
        print(f"| {name} | {row['attacks']} | {row['peak_mib']:.0f} |")
    print(f"| all | {whole['attacks']} | {whole['peak_mib']:.0f} |")
    print(f"{ratio:.2f} times its largest, {largest}")
    work = {key: getattr(options, key) for key in ("backbone", "size", "images", "precision")}
    content = {"work": work, "machine": hardware.name(), "alone": alone, "suite": whole, "times_largest": ratio}
    files.write_json(Path(options.output), content)


def _in_a_process(options, names):
    work = [f"--{key}={getattr(options, key)}" for key in ("backbone", "size", "images", "precision")]
    command = [sys.executable, __file__, *work, "--only", *names]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
