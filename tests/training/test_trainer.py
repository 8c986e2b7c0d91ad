"""The one training step."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from conftest import long
from small_network import tiny

import reno_tf
from reno_tf import methods, models
from reno_tf.errors import UserError
from reno_tf.methods import METHODS
from reno_tf.training import optimizers


def _transfer(name, *, lr=0.05, seed=0, dropout=0.0, **coefficients):
    student = tiny(num_classes=3, seed=2, dropout=dropout)
    model = reno_tf.Transfer(student, tiny(seed=1), METHODS[name](**coefficients), seed=seed)
    model.compile(optimizer=optimizers.SGD(lr, 0.9))
    return model


def _data(images, labels):
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(6).repeat()


_QUICK = ("linear", "delta", "renofeation")
_EACH = [*_QUICK, *long(*(name for name in METHODS if name not in _QUICK))]


@pytest.mark.parametrize("name", _EACH)
def test_fit_with_every_method(name, images, labels, tmp_path):
    student, teacher = tiny(num_classes=3, seed=2), tiny(seed=1)
    frozen = [w.numpy() for w in teacher.weights]
    model = reno_tf.Transfer(student, teacher, METHODS[name](), total_steps=4)
    start = {n: w.numpy() for n, w in models.named_weights(student).items()}
    model.compile(optimizer=optimizers.SGD(0.01, 0.9))
    history = model.fit(_data(images, labels), steps_per_epoch=2, epochs=2, verbose=0).history

    # The teacher is bit-identical, unlisted and unsaved.
    for before, weight in zip(frozen, teacher.weights, strict=True):
        np.testing.assert_array_equal(before, weight)
    assert not {id(w) for w in teacher.weights} & {id(w) for w in model.variables}
    assert len(model.student.variables) == len(student.variables)
    names = [name for name, _ in tf.train.list_variables(tf.train.Checkpoint(model=model).save(str(tmp_path / "c")))]
    saved = sum("student" in name and "moving_variance" in name for name in names)
    assert saved == sum("moving_variance" in weight.name for weight in student.weights) > 0
    assert not any("teacher" in name for name in names)

    # Each term is its own metric, and they add up to the loss.
    terms = set(history) - {"loss", "accuracy"}
    assert {"cross_entropy", "head_decay", "anchor_decay" if name == "l2sp" else "weight_decay"} <= terms
    np.testing.assert_allclose(history["loss"], np.sum([history[term] for term in terms], axis=0), rtol=1e-5)

    changed = {n for n, w in models.named_weights(student).items() if (w.numpy() != start[n]).any()}
    head = {"head/kernel", "head/bias"}
    assert changed == head if METHODS[name].trains == "head" else changed > head


@pytest.mark.parametrize("optimizer", [optimizers.SGD(0.01, 0.9), "adam"])
def test_a_step_is_traced_once(optimizer, images, labels, monkeypatch):
    model, traces, terms = _transfer("delta"), [], methods.Delta.terms
    monkeypatch.setattr(methods.Delta, "terms", lambda *a: traces.append(1) or terms(*a))
    model.compile(optimizer)
    model.fit(_data(images, labels), steps_per_epoch=2, epochs=2, verbose=0)
    assert len(traces) == 1


@pytest.mark.parametrize("name", _EACH)
def test_start(name, images):
    student, teacher = tiny(num_classes=3, seed=2), tiny(seed=1)
    own = student(images)["penultimate"].numpy()
    reno_tf.Transfer(student, teacher, METHODS[name]())
    expected = teacher(images)["penultimate"] if METHODS[name].start == "teacher" else own
    np.testing.assert_array_equal(student(images)["penultimate"], expected)


def test_one_step_of_delta_against_a_hand_written_step(images, labels):
    model = _transfer("delta", feature_weight=0.7, weight_decay=0.01, head_decay=0.02, lr=0.1)
    teacher, twin = tiny(seed=1), tiny(num_classes=3, seed=2)
    models.copy_backbone(teacher, twin)
    with tf.GradientTape() as tape:
        ours, theirs = twin(images, training=True), teacher(images, training=False)
        loss = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(labels, ours["logits"], from_logits=True))
        loss += 0.7 * sum(tf.reduce_mean((ours[s] - theirs[s]) ** 2) for s in models.stage_names(twin))
    gradients = tape.gradient(loss, twin.trainable_variables)
    for weight, gradient in zip(twin.trainable_variables, gradients, strict=True):
        decay = 0.01 + (0.02 if "head" in weight.name else 0)
        weight.assign_sub(0.1 * (gradient + decay * weight))  # the first step has no momentum yet
    model.fit(_data(images, labels), steps_per_epoch=1, verbose=0)
    for weight, expected in zip(model.student.weights, twin.weights, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6, err_msg=weight.name)


def test_linear_leaves_the_backbones_statistics_alone(images, labels):
    model = _transfer("linear")
    model.fit(_data(images, labels), steps_per_epoch=3, verbose=0)
    backbone, teacher = models.named_weights(model.student, head=False), models.named_weights(tiny(seed=1))
    for name, weight in backbone.items():
        np.testing.assert_array_equal(weight, teacher[name])


def test_dropout_follows_seed_and_step(images, labels):
    def weights_after(steps, seed):
        model = _transfer("renofeation", seed=seed, dropout=0.5)
        model.fit(_data(images, labels), steps_per_epoch=steps, verbose=0)
        assert int(model.step) == steps
        return model.student.get_weights()[0]

    first = weights_after(2, 0)
    np.testing.assert_array_equal(weights_after(2, 0), first)
    assert (weights_after(2, 1) != first).any()


def test_evaluate_and_predict_are_kerass(images, labels):
    model = _transfer("finetune")
    result = model.evaluate(images, labels, verbose=0, return_dict=True)
    predicted = model.predict(images, verbose=0)
    assert predicted.shape == (6, 3)
    assert result["accuracy"] == pytest.approx(np.mean(predicted.argmax(1) == labels))


def _first_step(images, labels, **options):
    """The first step's cross-entropy, and the head after it."""
    model = _transfer("finetune")
    history = model.fit(images, labels, batch_size=6, shuffle=False, verbose=0, **options).history
    return history["cross_entropy"][0], models.head_layer(model.student).kernel.numpy()


