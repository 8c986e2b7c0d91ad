"""Models of others: every format opened, its convention detected by asking, and what is not a classifier refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from reno_tf import attacks, models
from reno_tf import audit as foreign
from reno_tf.audit import ranges
from reno_tf.errors import UserError

_EYE = np.eye(3, dtype=np.float32)


def _colours(count=60):
    """Images of one colour with noise; the label is the strongest channel."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 3
    images = 0.5 * _EYE[labels][:, None, None] + generator.uniform(0, 0.5, (count, 8, 8, 3))
    return images.astype(np.float32), labels


def _detect(opened, images, labels, **options):
    return foreign.detect(opened, {"": images}, labels, foreign.Stated(**options))


def _foreign(call, outputs):
    return foreign.Foreign(call=call, format="a function", height=8, width=8, num_outputs=outputs)


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


_BYTE_MEAN = (123.68, 116.779, 103.939)
# What turns each range back into [0, 1], so that a model that expects it reads the colours rightly.
_UNDONE = {
    "0..255": lambda x: x / 255,
    "-1..1": lambda x: x / 2 + 0.5,
    "mean/std": lambda x: x * (0.229, 0.224, 0.225) + (0.485, 0.456, 0.406),
    "caffe": lambda x: (x[..., ::-1] + _BYTE_MEAN) / 255,
    "slim": lambda x: (x + _BYTE_MEAN) / 255,
    "bgr:0..1": lambda x: x[..., ::-1],
    "bgr:0..255": lambda x: x[..., ::-1] / 255,
    "bgr:-1..1": lambda x: x[..., ::-1] / 2 + 0.5,
}


@pytest.mark.parametrize(("expected", "undo"), _UNDONE.items(), ids=_UNDONE)
def test_the_input_range_is_the_one_with_the_right_answers(expected, undo):
    images, labels = _colours()

    def call(x):
        x = undo(x)
        low, high = tf.reduce_min(x, [1, 2, 3]), tf.reduce_max(x, [1, 2, 3])
        legible = (low > -0.01) & (low < 0.15) & (high > 0.85) & (high < 1.01)  # as images in [0, 1] are
        scores = tf.reduce_mean(x, [1, 2])
        return tf.where(legible[:, None], scores, -scores)

    convention = _detect(_foreign(call, 3), images, labels)
    assert convention.input_range == expected and convention.order.tolist() == [0, 1, 2]
    assert convention.chosen.accuracy == 1.0 and convention.outputs == "logits" and not convention.tied
    stated = _detect(_foreign(call, 3), images, labels, input_range=expected)
    assert stated.input_range == expected and [way.input_range for way in stated.tried] == [expected]


def test_caffe_is_blue_first_minus_the_mean():
    pixel = tf.constant([[[[1.0, 0.5, 0.0]]]])
    np.testing.assert_allclose(
        np.ravel(foreign.RANGES["caffe"](pixel)), [-103.939, 127.5 - 116.779, 255 - 123.68], rtol=1e-5
    )


def test_labels_in_another_order_are_matched_and_probabilities_become_logits(tmp_path):
    images, labels = _colours()
    _model(tf_keras, kernel=40 * np.eye(3)[:, [2, 0, 1]]).save(tmp_path / "m.keras")
    opened = foreign.open_model(str(tmp_path / "m.keras"))
    convention = _detect(opened, images, labels, input_range="0..1")
    assert convention.order.tolist() == [1, 2, 0] and convention.renamed and convention.outputs == "probabilities"
    assert (convention.chosen.accuracy, convention.chosen.matched) == (0.0, 1.0) and not convention.unmatched
    logits = foreign.Student(opened, convention)(tf.constant(images))["logits"].numpy()
    assert (logits.argmax(1) == labels).all()
    np.testing.assert_allclose(np.exp(logits).sum(1), 1, rtol=1e-5)
    with pytest.raises(UserError, match="0 of 60 clean images right, no more than chance"):
        _detect(opened, images, labels, input_range="0..1", label_order="given")


def test_chance_is_no_detection(tmp_path):
    images, labels = _colours()
    _model(tf_keras, kernel=np.zeros((3, 3))).save(tmp_path / "m.keras")
    with pytest.raises(UserError, match="no more than chance, in every way that was tried"):
        _detect(foreign.open_model(str(tmp_path / "m.keras")), images, labels)


