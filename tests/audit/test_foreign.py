"""Models of others: every format opened, its convention found by asking, and what is no classifier refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from reno_tf import attacks
from reno_tf import audit as foreign
from reno_tf.audit.convention import _MEAN, _STD
from reno_tf.errors import UserError

_EYE = np.eye(3, dtype=np.float32)


def _colours(count=60):
    """Images of one colour with noise; the label is the strongest channel."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 3
    images = 0.5 * _EYE[labels][:, None, None] + generator.uniform(0, 0.5, (count, 8, 8, 3))
    return images.astype(np.float32), labels


def _model(library, *, fed=None, kernel=_EYE, activation="softmax", size=8):
    """Reads the mean colour; `fed` undoes what it expects to be fed."""
    layers = library.layers
    fed = [layers.Rescaling(*fed)] if fed else []
    model = library.Sequential(
        [library.Input((size, size, 3)), *fed, layers.GlobalAveragePooling2D(), layers.Dense(3, activation=activation)]
    )
    model.layers[-1].set_weights([np.float32(kernel), np.zeros(3, np.float32)])
    return model


_SAVE = {
    "keras": lambda model, path: model.save(f"{path}.keras"),
    "h5": lambda model, path: model.save(f"{path}.h5"),
    "savedmodel": lambda model, path: model.export(path),
}


@pytest.mark.parametrize("form", _SAVE)
@pytest.mark.parametrize("library", [tf_keras, keras], ids=["keras2", "keras3"])
def test_every_format_gives_the_models_own_scores(tmp_path, library, form):
    model, (images, _) = _model(library), _colours(6)
    _SAVE[form](model, str(tmp_path / "model"))
    opened = foreign.open_model(str(tmp_path / ("model" if form == "savedmodel" else f"model.{form}")))
    assert (opened.height, opened.width, opened.num_classes) == (8, 8, 3)
    np.testing.assert_allclose(opened.call(tf.constant(images)), np.asarray(model(images)), rtol=1e-5)


# What turns each range back into [0, 1], so that a model that expects it reads the colours rightly.
@pytest.mark.parametrize(
    ("expected", "fed"),
    [
        ("0..255", (1 / 255, 0.0)),
        ("-1..1", (0.5, 0.5)),
        ("mean/std", (_STD, _MEAN)),
    ],
)
def test_the_input_range_is_the_one_with_the_right_answers(tmp_path, expected, fed):
    images, labels = _colours()

    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, name="images")])
        def serve(self, x):
            x = x * fed[0] + fed[1]
            low, high = tf.reduce_min(x, [1, 2, 3]), tf.reduce_max(x, [1, 2, 3])
            legible = (low > -0.01) & (low < 0.15) & (high > 0.85) & (high < 1.01)  # as images in [0, 1] are
            scores = tf.reduce_mean(x, [1, 2])
            return {"logits": tf.where(legible[:, None], scores, -scores)}

    reader = Reader()
    tf.saved_model.save(reader, str(tmp_path / "m"), signatures={"serving_default": reader.serve})
    found = foreign.detect(foreign.open_model(str(tmp_path / "m")), images, labels)
    assert found.input_range == expected and found.order.tolist() == [0, 1, 2]
    assert found.accuracies[expected][0] == 1.0 and not found.probabilities
    given = foreign.detect(foreign.open_model(str(tmp_path / "m")), images, labels, input_range=expected)
    assert given.input_range == expected and list(given.accuracies) == [expected]


def test_caffe_is_blue_first_minus_the_mean():
    pixel = tf.constant([[[[1.0, 0.5, 0.0]]]])
    np.testing.assert_allclose(
        np.ravel(foreign.RANGES["caffe"](pixel)), [-103.939, 127.5 - 116.779, 255 - 123.68], rtol=1e-5
    )


def test_labels_in_another_order_are_matched_and_probabilities_become_logits(tmp_path):
    images, labels = _colours()
    _model(tf_keras, kernel=40 * np.eye(3)[:, [2, 0, 1]]).save(tmp_path / "m.keras")
    opened = foreign.open_model(str(tmp_path / "m.keras"))
    found = foreign.detect(opened, images, labels, input_range="0..1")
    assert found.order.tolist() == [1, 2, 0] and found.probabilities
    assert found.accuracies["0..1"] == (0.0, 1.0)
    logits = foreign.Student(opened, found)(tf.constant(images))["logits"].numpy()
    assert (logits.argmax(1) == labels).all()
    np.testing.assert_allclose(np.exp(logits).sum(1), 1, rtol=1e-5)
    with pytest.raises(UserError, match="0 of 60 clean images right, no more than chance"):
        foreign.detect(opened, images, labels, input_range="0..1", order="given")


def test_chance_is_no_detection(tmp_path):
    images, labels = _colours()
    _model(tf_keras, kernel=np.zeros((3, 3))).save(tmp_path / "m.keras")
    with pytest.raises(UserError, match="no more than chance, under every input range tried"):
        foreign.detect(foreign.open_model(str(tmp_path / "m.keras")), images, labels)


def test_a_matching_that_chance_alone_would_find_is_no_detection():
    """Of 100 classes guessed at random, a matching to the same images would be right on every fifth."""
    rng = np.random.default_rng(0)
    guessing = foreign.Foreign(lambda images: tf.constant(rng.random((len(images), 100))), 8, 8, 100)
    images, labels = np.zeros((500, 8, 8, 3), np.float32), rng.integers(0, 100, 500)
    with pytest.raises(UserError, match="no more than chance, under every input range tried"):
        foreign.detect(guessing, images, labels)


