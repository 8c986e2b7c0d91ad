"""Each method with hooks of its own, killed in its training or its preparation, goes on to the same bits."""

import dataclasses
import functools
import resource
import shutil
import signal

import numpy as np
import pytest
from conftest import long
from replicas import toy, toy_data

import reno_tf
from reno_tf import data, interruption, methods, models, training
from reno_tf.errors import UserError
from reno_tf.interruption import Interrupted
from reno_tf.methods import METHODS, DeltaAdversarial
from reno_tf.training import history

_DATA = toy_data()
_SHORT = {"seam": {"head_steps": 2, "mask_steps": 3}}


def _method(name):
    return DeltaAdversarial(epsilon_grows=True) if name == "growing" else METHODS[name](**_SHORT.get(name, {}))


def _train(method, workdir, *, interval=1):
    """The student's weights after four steps, and two that average."""
    student, teacher = toy(num_classes=3, dropout=method.dropout, seed=0), toy(seed=1)
    model = reno_tf.Transfer(student, teacher, method, seed=0)
    schedule = dataclasses.replace(method.schedule, steps=4, swa=True, swa_steps=2, swa_period=1)
    course = training.Course.on(_DATA, workdir, batch_size=8, interval=interval)
    training.train(model, method.phases(schedule), course)
    return {name: weight.numpy() for name, weight in models.named_weights(model.student).items()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """(name, interval) -> the folder and the weights of a training that nothing stops. Each is trained once."""

    @functools.cache
    def train(name, interval=1):
        workdir = tmp_path_factory.mktemp("whole")
        return workdir, _train(_method(name), workdir, interval=interval)

    return train


@pytest.mark.long
@pytest.mark.parametrize("name", ["weight_variance", "growing", "seam", "inoculation", "pubdef"])
def test_killed_at_a_step(tmp_path, monkeypatch, uninterrupted, name):
    folder, whole = uninterrupted(name)
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
    assert _rows(tmp_path / "broken") == _rows(folder) and len(_rows(folder)) == 6


@pytest.mark.long
def test_killed_while_the_masks_are_learnt(tmp_path, monkeypatch, uninterrupted):
    (_, whole), batches = uninterrupted("seam"), data.train_batches

    def dying(*arguments, start_step, **options):
        if start_step == 2:  # The masks begin where the head's steps end.
            raise KeyboardInterrupt
        return batches(*arguments, start_step=start_step, **options)

    with monkeypatch.context() as patch:
        patch.setattr(data, "train_batches", dying)
        with pytest.raises(KeyboardInterrupt):
            _train(_method("seam"), tmp_path / "broken")
    _compare(_train(_method("seam"), tmp_path / "broken"), whole)


@pytest.mark.long
def test_killed_while_the_images_are_attacked(tmp_path, monkeypatch, uninterrupted):
    (_, whole), made = uninterrupted("pubdef"), methods.PubDef.made_beforehand

    def dying(method, preparation):
        made(method, preparation)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(methods.PubDef, "made_beforehand", dying)
        with pytest.raises(KeyboardInterrupt):
            _train(_method("pubdef"), tmp_path / "broken")
    _compare(_train(_method("pubdef"), tmp_path / "broken"), whole)


@pytest.mark.parametrize(
    ("name", "stopped_at"), [("weight_variance", 3), *long(*(("inoculation", step) for step in (2, 5, 6)))]
)
def test_asked_to_stop_it_goes_on_from_that_very_step(tmp_path, monkeypatch, uninterrupted, name, stopped_at):
    (folder, whole), record = uninterrupted(name, interval=2), history.Record.on_train_batch_end

    def record_and_ask(callback, batch, logs):
        if callback._transfer.step == stopped_at:
            signal.raise_signal(signal.SIGINT)
        record(callback, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(history.Record, "on_train_batch_end", record_and_ask)
        phase = "train" if stopped_at <= 4 else "swa"
        with pytest.raises(Interrupted, match=f"the same command resumes from step {stopped_at} of '{phase}'"):
            _train(_method(name), tmp_path / "broken", interval=2)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    _compare(_train(_method(name), tmp_path / "broken", interval=2), whole)
    assert _rows(tmp_path / "broken") == _rows(folder)


def test_a_second_signal_does_not_wait():
    told = "interrupted; the same command resumes from the last checkpoint"
    with pytest.raises(Interrupted, match=told) as stop, interruption.deferred() as asked:
        assert asked() == 0
        signal.raise_signal(signal.SIGINT)
        assert asked() == signal.SIGINT
        signal.raise_signal(signal.SIGINT)
    assert stop.value.status == 130


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruption.deferred() as asked:
            signal.raise_signal(signal.SIGINT)
            assert asked() == 0
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("cut", ["ckpt-2.index", *long("ckpt-2.data-00000-of-00001")])
def test_a_checkpoint_that_is_cut_short_gives_way_to_the_one_before(tmp_path, uninterrupted, cut, caplog):
    folder, whole = uninterrupted("weight_variance", interval=2)
    shutil.copytree(folder, tmp_path / "broken")
    shutil.rmtree(tmp_path / "broken" / "checkpoints" / "swa")
    path = tmp_path / "broken" / "checkpoints" / "train" / cut
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _compare(_train(_method("weight_variance"), tmp_path / "broken", interval=2), whole)
    assert "train/ckpt-2 is damaged, perhaps cut short; the training resumes from the one before" in caplog.text
    assert _rows(tmp_path / "broken") == _rows(folder)


@pytest.mark.long
def test_without_room_for_a_checkpoint_the_training_ends_and_goes_on_later(tmp_path, uninterrupted):
    (_, whole), limits = uninterrupted("weight_variance"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
    try:
        with pytest.raises(UserError, match="checkpoints/train: File too large; with more room, the same"):
            _train(_method("weight_variance"), tmp_path / "broken")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "broken" / "checkpoints" / "train").iterdir())
    _compare(_train(_method("weight_variance"), tmp_path / "broken"), whole)


@pytest.mark.long
def test_without_a_whole_checkpoint_a_phase_begins_anew(tmp_path, uninterrupted):
    folder, whole = uninterrupted("weight_variance", interval=2)
    shutil.copytree(folder, tmp_path / "broken")
    for path in (tmp_path / "broken" / "checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(b"no checkpoint")
    _compare(_train(_method("weight_variance"), tmp_path / "broken", interval=2), whole)


def _rows(workdir):
    return [{**row, "seconds": None} for row in training.read_history(workdir)]


def _compare(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