def test_a_matching_that_chance_alone_would_find_is_no_detection():
    """Of 100 classes guessed at random, a matching to the same images would be right on every fifth."""
    rng = np.random.default_rng(0)
    guessing = _foreign(lambda images: tf.constant(rng.random((len(images), 100))), 100)
    images, labels = np.zeros((500, 8, 8, 3), np.float32), rng.integers(0, 100, 500)
    with pytest.raises(UserError, match="no more than chance, in every way that was tried"):
        _detect(guessing, images, labels)


def test_a_given_order_is_taken(tmp_path):
    images, labels = _colours()
    _model(tf_keras, kernel=40 * np.eye(3)[:, [2, 0, 1]]).save(tmp_path / "m.keras")
    opened = foreign.open_model(str(tmp_path / "m.keras"))
    convention = _detect(opened, images, labels, input_range="0..1", label_order="1,2,0")
    assert convention.order.tolist() == [1, 2, 0] and convention.chosen.accuracy == 1.0 and not convention.renamed
    for order in ("1,2", "1,1,0", "1,2,3", "sorted"):
        with pytest.raises(UserError, match=f"unknown label order '{order}'.* each from 0 to 2 once"):
            _detect(opened, images, labels, label_order=order)


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
    assert _detect(opened, images, labels, input_range="0..1").chosen.accuracy == 1.0


def test_a_model_of_whole_numbers_has_no_gradient(tmp_path):
    images, labels = _colours()
    opened = foreign.open_model(_served(tmp_path / "m", "serving_default", [None, 8, 8, 3], tf.uint8))
    convention = _detect(opened, images, labels)
    assert convention.input_range == "0..255"
    np.testing.assert_allclose(
        opened.call(tf.constant(255 * images)), np.round(255 * images).mean((1, 2)) @ _EYE, rtol=1e-5
    )
    (attack,) = attacks.build("white_box", foreign.Student(opened, convention), attacks.Budget(steps=1)).values()
    with pytest.raises(attacks.ZeroGradient, match="gradient is zero everywhere"):  # A suite goes on without it.
        attack(images[:1])
    other = foreign.open_model(_served(tmp_path / "float", "serving_default", [None, 8, 8, 3]))
    convention = _detect(other, images, labels, input_range="0..1")
    (attack,) = attacks.build("white_box", foreign.Student(other, convention), attacks.Budget(steps=1)).values()
    assert (attack(images[:1]) != images[:1]).numpy().any()


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
        "map.h5": (tf_keras.Sequential([tf_keras.Input((8, 8, 3)), layers.Conv2D(3, 3)]), "no output of rank 2"),
    }
    for name, (model, reason) in refused.items():
        model.save(tmp_path / name)
        with pytest.raises(UserError, match=reason):
            foreign.open_model(str(tmp_path / name))
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "empty").mkdir()
    for name, reason in {
        "none.keras": "there is no model",
        "text.keras": "is not a .keras or .h5 file: it is cut short",
        "empty": "is not a SavedModel",
    }.items():
        with pytest.raises(UserError, match=reason):
            foreign.open_model(str(tmp_path / name))
    with pytest.raises(UserError, match="must be a SavedModel folder, a preset of KerasHub, a .keras"):
        (tmp_path / "m.pt").write_text("")
        foreign.open_model(str(tmp_path / "m.pt"))


_KINDS = {  # kind -> what turns logits [B, 3] into it
    "logits": lambda logits: logits,
    "probabilities": tf.nn.softmax,
    "log-probabilities": tf.nn.log_softmax,
    "sigmoids": tf.sigmoid,
}


def _logits_of_colours(images, gain=20.0):
    return gain * (tf.reduce_mean(tf.cast(images, tf.float32), [1, 2]) - 0.5)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16, tf.bfloat16], ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("kind", _KINDS)
