"""Which hyper-parameters were tried, what they gave on the validation split, and which were chosen."""

import os
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorboard.plugins.hparams import api as hp

from reno_tf import files, naming, ownership
from reno_tf.reporting.metrics import ASR, VALIDATION
from reno_tf.results import METRICS

_FOLDER, _RECORD = "trials", "trials.json"
GRID = "grid"  # What the trials of whole runs, which no table shows, are recorded under.


def trial_name(data: str, method: str, values: Mapping[str, float]) -> str:
    """The name of the run that tries these values; no other run has it."""
    tried = ",".join(f"{key}={value:g}" for key, value in values.items())
    return f"{_FOLDER}/{naming.escape(data)}/{naming.escape(method)}@{naming.escape(tried)}"


def is_trial_name(run: str) -> bool:
    """Whether `trial_name` gave it."""
    return run.startswith(f"{_FOLDER}/")


def folder(data: str, what: str) -> str:
    """Where a sweep records what was tried to choose `what` for a data set."""
    return f"{_FOLDER}/{naming.escape(data)}-{what}"


def recorded(folder: Path) -> set[Path]:
    """The results.json of the runs below the folder that were done to choose a hyper-parameter, once it is chosen."""
    tried = {path: path.parent.parent for path in folder.rglob("results.json")}  # trials/DATA/RUN/results.json
    return {
        path
        for path, data in tried.items()
        if data.parent.name == _FOLDER and Path(f"{data}-{GRID}", _RECORD).is_file()
    }


def best_trial(trials: list[dict]) -> dict:
    """The one with the best "validation_accuracy"; of equals the first."""
    return max(trials, key=lambda trial: trial[VALIDATION])


def record(folder: Path, trials: list[dict], best: dict) -> None:
    """Writes trials.json, and a page "HParams" for `tensorboard --logdir FOLDER`, in place of what was there.

    trials: each {"values": {key: value}, "run": a name unlike the others', "validation_accuracy" and, unless None,
    "attack_success_rate": fractions in [0, 1]}; best: the one that was chosen.
    """
    sessions = folder / "hparams"
    for session, *_ in os.walk(sessions, topdown=False):  # It follows no link.
        ownership.remove(Path(session), r"events\.out\.tfevents\..+")
    columns = {key: _one_type([trial["values"][key] for trial in trials]) for key in trials[0]["values"]}
    domains = [hp.HParam(key, hp.Discrete(sorted(set(column)))) for key, column in columns.items()]
    with tf.summary.create_file_writer(str(sessions)).as_default():
        hp.hparams_config(domains, [hp.Metric(key, display_name=METRICS[key].title) for key in (VALIDATION, ASR)])
    for place, trial in enumerate(trials):
        with tf.summary.create_file_writer(str(sessions / trial["run"])).as_default():
            hp.hparams({key: column[place] for key, column in columns.items()}, trial_id=trial["run"])
            for key in (VALIDATION, ASR):
                if trial.get(key) is not None:
                    tf.summary.scalar(key, trial[key], step=0)
    files.write_json(folder / _RECORD, {"chosen": best, "trials": trials})


def _one_type(values):
    """0 among floats is a float: a domain of TensorBoard has one type. What it cannot show becomes text."""
    kinds = {type(value) for value in values}
    if kinds <= {int, float}:
        return [float(value) for value in values]
    return values if len(kinds) == 1 and kinds <= {bool, str} else [str(value) for value in values]
