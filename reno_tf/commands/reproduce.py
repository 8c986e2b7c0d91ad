"""--mode=reproduce: the paper's tables and figures from runs that are done once, resumed and kept."""

import contextlib
from pathlib import Path

import tensorflow as tf

from reno_tf import files, ownership
from reno_tf.commands.reproducing import estimate
from reno_tf.commands.reproducing.planning import Plan
from reno_tf.commands.reproducing.sweeping import Sweep
from reno_tf.errors import UserError
from reno_tf.reproduction import outcomes, sweep


def reproduce(
    config,
    *,
    command: str,
    workdir: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    ray_address: str | None = None,
) -> None:
    """Does the runs that `config.reproduce` asks for below `workdir`, and writes what they show.

    Hyper-parameters are chosen first, on the validation split; then come all runs of seed 0, of seed 1, ... Finished
    runs are kept. Writes to results in `workdir` each of `config.reproduce.artefacts` from the runs that there are,
    claims.md if there are all, and runs.jsonl. That file has what is needed of each run: with it, a run with the same
    settings counts as finished without its folder. dry_run: prints the runs and an estimate of their time and disk,
    and does none.

    Raises UserError for a mistake in the config, another sweep or other files in `workdir`, or missing runs, after
    the rest.
    """
    if "reproduce" not in config:
        raise UserError("--mode=reproduce goes with --config=configs/reproduce.py:table2 or the like, not with another")
    plan, folder = Plan(config), Path(workdir or f"runs/reproduce-{config.reproduce.scale}")
    run_results = outcomes.read_all(folder / "results" / "runs.jsonl")
    sweeping, mistakes = Sweep(plan, folder, command, overwrite, ray_address, run_results), []
    if dry_run:
        estimate.print_plan(plan, sweeping.is_finished, run_results)
        for name, why in list(sweeping.missing.items())[:1]:
            print(f"{len(sweeping.missing)} of them would be missing, among them {name}: {why}")
        return
    _claim(folder, is_sweep=bool(run_results))
    with contextlib.suppress(RuntimeError):  # Initialised already: by someone's own program.
        tf.config.set_visible_devices([], "GPU")  # The runs are processes of their own, and want the GPUs whole.
    with sweep.lock_sweep(folder):
        try:
            sweeping.do()
        except OSError as error:
            mistakes.append(f"{error.filename or folder} cannot be written: {error.strerror}")
    for name, why in list(sweeping.missing.items())[:1]:  # The others may follow from the first.
        mistakes.append(f"{len(sweeping.missing)} runs are missing, among them {name}: {why}")
    if mistakes:
        raise UserError("; ".join(mistakes))


def _claim(folder, *, is_sweep):
    """Marks the folder as a sweep's. Raises UserError if it holds other files alone: some might be written over."""
    marker = folder / ".reno_tf-sweep"
    others = [path for path in folder.iterdir() if path.name != ownership.LOCK] if folder.is_dir() else []
    if others and not (is_sweep or marker.exists()):
        raise UserError(f"{folder} holds other files and no sweep; choose another --workdir")
    files.write_json(marker, {"project": "reno_tf"})