def test_each_kind_of_output_becomes_logits_with_a_gradient(kind, dtype):
    images, labels = _colours()
    opened = _foreign(lambda x: tf.cast(_KINDS[kind](_logits_of_colours(x)), dtype), 3)
    convention = _detect(opened, images, labels, input_range="0..1")
    assert convention.outputs == kind and convention.chosen.accuracy == 1.0
    student, images = foreign.Student(opened, convention), tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = student(images)["logits"]
        right = tf.reduce_sum(tf.gather(tf.nn.log_softmax(logits), labels, batch_dims=1))
    assert logits.dtype == tf.float32 and np.isfinite(logits).all()
    assert (np.argmax(logits, 1) == labels).all() and np.isfinite(tape.gradient(right, images)).all()
    if kind in ("probabilities", "log-probabilities"):
        np.testing.assert_allclose(np.exp(logits).sum(1), 1, rtol=0.05)


@pytest.mark.parametrize("kind", ["one sigmoid", "one logit"])
def test_one_output_tells_two_classes_apart(kind):
    images, labels = _colours()
    images, labels = images[labels < 2], labels[labels < 2]
    of = tf.sigmoid if kind == "one sigmoid" else tf.identity
    opened = _foreign(lambda x: of(_logits_of_colours(x)[:, 1:2] - _logits_of_colours(x)[:, :1]), 1)
    assert opened.num_classes == 2
    convention = _detect(opened, images, labels, input_range="0..1")
    assert convention.outputs == kind and convention.order.tolist() == [0, 1] and convention.chosen.accuracy == 1.0
    other = _detect(opened, images, 1 - labels, input_range="0..1")  # The second folder is its first class.
    assert other.order.tolist() == [1, 0] and other.renamed
    answers = foreign.Student(opened, other)(tf.constant(images))["logits"].numpy().argmax(1)
    assert (answers == 1 - labels).all()


def test_two_independent_sigmoids_tell_two_classes_apart():
    images, labels = _colours()
    images, labels = images[labels < 2], labels[labels < 2]
    convention = _detect(_foreign(lambda x: tf.sigmoid(_logits_of_colours(x, 8.0)[:, :2] - 1.0), 2), images, labels)
    assert convention.outputs == "sigmoids" and convention.chosen.accuracy == 1.0


def test_a_kind_may_be_said():
    images, labels = _colours()
    opened = _foreign(lambda x: 0.6 * tf.sigmoid(_logits_of_colours(x)), 3)
    assert _detect(opened, images, labels, input_range="0..1").outputs == "sigmoids"
    assert _detect(opened, images, labels, input_range="0..1", outputs="logits").outputs == "logits"
    with pytest.raises(UserError, match="unknown config.audit.outputs 'odds'"):
        _detect(opened, images, labels, outputs="odds")


def test_values_that_are_not_finite_are_refused():
    images, labels = _colours()
    broken = _foreign(lambda x: _logits_of_colours(x) + [0.0, 0.0, np.nan], 3)
    with pytest.raises(UserError, match="values that are not finite"):
        _detect(broken, images, labels)


def _table(answers, classes):
    """A model that looks its answer up: an image's first pixel holds its number, over 10 000."""
    answers = tf.constant(answers)
    number = lambda x: tf.cast(tf.round(10_000 * x[:, 0, 0, 0]), tf.int32)  # noqa: E731
    return _foreign(lambda x: 20.0 * tf.one_hot(tf.gather(answers, number(x)), classes), classes)


def _numbered(count):
    images = np.zeros((count, 8, 8, 3), np.float32)
    images[:, 0, 0, 0] = np.arange(count) / 10_000
    return images


def test_a_perfect_model_of_200_classes_in_any_order_is_read_perfectly():
    labels = np.repeat(np.arange(200), 12)
    order = np.random.default_rng(1).permutation(200)
    convention = _detect(_table(order[labels], 200), _numbered(len(labels)), labels, input_range="0..1")
    assert convention.renamed and (convention.order == order).all() and convention.chosen.matched == 1.0
    assert convention.chosen.asked == 2000  # Ten of each class, of the twelve.


@pytest.mark.parametrize("classes", [4, 50])
def test_two_swapped_classes_are_noticed(classes):
    labels = np.repeat(np.arange(classes), 20)
    order = np.arange(classes)
    order[[1, 3]] = order[[3, 1]]
    convention = _detect(_table(order[labels], classes), _numbered(len(labels)), labels, input_range="0..1")
    assert convention.renamed and (convention.order == order).all()


