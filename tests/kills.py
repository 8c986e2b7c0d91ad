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


def _progress(folder) -> dict[str, int]:
    """How far each part of the run is: intervals of its training, of the attacker's student's, attacks counted."""
    own = list(folder.rglob("surrogate-*/history.jsonl"))
    return {
        "training": len(rows(folder / "run")),
        "training the attacker's student": len(rows(own[0].parent)) if own else 0,
        "the suite": len(list((folder / "run" / "suite").glob("*.npz"))),
    }


def _moments(draw, count) -> list[tuple[str, int]]:
    """(part, its progress) in the order of a run, at which it is killed; about half of them in its training."""
    in_training, in_own = count // 2, count // 5
    places = {
        "training": draw.sample(range(1, 25), in_training),  # 15 intervals of the first phase, 10 of the second
        "training the attacker's student": draw.sample(range(1, 25), in_own),
        "the suite": [draw.randrange(8) for _ in range(count - in_training - in_own)],  # of 8 attacks
    }
    return [(part, place) for part, found in places.items() for place in sorted(found)]


def _killed(process, folder, part, place, delay) -> bool:
    """Kills the process `delay` seconds after its `part` has come so far. False if it ended before."""
    while _progress(folder)[part] < place:
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    try:
        process.wait(timeout=delay)
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=0)
    arguments = options.parse_args()
    draw, killed = random.Random(arguments.seed), []
    moments = _moments(draw, arguments.kills)
    with tempfile.TemporaryDirectory() as scratch:
        whole, broken, said = (Path(scratch) / name for name in ("whole", "broken", "output"))
        with open(said, "w") as output:
            assert _start(whole, output).wait() == 0, said.read_text()
            while len(killed) < arguments.kills:
                part, place = moments[len(killed)]
                # A process that starts where this is reached already is killed while it loads, or goes on.
                delay = draw.uniform(0, 1) if _progress(broken)[part] < place else draw.uniform(10, 30)
                process = _start(broken, output)
                if _killed(process, broken, part, place, delay):
                    phase = rows(broken / "run")[-1]["phase"] if rows(broken / "run") else None
                    killed.append({"while": part, "progress": _progress(broken), "phase": phase})
                    print(len(killed), killed[-1], flush=True)
                    continue
                assert process.returncode == 0, said.read_text()
                (broken / "run" / "results.json").unlink()  # It ended. Without its numbers it measures again.
            assert _start(broken, output).wait() == 0, said.read_text()
        same = outcome(whole / "run") == outcome(broken / "run")
    told = {"kills": killed, "seed": arguments.seed, "same_results_history_and_weights": same}
    (_ROOT / "results" / "kills.json").write_text(json.dumps(told, indent=2) + "\n")
    print(f"{len(killed)} kills; the same bits: {same}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