def test_weights_of_samples_and_classes(images, labels):
    model = _transfer("finetune")
    # BatchNorm takes the batch's statistics in training.
    logits = model.student(images, training=True)["logits"]
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits).numpy()
    weights = np.float32([0, 1, 2, 0.5, 1, 3])
    plain, plain_head = _first_step(images, labels)
    assert plain == pytest.approx(each.mean(), rel=1e-5)
    weighted, head = _first_step(images, labels, sample_weight=weights)
    assert weighted == pytest.approx((weights * each).mean(), rel=1e-5)
    by_class, other_head = _first_step(images, labels, class_weight={0: 0.0, 1: 1.0, 2: 2.0})
    assert by_class == pytest.approx((np.float32([0, 1, 2])[labels] * each).mean(), rel=1e-5)
    assert np.abs(head - other_head).max() > 0
    np.testing.assert_array_equal(_first_step(images, labels, sample_weight=np.ones(6))[1], plain_head)
    np.testing.assert_array_equal(_first_step(images, labels[:, None])[1], plain_head)
    result = model.evaluate(images, labels, sample_weight=weights, verbose=0, return_dict=True)
    assert result["accuracy"] == model.evaluate(images, labels, verbose=0, return_dict=True)["accuracy"]


@pytest.mark.long
def test_kerass_callbacks_and_saved_weights(images, labels, tmp_path):
    model = _transfer("delta_r")
    best = tf_keras.callbacks.ModelCheckpoint(
        str(tmp_path / "best"), monitor="val_accuracy", mode="max", save_best_only=True, save_weights_only=True
    )
    early = tf_keras.callbacks.EarlyStopping(monitor="val_cross_entropy", mode="min", min_delta=1e9, patience=1)
    done = model.fit(
        images, labels, batch_size=3, epochs=9, validation_data=(images, labels), callbacks=[best, early], verbose=0
    )
    assert len(done.history["loss"]) == 2 and (tmp_path / "best.index").is_file()
    before = model.predict(images, verbose=0)
    model.save_weights(str(tmp_path / "weights"))
    other = _transfer("delta_r", seed=1)
    other.fit(images, labels, batch_size=3, verbose=0)
    other.load_weights(str(tmp_path / "weights"))
    np.testing.assert_array_equal(other.predict(images, verbose=0), before)


@pytest.mark.long
@pytest.mark.parametrize("name", ["renofeation", "inoculation"])
def test_several_steps_in_one_call_are_the_same_steps(images, labels, name):
    def trained(**options):
        model = reno_tf.Transfer(tiny(num_classes=3, seed=2, dropout=0.5), tiny(seed=1), METHODS[name](), total_steps=4)
        model.compile(optimizer=optimizers.SGD(0.01, 0.9), **options)
        history = model.fit(_data(images, labels), steps_per_epoch=4, verbose=0).history
        return history["loss"], model.student.get_weights()

    (loss, weights), (other_loss, others) = trained(), trained(steps_per_execution=2)
    assert other_loss == pytest.approx(loss, rel=1e-5)
    for weight, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(other, weight, rtol=1e-5, atol=1e-6)


def test_misfits_are_named(images):
    with pytest.raises(UserError, match="no linear head"):
        reno_tf.Transfer(tiny(), tiny(), methods.Finetune())
    with pytest.raises(UserError, match="delta needs a teacher"):
        reno_tf.Transfer(tiny(num_classes=3), None, methods.Delta())
    with pytest.raises(UserError, match="needs a student of its backbone"):
        reno_tf.Transfer(tiny(num_classes=3), reno_tf.models.build("resnet18_cifar"), methods.Delta())
    with pytest.raises(UserError, match="renofeation compares features stage by stage: resnet18_cifar gives "):
        reno_tf.Transfer(tiny(num_classes=3), reno_tf.models.build("resnet18_cifar"), methods.Renofeation())
    reno_tf.Transfer(tiny(num_classes=3), None, methods.Retraining())


def test_features_are_matched_to_another_backbone_whose_stages_agree(images, labels):
    teacher, student = tiny(), models.build("resnet34_cifar", num_classes=3, width=2)
    told = "delta starts from the teacher's weights .*: resnet34_cifar is not resnet18_cifar"
    with pytest.raises(UserError, match=told):
        reno_tf.Transfer(student, teacher, methods.Delta())
    model = reno_tf.Transfer(student, teacher, methods.Renofeation())
    model.compile(optimizer=optimizers.SGD(0.01))
    terms = model.train_on_batch(images, labels, return_dict=True)
    assert terms["feature_distance"] > 0 and np.isfinite(terms["loss"])