def test_a_model_that_errs_keeps_its_order_and_unmatched_classes_are_named():
    generator, labels = np.random.default_rng(0), np.repeat(np.arange(5), 60)
    answers = np.where(generator.random(300) < 0.2, generator.integers(0, 5, 300), labels)
    answers[labels == 2] = 4  # It never learned one.
    convention = _detect(_table(answers, 5), _numbered(300), labels, input_range="0..1")
    assert not convention.renamed and convention.order.tolist() == list(range(5)) and convention.unmatched == (2,)
    low, high = convention.chosen.accuracy_ci95
    assert low < convention.chosen.accuracy < high


def test_a_rare_class_counts_as_much_as_a_frequent_one():
    """Fed wrongly, the model always gives the frequent class, and so is right about more images than fed rightly."""
    labels = np.repeat([0, 1], [270, 30])
    generator = np.random.default_rng(0)
    images = np.where(labels == 1, 0.8, 0.2)[:, None, None, None] + generator.uniform(-0.1, 0.1, (300, 8, 8, 3))

    def call(x):
        mean = tf.reduce_mean(x, [1, 2, 3])
        legible = tf.reduce_max(x) > 2.0  # 0 to 255
        doubt = tf.cast(tf.sin(1e4 * mean) > 0.8, tf.float32) * 200  # on every fifth image
        return tf.where(legible, tf.stack([0 * mean, mean - 127 + doubt], 1), tf.stack([0 * mean + 1, 0 * mean], 1))

    opened = _foreign(call, 2)
    convention = _detect(opened, images.astype(np.float32), labels)
    accuracies = {way.input_range: way.accuracy for way in convention.tried}
    assert convention.input_range == "0..255" and accuracies["0..1"] == 0.5


def test_a_perfect_model_on_a_dozen_photos_is_no_chance():
    images, labels = _colours(9)
    images, labels = images[labels < 2], labels[labels < 2]
    opened = _foreign(lambda x: _logits_of_colours(x)[:, :2], 2)
    assert _detect(opened, np.tile(images, (2, 1, 1, 1)), np.tile(labels, 2), input_range="0..1", label_order="given")


def _edges(count=60):
    """{geometry: views} of pictures whose colour is at their edges, which a crop does not see."""
    whole, labels = _colours(count)
    cut = np.full_like(whole, 0.5)
    return {"zoom": cut, "crop": cut, "squash": whole, "pad": cut}, labels


def test_the_geometry_is_the_one_with_the_right_answers():
    views, labels = _edges()
    opened = _foreign(_logits_of_colours, 3)
    convention = foreign.detect(opened, views, labels)
    assert (convention.geometry, convention.input_range) == ("squash", "0..1")
    asked = {(way.geometry, way.input_range) for way in convention.tried}
    assert {("squash", name) for name in foreign.RANGES} < asked and {("pad", "0..1"), ("zoom", "0..1")} < asked
    with pytest.raises(UserError, match="no more than chance"):
        foreign.detect(opened, views, labels, foreign.Stated(geometry="crop"))
    with pytest.raises(UserError, match="unknown config.audit.geometry 'fit'; choose one of: crop, pad, squash, zoom"):
        foreign.detect(opened, views, labels, foreign.Stated(geometry="fit"))
    with pytest.raises(UserError, match="config.audit.geometry goes with photos"):
        _detect(opened, views["squash"], labels, geometry="crop")


def test_ways_that_cannot_be_told_apart_have_to_be_said():
    whole, labels = _colours()
    confused = whole.copy()
    confused[:3] = whole[[1, 2, 0]]  # Three other images are wrong than
    other = whole.copy()
    other[3:6] = whole[[4, 5, 3]]  # these.
    opened, views = _foreign(_logits_of_colours, 3), {"crop": confused, "pad": other}
    with pytest.raises(UserError, match=r"it is unclear .* crop 0..1 \(95.0 % right .* or pad 0..1 .*geometry="):
        foreign.detect(opened, views, labels, foreign.Stated(input_range="0..1"))
    stated = foreign.Stated(input_range="0..1", geometry="pad")
    assert foreign.detect(opened, views, labels, stated).geometry == "pad"


