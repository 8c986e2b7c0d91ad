"""Which hyper-parameters were tried, what they gave on the validation split, and which were chosen."""

import shutil
from pathlib import Path

import tensorflow as tf
from tensorboard.plugins.hparams import api as hp

from reno_tf import files

_METRICS = {"validation_accuracy": "accuracy on the validation split", "attack_success_rate": "attack success rate"}


def choose(trials: list[dict]) -> dict:
    """The one with the best "validation_accuracy"; of equals the first."""
    return max(trials, key=lambda trial: trial["validation_accuracy"])


def record(folder: Path, trials: list[dict], chosen: dict) -> None:
    """Writes trials.json, and a page "HParams" for `tensorboard --logdir FOLDER`, in place of what was there.

    Args:
      trials: each {"values": {key: value}, "run": a name unlike the others', "validation_accuracy"
        and, unless None, "attack_success_rate": fractions in [0, 1]}.
      chosen: one of them.
    """
    sessions = folder / "hparams"
    shutil.rmtree(sessions, ignore_errors=True)
    columns = {key: _one_type([trial["values"][key] for trial in trials]) for key in trials[0]["values"]}
    with _writer(sessions):
        hp.hparams_config(
            hparams=[hp.HParam(key, hp.Discrete(sorted(set(column)))) for key, column in columns.items()],
            metrics=[hp.Metric(key, display_name=name) for key, name in _METRICS.items()],
        )
    for place, trial in enumerate(trials):
        with _writer(sessions / trial["run"]):
            hp.hparams({key: column[place] for key, column in columns.items()}, trial_id=trial["run"])
            for key in _METRICS:
                if trial.get(key) is not None:
                    tf.summary.scalar(key, trial[key], step=0)
    files.write_json(folder / "trials.json", {"chosen": chosen, "trials": trials})


def _writer(folder):
    return tf.summary.create_file_writer(str(folder)).as_default()


def _one_type(values):
    """0 among floats is a float: a domain of TensorBoard has one type. What it cannot show is told in words."""
    kinds = {type(value) for value in values}
    if kinds <= {int, float}:
        return [float(value) for value in values]
    return values if len(kinds) == 1 and kinds <= {bool, str} else [str(value) for value in values]