def test_a_given_order_is_taken(tmp_path):
    images, labels = _colours()
    _model(tf_keras, kernel=40 * np.eye(3)[:, [2, 0, 1]]).save(tmp_path / "m.keras")
    opened = foreign.open_model(str(tmp_path / "m.keras"))
    found = foreign.detect(opened, images, labels, input_range="0..1", order="1,2,0")
    assert found.order.tolist() == [1, 2, 0] and found.accuracies["0..1"][0] == 1.0
    for order in ("1,2", "1,1,0", "1,2,3", "sorted"):
        with pytest.raises(UserError, match=f"unknown label order '{order}'.* each from 0 to 2 once"):
            foreign.detect(opened, images, labels, order=order)


def _served(path, name, shape, dtype=tf.float32, kernel=_EYE):
    """A SavedModel with one signature, that reads the mean colour."""

    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec(shape, dtype, name="images")])
        def serve(self, images):
            return {"logits": tf.reduce_mean(tf.cast(images, tf.float32), [1, 2]) @ kernel}

    reader = Reader()
    tf.saved_model.save(reader, str(path), signatures={name: reader.serve})
    return str(path)


def test_the_only_signature_is_taken(tmp_path):
    images, labels = _colours()
    opened = foreign.open_model(_served(tmp_path / "m", "classify", [None, 8, 8, 3]))
    assert foreign.detect(opened, images, labels, input_range="0..1").accuracies["0..1"][0] == 1.0


def test_a_model_of_whole_numbers_has_no_gradient(tmp_path):
    images, labels = _colours()
    opened = foreign.open_model(_served(tmp_path / "m", "serving_default", [None, 8, 8, 3], tf.uint8))
    found = foreign.detect(opened, images, labels)
    assert found.input_range == "0..255"
    np.testing.assert_allclose(
        opened.call(tf.constant(255 * images)), np.round(255 * images).mean((1, 2)) @ _EYE, rtol=1e-5
    )
    (attack,) = attacks.build("white_box", foreign.Student(opened, found), attacks.Budget(steps=1)).values()
    with pytest.raises(attacks.ZeroGradient, match="gradient is zero everywhere"):  # A suite goes on without it.
        attack(images[:1])
    other = foreign.open_model(_served(tmp_path / "float", "serving_default", [None, 8, 8, 3]))
    found = foreign.detect(other, images, labels, input_range="0..1")
    (attack,) = attacks.build("white_box", foreign.Student(other, found), attacks.Budget(steps=1)).values()
    assert (attack(images[:1]) != images[:1]).numpy().any()


def test_a_batch_of_one_size_alone_is_refused(tmp_path):
    with pytest.raises(UserError, match="takes batches of 1 alone; export it for batches of any size"):
        foreign.open_model(_served(tmp_path / "m", "serving_default", [1, 8, 8, 3]))


@pytest.mark.parametrize("library", [tf_keras, keras], ids=["keras2", "keras3"])
@pytest.mark.parametrize(("saved", "opened"), [("m.h5", "m.h5"), ("m.h5", "renamed.keras"), ("m.keras", "m.keras")])
def test_code_in_a_file_is_not_run(tmp_path, library, saved, opened):
    trace = str(tmp_path / "was-run")
    code = library.layers.Lambda(lambda x: (open(trace, "w").close(), x)[1], output_shape=(8, 8, 3))  # noqa: SIM115
    inside = library.Sequential([library.Input((8, 8, 3)), code])
    model = library.Sequential([library.Input((8, 8, 3)), inside, library.layers.Flatten(), library.layers.Dense(3)])
    model.save(tmp_path / saved)
    (tmp_path / saved).rename(tmp_path / opened)
    (tmp_path / "was-run").unlink(missing_ok=True)
    with pytest.raises(UserError, match="Lambda"):
        foreign.open_model(str(tmp_path / opened))
    assert not (tmp_path / "was-run").exists()


def test_what_is_no_classifier_is_refused(tmp_path):
    layers = tf_keras.layers
    two = [tf_keras.Input((8, 8, 3)), tf_keras.Input((8, 8, 3))]
    pooled = layers.GlobalAveragePooling2D()
    refused = {
        "two.keras": (tf_keras.Model(two, layers.Dense(3)(pooled(layers.add(two)))), "takes 2 inputs"),
        "grey.keras": (tf_keras.Sequential([tf_keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)]), "colour"),
        "one.h5": (tf_keras.Sequential([tf_keras.Input((8, 8, 3)), pooled, layers.Dense(1)]), "two classes or more"),
        "map.h5": (tf_keras.Sequential([tf_keras.Input((8, 8, 3)), layers.Conv2D(3, 3)]), "0 outputs of rank 2"),
    }
    for name, (model, reason) in refused.items():
        model.save(tmp_path / name)
        with pytest.raises(UserError, match=reason):
            foreign.open_model(str(tmp_path / name))
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "empty").mkdir()
    for name, reason in {
        "none.keras": "there is no model",
        "text.keras": "is no .keras or .h5 file: it is cut short",
        "empty": "is no SavedModel",
    }.items():
        with pytest.raises(UserError, match=reason):
            foreign.open_model(str(tmp_path / name))
    with pytest.raises(UserError, match="must be a SavedModel folder"):
        (tmp_path / "m.pt").write_text("")
        foreign.open_model(str(tmp_path / "m.pt"))
