"""Networks that are trained before the student, through which its images are attacked too."""

import dataclasses

import numpy as np
import pytest
from replicas import toy, toy_data

from reno_tf import models, ownership, training
from reno_tf.methods import Vaccination
from reno_tf.training import Job, Transfer, history

_DATA, _TEACHER = toy_data(), toy(seed=1)


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setattr(Job, "untrained", lambda job, num_classes: toy(num_classes=num_classes, seed=job.seed))


def _train(workdir, *, seed=0, siblings=0):
    """The Transfer after four steps."""
    method = Vaccination(siblings=siblings, epsilon=0.2)
    schedule = dataclasses.replace(method.schedule, steps=4)
    job = Job(backbone="toy", method=method, schedule=schedule, batch_size=8, interval=2, seed=seed)
    model = job.transfer(_DATA, _TEACHER)
    assert job.train(model, _DATA, workdir) is model.student
    return model


def _weights(model):
    return np.concatenate([weight.numpy().ravel() for weight in models.named_weights(model.student).values()])


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        toys.__wrapped__(patch)
        folder = tmp_path_factory.mktemp("whole")
        return folder, _weights(_train(folder, siblings=2))


def test_they_are_students_of_other_seeds(tmp_path, uninterrupted, monkeypatch):
    folder, with_siblings = uninterrupted
    siblings, attack_through = [], Transfer.attack_through

    def record(model, networks):
        siblings.extend(networks)
        attack_through(model, networks)

    monkeypatch.setattr(Transfer, "attack_through", record)
    assert (_weights(_train(folder, siblings=2)) == with_siblings).all()  # It is finished.
    images = _DATA.test.floats()
    for number, sibling in enumerate(siblings, 1):
        alone = _train(tmp_path / f"{number}", seed=1000 * number)
        np.testing.assert_array_equal(sibling(images)["logits"], alone.student(images)["logits"])
        rows = [training.read_history(place) for place in (folder / f"sibling{number}", tmp_path / f"{number}")]
        losses = [[row["loss"] for row in its_rows] for its_rows in rows]
        assert losses[0] == losses[1] and len(losses[0]) == 2
    assert len(siblings) == 2 and (_weights(_train(tmp_path / "none")) != with_siblings).any()


@pytest.mark.long
@pytest.mark.parametrize("place", ["sibling2", "."])
def test_killed_in_a_siblings_training_or_the_students_it_goes_on_to_the_same_bits(
    tmp_path, uninterrupted, monkeypatch, place
):
    record, folder = history.Record.on_epoch_end, tmp_path / "broken"

    def record_and_die(callback, epoch, logs):
        record(callback, epoch, logs)
        if callback._workdir == folder / place:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(history.Record, "on_epoch_end", record_and_die)
        with pytest.raises(KeyboardInterrupt):
            _train(folder, siblings=2)
    assert len(training.read_history(folder / place)) == 1
    assert (_weights(_train(folder, siblings=2)) == uninterrupted[1]).all()


def test_what_they_leave_is_the_runs_and_their_time_counts(uninterrupted):
    folder, _ = uninterrupted
    assert not list(ownership.foreign(folder, ownership.RUN)) and not list(
        ownership.foreign(folder, ownership.TRAINING)
    )
    rows = [training.read_history(place) for place in (folder, folder / "sibling1", folder / "sibling2")]
    each = [sum(row["seconds"] for row in its_rows) for its_rows in rows]
    assert min(each) > 0 and training.seconds(folder) == pytest.approx(sum(each))
