"""The attacker's own student, on a linear network."""

import dataclasses
import functools

import numpy as np
import pytest
from small_network import tiny
from toys import CLASSES, linear_dataset, linear_teacher

from reno_tf import attacks, models
from reno_tf.data import Dataset, Split
from reno_tf.evaluation import Network, own_images, predict, surrogate
from reno_tf.methods import METHODS
from reno_tf.training import Job, Transfer


@pytest.fixture(scope="module")
def student():
    return linear_teacher(seed=4)


@pytest.fixture(scope="module")
def dataset(student):
    return linear_dataset(student)


def _job(method="finetune", **changes) -> Job:
    method = METHODS[method]()
    schedule = dataclasses.replace(method.schedule, steps=2, swa=False)
    options = {"backbone": "small", "method": method, "schedule": schedule, "batch_size": 4, "interval": 1}
    return Job(**options | changes)


@pytest.fixture
def toy_students(monkeypatch):
    """Untrained students are linear networks."""

    def untrained(job, num_classes):
        assert num_classes == CLASSES
        return linear_teacher(seed=job.seed)

    monkeypatch.setattr(Job, "untrained", untrained)


def _train(job, dataset, teacher, folder, *, number=0, samples=0, **options):
    """By someone who has the validation images."""
    empty = dataset.validation.take([])
    attackers = Dataset("toy", dataset.class_names, dataset.validation, empty, empty, **options)
    return surrogate.train_once(
        job, attackers, teacher, identity=repr(job), folder=folder, number=number, samples=samples
    )


def test_the_surrogate_is_trained_once_and_on_the_attackers_images_alone(
    tmp_path,
    dataset,
    student,
    monkeypatch,
    toy_students,
):
    job, teacher = _job(), Network.of(linear_teacher())
    (trained,) = _train(job, dataset, teacher, tmp_path)  # Fine-tuning averages nothing.
    digest = trained.digest
    assert digest == Network.of(trained.model).digest != Network.of(student).digest

    def fail(*_):
        raise RuntimeError("trained again")

    monkeypatch.setattr(Transfer, "train_step", fail)
    others = Dataset("toy", dataset.class_names, dataset.test, dataset.validation, dataset.train)
    assert _train(job, others, teacher, tmp_path)[0].digest == digest
    for options in ({"number": 1}, {"augment": lambda images, seed: images}):
        with pytest.raises(RuntimeError, match="trained again"):
            _train(job, dataset, teacher, tmp_path, **options)
    for changed in (Dataset("toy", dataset.class_names, dataset.train, dataset.test, dataset.train), dataset):
        other = _job(batch_size=2) if changed is dataset else job
        with pytest.raises(RuntimeError, match="trained again"):
            _train(other, changed, teacher, tmp_path)
    assert len(surrogate.stored_students(tmp_path)) == 5  # All but the first were begun.


def test_the_surrogate_of_a_folder_that_cannot_be_written_is_not_kept(dataset, monkeypatch, toy_students):
    warnings = []
    monkeypatch.setattr(surrogate.logging, "warning", lambda text, *values: warnings.append(text % values))
    network = _train(_job(), dataset, Network.of(linear_teacher()), "/proc")[0]
    assert network.digest == Network.of(network.model).digest
    assert len(warnings) == 1 and warnings[0].startswith("/proc: ") and "is not kept" in warnings[0]


def test_a_surrogate_that_learned_nothing_is_noticed(dataset, student):
    images = np.random.default_rng(1).integers(0, 256, [2000, 4, 4, 3]).astype(np.uint8)
    answers = predict(student, images.astype(np.float32) / 255)
    few = np.concatenate([np.flatnonzero(answers == label)[:5] for label in range(3)])
    assert surrogate.why_useless(student, Split(images[few], answers[few])) is None
    guessing = linear_teacher(seed=9)
    guessing.layers[-1].set_weights([np.zeros_like(value) for value in guessing.layers[-1].get_weights()])
    labels = np.arange(12) % 3
    why = surrogate.why_useless(guessing, Split(dataset.test.images, labels))
    assert why == "the attacker's own student gets 4 of 12 images right, no more than chance"
    few = Split(dataset.test.images[:2], labels[:2])
    assert surrogate.why_useless(guessing, few) is None  # Two images say nothing about it.


def _tiny_students(monkeypatch):
    def untrained(job, num_classes):
        return tiny(num_classes=num_classes, seed=job.seed, **job.options)

    monkeypatch.setattr(Job, "untrained", untrained)


def test_the_surrogate_of_a_mixed_run_is_attacked_in_float32(tmp_path, dataset, images, monkeypatch):
    _tiny_students(monkeypatch)
    job = _job(options={"precision": "mixed_bfloat16"})
    model = _train(job, dataset, Network.of(tiny()), tmp_path)[0].model
    assert not models.is_mixed(model)
    # Freezes it, and checks that it can.
    (attack,) = attacks.build("surrogate", model, attacks.Budget(steps=1)).values()
    assert (attack(images) != images).numpy().any()


def test_the_attackers_own_images_are_drawn_by_the_seed(dataset):
    drawn, others = (own_images(dataset.validation, 5, seed=seed) for seed in (0, 1))
    validation = {image.tobytes() for image in dataset.validation.floats()}
    assert len(drawn) == 5 and {image.tobytes() for image in drawn} <= validation
    assert not np.array_equal(drawn, others) and len(own_images(dataset.validation)) == 9


@pytest.mark.long
def test_an_averaged_surrogate_brings_an_ensemble_around_it(tmp_path, dataset, monkeypatch):
    _tiny_students(monkeypatch)
    schedule = dataclasses.replace(METHODS["renofeation"].schedule, steps=2, swa=True, swa_steps=4, swa_period=1)
    train = functools.partial(
        _train,
        _job("renofeation", schedule=schedule, interval=2),
        dataset,
        Network.of(tiny(seed=5)),
        tmp_path,
        samples=2,
    )
    first, again = train(), train()  # The second is read from the checkpoints.
    average, ensemble = first[0].model, surrogate.together(first).model
    assert len(ensemble.members) == 3 and ensemble.members[0] is average
    assert surrogate.together(again).digest == surrogate.together(first).digest
    weights = [np.concatenate([w.numpy().ravel() for w in m.trainable_variables]) for m in ensemble.members]
    off = np.array(weights[1:]) - weights[0]
    assert (np.abs(off).max(1) > 0).all() and np.abs(off).max() < 0.5
    statistics = [model.get_layer("stem_bn").moving_mean.numpy() for model in ensemble.members]
    assert all(np.abs(one - statistics[0]).max() > 0 for one in statistics[1:])
    (attack,) = attacks.build("ensemble", ensemble, attacks.Budget(steps=6), precision="float32").values()
    images = np.random.default_rng(0).uniform(size=(4, 8, 8, 3)).astype(np.float32)
    assert attack.trace(images)[-1] < attack.trace(images)[0]
