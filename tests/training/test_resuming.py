"""Each method with hooks of its own, killed in its training or its preparation, goes on to the same bits."""

import dataclasses

import numpy as np
import pytest
from replicas import toy, toy_data

import reno_tf
from reno_tf import data, models, training
from reno_tf.methods import METHODS, DeltaAdversarial
from reno_tf.training import history

_DATA = toy_data()
_SHORT = {"seam": {"head_steps": 2, "mask_steps": 3}}


def _method(name):
    return DeltaAdversarial(epsilon_grows=True) if name == "growing" else METHODS[name](**_SHORT.get(name, {}))


def _train(method, workdir):
    """The student's weights after four steps, and two that average."""
    student, teacher = toy(num_classes=3, dropout=method.dropout, seed=0), toy(seed=1)
    model = reno_tf.Transfer(student, teacher, method, seed=0)
    schedule = dataclasses.replace(method.schedule, steps=4, swa=True, swa_steps=2, swa_period=1)
    training.train(model, _DATA, method.phases(schedule), workdir, batch_size=8, interval=1, seed=0)
    return {name: weight.numpy() for name, weight in models.named_weights(model.student).items()}


@pytest.mark.parametrize("name", ["growing", "remos", "seam", "weight_variance", "inoculation"])
def test_killed_at_a_step(tmp_path, monkeypatch, name):
    whole = _train(_method(name), tmp_path / "whole")
    record = history.Record.on_epoch_end

    def record_and_die(callback, epoch, logs):
        record(callback, epoch, logs)
        if training.read_history(tmp_path / "broken")[-1]["step"] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(history.Record, "on_epoch_end", record_and_die)
        with pytest.raises(KeyboardInterrupt):
            _train(_method(name), tmp_path / "broken")
    _compare(_train(_method(name), tmp_path / "broken"), whole)
    rows = [[row["loss"] for row in training.read_history(tmp_path / folder)] for folder in ("whole", "broken")]
    assert rows[0] == rows[1] and len(rows[0]) == 6


def test_killed_while_the_masks_are_learnt(tmp_path, monkeypatch):
    whole, batches = _train(_method("seam"), tmp_path / "whole"), data.train_batches

    def dying(*arguments, start_step, **options):
        if start_step == 2:  # The masks begin where the head's steps end.
            raise KeyboardInterrupt
        return batches(*arguments, start_step=start_step, **options)

    with monkeypatch.context() as patch:
        patch.setattr(data, "train_batches", dying)
        with pytest.raises(KeyboardInterrupt):
            _train(_method("seam"), tmp_path / "broken")
    _compare(_train(_method("seam"), tmp_path / "broken"), whole)


def _compare(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
