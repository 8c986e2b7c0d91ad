"""Which hyper-parameters were tried, what they gave on the validation split, and which were chosen."""

import os
from pathlib import Path

import tensorflow as tf
from tensorboard.plugins.hparams import api as hp

from reno_tf import files, ownership
from reno_tf.reporting.metrics import ASR, METRICS, VALIDATION


def choose(trials: list[dict]) -> dict:
    """The one with the best "validation_accuracy"; of equals the first."""
    return max(trials, key=lambda trial: trial[VALIDATION])


def record(folder: Path, trials: list[dict], chosen: dict) -> None:
    """Writes trials.json, and a page "HParams" for `tensorboard --logdir FOLDER`, in place of what was there.

    trials: each {"values": {key: value}, "run": a name unlike the others', "validation_accuracy" and, unless None,
    "attack_success_rate": fractions in [0, 1]}; chosen: one of them.
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
    files.write_json(folder / "trials.json", {"chosen": chosen, "trials": trials})


def _one_type(values):
    """0 among floats is a float: a domain of TensorBoard has one type. What it cannot show becomes text."""
    kinds = {type(value) for value in values}
    if kinds <= {int, float}:
        return [float(value) for value in values]
    return values if len(kinds) == 1 and kinds <= {bool, str} else [str(value) for value in values]
