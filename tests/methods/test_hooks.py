"""A method from outside of the package uses every hook, and resumes with what they keep."""

import dataclasses
import json
import signal

import numpy as np
import pytest
import small_network
import tensorflow as tf
from interruptions import kill_after, outcome
from processes import Script
from replicas import toy, toy_data
from toy_method import Toy

import reno_tf
from reno_tf import models, training
from reno_tf.methods import Method
from reno_tf.training import history, optimizers

_PHASES = ["head", "averaged", "all"]


class _Recorded(Toy):
    """Lists the phases that were prepared."""

    def prepare(self, preparation):
        assert preparation.train is _DATA.train and preparation.teacher is not None
        _PREPARED.append(preparation.phase.name)
        super().prepare(preparation)


class _Clean(Toy):
    perturb = Method.perturb


_DATA, _PREPARED = toy_data(), []


def _transfer(method):
    return reno_tf.Transfer(toy(num_classes=3, seed=0), toy(seed=1), method, seed=0)


def _train(method, workdir):
    """The model after all phases, of four steps each."""
    model = _transfer(method)
    phases = method.phases(dataclasses.replace(method.schedule, steps=4))
    training.train(model, phases, training.Course.on(_DATA, workdir, batch_size=8, interval=1))
    return model


def _values(model):
    return {
        **{name: weight.numpy().tolist() for name, weight in models.named_weights(model.student).items()},
        **{name: variable.numpy().tolist() for name, variable in model.state.items()},
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an uninterrupted training ends with."""
    _PREPARED.clear()
    values = _values(_train(_Recorded(), tmp_path_factory.mktemp("whole")))
    assert _PREPARED == _PHASES and values["prepared"] == 3
    return values


@pytest.mark.long
@pytest.mark.parametrize("last", [2, 6, 10])  # A step of each phase, after which the run is killed.
def test_a_phase_is_prepared_once_and_the_state_is_what_the_checkpoint_has(tmp_path, monkeypatch, whole, last):
    _PREPARED.clear()
    record = history.Record.on_epoch_end

    def record_and_die(callback, epoch, logs):
        record(callback, epoch, logs)
        if training.read_history(tmp_path)[-1]["step"] == last:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(history.Record, "on_epoch_end", record_and_die)
        with pytest.raises(KeyboardInterrupt):
            _train(_Recorded(), tmp_path)
    begun = _PHASES[: (last - 1) // 4 + 1]
    assert begun == _PREPARED
    saved = tf.train.load_checkpoint(str(tmp_path / "checkpoints" / begun[-1]))
    assert saved.get_tensor("state/prepared/.ATTRIBUTES/VARIABLE_VALUE") == len(begun)
    assert np.abs(saved.get_tensor("state/centre/.ATTRIBUTES/VARIABLE_VALUE")).max() > 0

    assert _values(_train(_Recorded(), tmp_path)) == whole
    assert _PREPARED == _PHASES
    steps = [(row["phase"], row["step"]) for row in training.read_history(tmp_path)]
    assert steps == [(phase, 4 * place + step) for place, phase in enumerate(_PHASES) for step in (1, 2, 3, 4)]


def test_the_coefficient_weighs_its_term():
    def terms(pull):
        model = _transfer(Toy(pull=pull))
        model.begin(Toy().phases(Toy.schedule)[1])
        model.compile(optimizers.SGD(0.1))
        told = model.train_on_batch(_DATA.train.floats()[:8], _DATA.train.labels[:8], return_dict=True)
        total = sum(value for name, value in told.items() if name not in ("loss", "accuracy"))
        assert told["loss"] == pytest.approx(total, rel=1e-5)
        return told["pull"], model.student.get_weights()[0]

    (none, _), (one, weights), (two, others) = terms(0.0), terms(1.0), terms(2.0)
    assert none == 0 and one > 0 and two == pytest.approx(2 * one)
    assert (weights != others).any()


@pytest.mark.long
def test_the_student_learns_from_the_perturbed_images_in_the_phases_that_perturb(tmp_path):
    noisy, clean = (_train(method, tmp_path / name) for name, method in (("noisy", Toy()), ("clean", _Clean())))
    losses = [[row["loss"] for row in training.read_history(tmp_path / name)] for name in ("noisy", "clean")]
    assert losses[0][:4] == losses[1][:4] and losses[0][4:] != losses[1][4:]
    assert _values(noisy) != _values(clean)


def test_only_the_head_trains_where_the_phase_says_so():
    model = _transfer(Toy())
    head, _, every = Toy().phases(Toy.schedule)
    model.begin(head)
    assert {variable.name.partition("/")[0] for variable in model.student.trainable_variables} == {"head"}
    model.begin(every)
    assert len(model.student.trainable_variables) > 2


_FEW = (
    "--method=toy",
    "--config.split=validation",
    "--config.data.validation_per_class=2",
    "--config.steps.train=8",
    "--config.interval=2",
    "--config.batch_size=8",
    "--config.attack.steps=1",
    "--config.attack.core=('disruption stage1',)",  # The cheapest: the whole core is tested where it is counted.
    "--config.attack.cache=",
    "--config.curve.factors=()",
)


def _start(workdir, *arguments):
    return Script("tests/toy_method.py", f"--workdir={workdir}", *_FEW, *arguments)


@pytest.mark.long
def test_killed_in_its_later_phases_the_method_resumes_to_the_same_bits(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    flags = ("--config.method.pull=0.25", *small_network.chosen(tmp_path))
    uninterrupted = _start(whole, *flags)
    # In the second phase, which averages, and in the third.
    for step, end, by in ((10, 16, signal.SIGKILL), (18, 24, signal.SIGTERM)):
        last, (status, _, err) = kill_after(step, _start(broken, *flags), broken, by=by)
        assert step <= last < end and status == {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143}[by], err
    assert "toy_method.py: interrupted; the same command resumes from step" in err
    for script in (_start(broken, *flags), uninterrupted):
        status, out, err = script.end()
        assert status == 0 and "ASR" in out, err
    assert outcome(broken) == outcome(whole)
    assert [row["phase"] for row in outcome(broken)[1]] == [phase for phase in _PHASES for _ in range(4)]
    for workdir in (whole, broken):
        saved = tf.train.load_checkpoint(str(workdir / "checkpoints" / "all"))
        assert saved.get_tensor("state/prepared/.ATTRIBUTES/VARIABLE_VALUE") == 3
        told = json.loads((workdir / "config.json").read_text())["method"]
        assert told == {"name": "toy", "weight_decay": 0.0, "head_decay": 0.01, "pull": 0.25}


@pytest.mark.long
@pytest.mark.parametrize(
    ("argument", "told"),
    [
        (
            "--config.method.push=1",
            "toy has no coefficient push (config.method); choose one of: head_decay, pull, weight_decay",
        ),
        ("--config.method.pull=abc", "config.method.pull must be a number, not 'abc'"),
        ("--config.interval=3", "the interval (3) must divide the 8 steps of the phase head"),
    ],
)
def test_its_mistakes_get_one_line(tmp_path, argument, told):
    status, out, err = _start(tmp_path / "run", argument).end()
    assert status == 2 and not out and err == f"toy_method.py: {told}\n"  # the program that was started
    assert not list(tmp_path.iterdir())