def _two_ways(count, wrong, other_wrong, *, permuted=False, names=("crop", "pad")):
    """{geometry: views} of pictures, of which each way has some that are wrong, and a model that reads them."""
    whole, labels = _colours(count)
    views = {}
    for geometry, places in zip(names, (wrong, other_wrong), strict=True):
        views[geometry] = whole.copy()
        views[geometry][places] = whole[[(place // 3) * 3 + (place + 1) % 3 for place in places]]
    kernel = np.eye(3, dtype=np.float32)[:, [2, 0, 1] if permuted else [0, 1, 2]]
    return _foreign(lambda x: _logits_of_colours(x) @ kernel, 3), views, labels


@pytest.mark.parametrize(
    ("count", "wrong"), [(81, [40]), (21, [3]), (12, [5]), (21, [3, 9, 15]), (81, [1, 2, 3, 40, 50])]
)
@pytest.mark.parametrize("permuted", [False, True])
def test_of_few_images_a_few_answers_do_not_stop_it_and_the_better_way_is_taken(count, wrong, permuted):
    for first, second, better in ((wrong, [], "pad"), ([], wrong, "crop")):
        opened, views, labels = _two_ways(count, first, second, permuted=permuted)
        convention = foreign.detect(opened, views, labels, foreign.Stated(input_range="0..1"))
        assert convention.geometry == better and convention.accuracy[0] == 1.0 and convention.renamed == permuted


@pytest.mark.parametrize(("count", "each"), [(21, 3), (81, 4), (300, 9)])
def test_ways_as_good_as_each_other_that_answer_otherwise_are_not_chosen_between(count, each):
    opened, views, labels = _two_ways(count, [*range(each)], [*range(count - each, count)])
    with pytest.raises(UserError, match=f"it is unclear .* differ in {2 * each} of {count} answers"):
        foreign.detect(opened, views, labels, foreign.Stated(input_range="0..1"))


def test_of_many_images_a_few_answers_do_not_stop_it():
    opened, views, labels = _two_ways(900, [1, 2, 3], [10, 11, 12])
    assert foreign.detect(opened, views, labels, foreign.Stated(input_range="0..1")).geometry in views


def _detect_squash_or_crop(count, squash_wrong, crop_wrong):
    opened, views, labels = _two_ways(count, squash_wrong, crop_wrong, names=("squash", "crop"))
    return foreign.detect(opened, views, labels, foreign.Stated(input_range="0..1"))


@pytest.mark.parametrize(("count", "squash_wrong", "crop_wrong"), [(81, [1, 2], []), (60, [0, 1, 2], [3, 4, 5])])
def test_of_ways_that_fit_the_usual_geometry_is_taken_and_the_other_told(count, squash_wrong, crop_wrong):
    convention = _detect_squash_or_crop(count, squash_wrong, crop_wrong)
    assert convention.geometry == "squash"
    (tied,) = convention.tied
    assert (tied.geometry, tied.input_range) == ("crop", "0..1")
    assert tied.accuracy == pytest.approx(1 - len(crop_wrong) / count)
    assert tied.differing == pytest.approx(len(squash_wrong + crop_wrong) / count)


def test_questions_end_where_a_wrong_choice_would_change_little():
    asked = {way.geometry: way.asked for way in _detect_squash_or_crop(900, [1, 2, 3], [10, 11, 12]).tried}
    assert asked == {"squash": 200, "crop": 50}  # That the other would change a tenth is out of question then.
    with pytest.raises(UserError, match="of 900 answers"):  # Here it would change much, so all are asked.
        _detect_squash_or_crop(900, [*range(0, 900, 6)], [*range(3, 900, 6)])


@pytest.mark.parametrize(
    ("every", "taken", "tied"),
    [(60, "squash", {"pad", "crop", "zoom"}), (40, "crop", {"zoom"}), (12, "crop", {"zoom"})],
)
def test_what_was_settled_beside_a_way_that_turns_out_worse_is_asked_anew(every, taken, tied):
    """Squashed and padded photos give the same answers, of which some are wrong; the others are right."""
    whole, labels = _colours(900)
    wrong = whole.copy()
    wrong[::every] = whole[1::every][: len(wrong[::every])]  # Of another colour.
    views = {"squash": wrong, "pad": wrong, "crop": whole, "zoom": whole}
    found = foreign.detect(_foreign(_logits_of_colours, 3), views, labels, foreign.Stated(input_range="0..1"))
    assert found.geometry == taken and {way.geometry for way in found.tied} == tied


def test_a_photo_is_read_once_for_all_ranges_of_a_geometry():
    whole, labels = _colours(60)

    class Counting:
        def __init__(self):
            self.reads = 0

        def __len__(self):
            return len(whole)

        def __getitem__(self, places):
            images = whole[places]
            self.reads += len(images)
            return images

    views = {geometry: Counting() for geometry in ("squash", "crop")}
    found = foreign.detect(_foreign(_logits_of_colours, 3), views, labels)
    assert len(found.tried) > len(foreign.RANGES)
    assert views["crop"].reads <= 2 * 60 and views["squash"].reads <= 4 * 60  # Grey or not, and twice for a draw.


def test_the_usual_geometry_is_not_taken_where_another_is_surely_better():
    convention = _detect_squash_or_crop(81, [*range(9)], [])
    assert convention.geometry == "crop" and not convention.tied


def test_of_ways_that_fit_but_answer_otherwise_none_is_taken_not_even_the_usual_one():
    with pytest.raises(UserError, match="it is unclear .*squash 0..1 .* or crop 0..1 .*, which differ in 120 of 300"):
        _detect_squash_or_crop(300, [*range(60)], [*range(240, 300)])


@pytest.mark.parametrize("own", ["-1..1", "caffe"])
def test_of_ranges_that_fit_the_public_networks_own_is_taken(own):
    """Its answers are those of the strongest of two channels, green and the others' mean: in any range and order."""
    images, labels = _colours()
    images, labels = images[labels != 2], labels[labels != 2]
    scores = lambda x: tf.reduce_mean(x / tf.math.reduce_std(x), [1, 2])  # noqa: E731
    opened = _foreign(lambda x: 20 * tf.stack([0.5 * (scores(x)[:, 0] + scores(x)[:, 2]), scores(x)[:, 1]], 1), 2)
    found = foreign.detect(opened, {"": images}, labels, public=foreign.RANGES[own])
    assert found.input_range == own and "0..1" in [way.input_range for way in found.tied]
    assert foreign.detect(opened, {"": images}, labels).input_range == "0..1"


def test_a_model_that_is_right_however_it_is_fed_is_not_asked_in_all_ways():
    images, labels = _colours()
    views = dict.fromkeys(("zoom", "crop", "squash", "pad"), images)
    convention = foreign.detect(_foreign(_logits_of_colours, 3), views, labels, public=foreign.RANGES["mean/std"])
    assert (convention.geometry, convention.input_range) == ("squash", "mean/std")
    asked = {(way.geometry, way.input_range) for way in convention.tried}
    assert len(asked) == len(foreign.RANGES) + 3 * 3 and ("zoom", "mean/std") in asked


def test_grey_images_have_no_order_of_colours():
    images, labels = _colours()
    grey = np.repeat(np.where(labels == 0, 0.1, 0.7)[:, None, None, None] + 0.2 * images[..., :1], 3, axis=-1)
    bright = _foreign(lambda x: tf.stack([tf.fill([len(x)], 0.5), tf.reduce_mean(x, [1, 2, 3])], 1), 2)
    convention = _detect(bright, grey.astype(np.float32), np.minimum(labels, 1))
    assert not any(way.input_range.startswith("bgr") for way in convention.tried)


@pytest.mark.parametrize(
    ("backbone", "name"),
    [
        ("keras_mobilenetv2", "-1..1"),
        ("keras_resnet50", "caffe"),
        ("keras_densenet121", "mean/std"),
        ("keras_efficientnetb0", "0..255"),  # It has its preprocessing inside.
        ("efficientnet_lite0", "-1..1"),
        ("mobilenet_v2_cifar", None),
    ],
)
def test_the_range_of_a_public_networks_own_preprocessing(backbone, name):
    assert ranges.name_of(lambda images: models.preprocess(backbone, images)) == name


def test_the_figure_of_a_refusal_is_of_the_labels_that_decided():
    """In another order, of which nothing is right as given."""
    opened, views, labels = _two_ways(60, [0, 1, 2], [3, 4, 5], permuted=True)
    with pytest.raises(UserError, match=r"it is unclear .*95.0 % right .*matched anew.* or .*95.0 % right"):
        foreign.detect(opened, views, labels, foreign.Stated(input_range="0..1"))


def test_no_more_than_chance_is_said_of_what_decided():
    """It always names the frequent class, and so is right about nine of ten."""
    labels = np.repeat([0, 1], [270, 30])
    constant = _foreign(lambda x: tf.tile([[1.0, 0.0]], [len(x), 1]), 2)
    with pytest.raises(UserError, match=r"no more than chance.* 50.0 % \[.*for each class, by chance 50.0 %"):
        _detect(constant, np.zeros((300, 8, 8, 3), np.float32), labels)


@pytest.mark.parametrize(("wrong", "of", "named"), [(1, 1, ()), (2, 4, ()), (4, 4, ()), (8, 8, (2,)), (9, 16, ())])
def test_a_class_of_few_images_is_not_named_for_one_wrong_answer(wrong, of, named):
    labels = np.concatenate([np.arange(60) % 2, np.full(of, 2)])
    answers = labels.copy()
    answers[60 : 60 + wrong] = 0
    convention = _detect(_table(answers, 3), _numbered(len(labels)), labels, input_range="0..1", label_order="given")
    assert convention.unmatched == named


def test_few_images_with_two_labels_do_not_make_a_model_of_several():
    images, labels = _colours(12)
    images[:5] = np.maximum(images[:5], 0.9)  # Of every colour.
    opened = _foreign(lambda x: tf.sigmoid(_logits_of_colours(x, 40.0)), 3)
    assert _detect(opened, images, labels, input_range="0..1").outputs == "sigmoids"
    with pytest.raises(UserError, match="several classes of one image, in 25 of 60 images"):
        _detect(opened, np.tile(images, (5, 1, 1, 1)), np.tile(labels, 5), input_range="0..1")


def test_answers_that_change_are_averaged():
    generator = tf.random.Generator.from_seed(0)
    images, labels = _colours()
    opened = _foreign(lambda x: _logits_of_colours(x) + generator.normal([len(x), 3]), 3)
    convention = _detect(opened, images, labels, input_range="0..1")
    assert convention.draws == 8
    student = foreign.Student(opened, convention)
    spread = np.std([student(tf.constant(images))["logits"] for _ in range(20)], axis=0).mean()
    assert 0.7 < spread * np.sqrt(8) < 1.3


def _served_outputs(path, **outputs):
    """A SavedModel with these outputs: name -> a function of the mean colour."""

    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, name="images")])
        def serve(self, x):
            return {name: of(tf.reduce_mean(x, [1, 2])) for name, of in outputs.items()}

    reader = Reader()
    tf.saved_model.save(reader, str(path), signatures={"serving_default": reader.serve})
    return str(path)


