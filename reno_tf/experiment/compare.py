"""--mode=compare: every method over several seeds, one table and one picture."""

import concurrent.futures
import multiprocessing
from pathlib import Path

import numpy as np

from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.experiment import settings
from reno_tf.experiment.run import run
from reno_tf.reporting import plots

_COLUMNS = {
    "clean_accuracy": "clean accuracy",
    "attack_success_rate": "ASR",
    "noise_success_rate": "noise",
}


def compare(config, *, command: str, workdir: str | None = None, overwrite: bool = False) -> None:
    """Runs `config.compare.methods` x `config.compare.seeds` below `workdir`, one process a run.

    Finished runs are kept, so a broken comparison goes on where it stopped. Writes comparison.json,
    comparison.md and comparison.png to `config.compare.results`.
    """
    folder, recipe = Path(workdir or "runs/compare"), config.compare
    if not recipe.methods or not recipe.seeds:
        raise UserError("config.compare.methods and config.compare.seeds must not be empty")
    for name in recipe.methods:
        settings.resolve(config, name)  # A mistake shows before hours are spent.
    rows = []
    for name in recipe.methods:
        runs = [_run_apart(config, name, seed, folder, overwrite) for seed in recipe.seeds]
        rows.append({"method": name, **{key: [result[key] for result in runs] for key in _COLUMNS}})
        rows[-1]["seconds"] = [result["seconds"]["train"] for result in runs]
    target = Path(recipe.results)
    shared = {key: runs[0][key] for key in ("dataset", "teacher", "attack", "versions")}
    files.write_json(target / "comparison.json", {"command": command, "seeds": recipe.seeds, "runs": rows, **shared})
    files.write_bytes(target / "comparison.png", plots.clean_against_asr(rows))
    files.write_text(target / "comparison.md", table(rows, recipe.seeds, command))
    print(f"comparison in {target / 'comparison.md'}")


def _run_apart(config, method, seed, folder, overwrite):
    """One run in a fresh process: its memory goes back, and nothing leaks into the next run."""
    config = config.copy_and_resolve_references()
    config.seed = seed
    workdir = folder / f"{method}-{config.data.name}-{seed}"
    command = f"python main.py --method={method} --config.seed={seed}"
    if not overwrite and (results := files.read_json(workdir / "results.json")):
        files.claim(workdir, settings.resolve(config, method).to_dict(), overwrite=False)
        return results
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        task = pool.submit(run, config, method=method, workdir=str(workdir), overwrite=overwrite, command=command)
        return task.result()


def table(rows: list[dict], seeds, command: str) -> str:
    """Markdown: for each method the mean over seeds, and the lowest and highest seed in brackets."""
    lines = [
        "| method | " + " | ".join(f"{label} (%)" for label in _COLUMNS.values()) + " | training (s) |",
        "|---" * (len(_COLUMNS) + 2) + "|",
    ]
    for row in rows:
        cells = [_cell(row[key]) for key in _COLUMNS]
        lines.append(f"| {row['method']} | " + " | ".join(cells) + f" | {np.mean(row['seconds']):.0f} |")
    return "\n".join(lines) + f"\n\nMean over seeds {', '.join(map(str, seeds))} [lowest, highest]. `{command}`\n"


def _cell(values):
    defined = [100 * value for value in values if value is not None]
    if not defined:
        return "undefined"
    return f"{np.mean(defined):.1f} [{min(defined):.1f}, {max(defined):.1f}]"
