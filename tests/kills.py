"""Kills one run at random moments, until it has been killed often enough; then it must end with the same bits.

    python tests/kills.py [--kills=20] [--seed=0]      # writes results/kills.json

The run trains in two phases and meets a suite through a student of the attacker's own; it is killed by SIGKILL while it
trains, writes checkpoints, crafts and counts. Beside it, one is never killed.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from interruptions import outcome, rows

_ROOT = Path(__file__).parents[1]
_RUN = (
    "--method=renofeation",
    "--attack=suite",
    "--config.attack.suite=('pixel','disruption','universal','surrogate')",
    "--config.attack.steps=3",
    "--config.attack.images=60",
    "--config.attack.own_images=20",
    "--config.curve.images=20",
    "--config.curve.factors=(0.5,)",
    "--config.data.validation_per_class=6",
    "--config.steps.train=30",
    "--config.steps.swa=20",
    "--config.steps.swa_period=2",
    "--config.interval=2",
)


def _start(folder, output):
    command = [sys.executable, "main.py", f"--workdir={folder / 'run'}", f"--config.attack.cache={folder / 'cache'}"]
    return subprocess.Popen([*command, *_RUN], cwd=_ROOT, stdout=output, stderr=subprocess.STDOUT)


def _where(folder) -> str:
    """What the run was at, by the files that it has."""
    run = folder / "run"
    if (run / "suite").is_dir():
        return "counting and crafting"
    if rows(run) and rows(run)[-1]["step"] == 50:
        return "training the attacker's student"
    return f"training, {rows(run)[-1]['phase'] if rows(run) else 'before its first checkpoint'}"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=0)
    arguments = options.parse_args()
    draw, killed = random.Random(arguments.seed), []
    with tempfile.TemporaryDirectory() as scratch:
        whole, broken = Path(scratch) / "whole", Path(scratch) / "broken"
        with open(Path(scratch) / "output", "w") as output:
            started = time.monotonic()
            assert _start(whole, output).wait() == 0, (Path(scratch) / "output").read_text()
            length = time.monotonic() - started
            while len(killed) < arguments.kills:
                process = _start(broken, output)
                # After it has loaded TensorFlow, so that some progress is made between two kills.
                waited = draw.uniform(0.25, 0.6) * length
                try:
                    process.wait(timeout=waited)
                    assert process.returncode == 0, (Path(scratch) / "output").read_text()
                    # It ended: only its report's numbers are taken away, and it measures again.
                    (broken / "run" / "results.json").unlink()
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    killed.append({"after_seconds": round(waited, 1), "while": _where(broken)})
                    print(len(killed), killed[-1], flush=True)
            assert _start(broken, output).wait() == 0, (Path(scratch) / "output").read_text()
        same = outcome(whole / "run") == outcome(broken / "run")
    told = {"kills": killed, "seed": arguments.seed, "same_results_history_and_weights": same}
    (_ROOT / "results" / "kills.json").write_text(json.dumps(told, indent=2) + "\n")
    print(f"{len(killed)} kills; the same bits: {same}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