def test_of_several_outputs_the_scores_may_be_named(tmp_path):
    outputs = {"scores": lambda mean: mean, "names": lambda mean: tf.gather(["red", "green", "blue"], tf.argsort(mean))}
    assert foreign.open_model(_served_outputs(tmp_path / "one", **outputs)).num_classes == 3  # Strings are not scores.
    several = _served_outputs(tmp_path / "two", **outputs, features=lambda mean: 2 * mean)
    with pytest.raises(
        UserError, match="gives (features, scores|scores, features), each of rank 2: .*--config.audit.scores=NAME"
    ):
        foreign.open_model(several)
    opened = foreign.open_model(several, scores="features")
    np.testing.assert_allclose(opened.call(tf.ones([1, 8, 8, 3])), [[2, 2, 2]])
    with pytest.raises(UserError, match="unknown config.audit.scores 'logits'; choose one of: features, names, scores"):
        foreign.open_model(several, scores="logits")


def test_a_model_of_several_labels_is_refused():
    images, labels = _colours()
    several = _foreign(lambda x: tf.sigmoid(20 * tf.reduce_mean(x, [1, 2])), 3)  # Every colour that is there.
    with pytest.raises(UserError, match="says yes to several classes of one image"):
        _detect(several, images, labels, input_range="0..1")
