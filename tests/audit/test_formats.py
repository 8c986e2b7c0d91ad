"""Every format alike: each option obeyed or refused, batches of one size, and all files that a model consists of."""

import shutil

import formats
import numpy as np
import onnx
import pytest
import tensorflow as tf
import tf_keras
from formats import FORMS, SIDE, colours

from reno_tf import attacks, audit
from reno_tf.errors import UserError
from reno_tf.evaluation import gradients

_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize("form", FORMS)
def test_the_output_with_the_scores_may_be_named(tmp_path, form):
    path, (images, labels) = formats.save(tmp_path, form, several=True), colours(6)
    with pytest.raises(UserError, match="each of rank 2: say which has the scores, --config.audit.scores=NAME"):
        audit.open_model(path)
    assert audit.open_model(path, scores="features").num_outputs == 2
    opened = audit.open_model(path, scores="scores")
    assert (opened.answer(images)[0].argmax(1) == labels).all()
    with pytest.raises(UserError, match="unknown config.audit.scores 'y'; choose one of: features, scores"):
        audit.open_model(path, scores="y")


@pytest.mark.parametrize("form", FORMS)
def test_an_output_that_is_not_there_is_refused_also_where_there_is_one(tmp_path, form):
    with pytest.raises(UserError, match="unknown config.audit.scores 'y'; choose one of: "):
        audit.open_model(formats.save(tmp_path, form), scores="y")


def test_an_output_that_holds_no_scores_is_refused(tmp_path):
    module = tf.Module()
    outputs = lambda x: {"scores": tf.reduce_mean(x, [1, 2]), "image": x, "best": tf.argmax(x[:, 0], 2)}  # noqa: E731
    module.read = tf.function(outputs, [tf.TensorSpec([None, SIDE, SIDE, 3])])
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"serving_default": module.read})
    (tmp_path / "m" / "about.html").write_text("<html>")
    assert audit.open_model(str(tmp_path / "m")).num_outputs == 3
    for name in ("image", "best"):
        with pytest.raises(
            UserError, match=f"gives no scores in '{name}', real numbers of rank 2: .images, classes.; it has "
        ):
            audit.open_model(str(tmp_path / "m"), scores=name)


@pytest.mark.parametrize("form", FORMS)
def test_trust_is_for_a_saved_model(tmp_path, form):
    path = formats.save(tmp_path, form)
    if form == "savedmodel":
        assert audit.open_model(path, trust=True).num_outputs == 3
    else:
        with pytest.raises(UserError, match="--trust goes with a SavedModel"):
            audit.open_model(path, trust=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"input_range": "-1..1"}, {"input_range": "-1..1"}),
        ({"input_range": "0..1", "outputs": "probabilities"}, {"outputs": "probabilities"}),
        ({"input_range": "0..1", "label_order": "0,2,1"}, {"order": [0, 2, 1]}),
        ({"input_range": "0..1", "geometry": "pad"}, {"geometry": "pad"}),
    ],
    ids=lambda value: next(iter(value)),
)
def test_what_is_said_of_a_model_is_taken(tmp_path, form, options, expected):
    images, labels = colours()
    labels = np.array([0, 2, 1])[labels] if "label_order" in options else labels
    views = {"pad": images, "crop": images} if "geometry" in options else {"": images}
    convention = audit.detect(audit.open_model(formats.save(tmp_path, form)), views, labels, audit.Stated(**options))
    for name, value in expected.items():
        assert np.array_equal(getattr(convention, name), value)


@pytest.mark.parametrize(("kind", "outputs"), [("one sigmoid", 3), ("one logit", 2), ("logits", 1)])
def test_a_kind_that_so_many_outputs_cannot_be_is_refused(kind, outputs):
    with pytest.raises(UserError, match=f"config.audit.outputs='{kind}' does not fit: the model gives {outputs}"):
        audit.refuse_misfit(kind, outputs)
    audit.refuse_misfit("auto", outputs)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("form", FORMS)
def test_a_model_of_one_batch_size_answers_any_number_of_images(tmp_path, form, batch):
    opened, (images, labels) = audit.open_model(formats.save(tmp_path, form, batch=batch)), colours()
    for count in (1, 4, 10):
        answers, _ = opened.answer(images[:count])
        np.testing.assert_allclose(answers, images[:count].mean((1, 2)) @ formats.GAIN, rtol=1e-4)
    convention = audit.detect(opened, {"": images}, labels)
    assert convention.chosen.accuracy == 1.0


@pytest.mark.parametrize("form", ["savedmodel", "keras2", "keras3", "h5"])
def test_the_white_box_goes_through_a_model_of_one_batch_size(tmp_path, form):
    images, adversarial = colours(5)[0], []
    for batch in (None, 2):
        (tmp_path / str(batch)).mkdir()
        opened = audit.open_model(formats.save(tmp_path / str(batch), form, batch=batch))
        student = audit.Student(
            opened, audit.detect(opened, {"": colours()[0]}, colours()[1], audit.Stated(input_range="0..1"))
        )
        assert gradients.why_none(student, images[:1]) is None
        (attack,) = attacks.build("white_box", student, attacks.Budget(steps=2), jit_compile=False).values()
        adversarial.append(np.asarray(attack(images)))
    assert (np.abs(adversarial[1] - images).max((1, 2, 3)) > 0.005).all()
    np.testing.assert_allclose(*adversarial, atol=1e-6)


def test_a_file_of_weights_is_part_of_what_an_onnx_is(tmp_path):
    images, labels = colours(6)
    within = audit.digest_model(formats.to_onnx(tmp_path / "m.onnx"))
    path = formats.to_onnx(tmp_path / "m.onnx", location="deep/m.data")
    assert (audit.open_model(path).answer(images)[0].argmax(1) == labels).all()
    before, graph = audit.digest_model(path), (tmp_path / "m.onnx").read_bytes()
    formats.to_onnx(tmp_path / "m.onnx", location="deep/m.data", kernel=formats.GAIN[:, ::-1].copy())
    assert (tmp_path / "m.onnx").read_bytes() == graph
    assert len({within, before, audit.digest_model(path)}) == 3
    shutil.copytree(tmp_path, tmp_path / "copy")
    assert audit.digest_model(str(tmp_path / "copy" / "m.onnx")) == audit.digest_model(path)


def _constant_in_a_branch(tensor):
    """A model whose only tensor in another file is an attribute of a node inside of a branch."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    inner = helper.make_node("Constant", [], ["kernel"], value=tensor)
    branch = helper.make_graph([inner], "branch", [], [helper.make_tensor_value_info("kernel", kind, [3, 3])])
    choice = helper.make_node("If", ["yes"], ["kernel"], then_branch=branch, else_branch=branch)
    images = helper.make_tensor_value_info("images", kind, [None, 3, SIDE, SIDE])
    return helper.make_model(helper.make_graph([choice], "g", [images], [images]))


def _sparse(tensor):
    places = onnx.numpy_helper.from_array(np.arange(9), "places")
    graph = onnx.helper.make_graph([], "g", [], [])
    graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(tensor, places, [3, 3]))
    return onnx.helper.make_model(graph)


@pytest.mark.parametrize("build", [_constant_in_a_branch, _sparse])
def test_weights_in_another_file_are_found_wherever_the_graph_has_them(tmp_path, build):
    tensor = onnx.numpy_helper.from_array(formats.GAIN.ravel(), "kernel")
    formats.outside(tensor, tmp_path, "far.bin")
    (tmp_path / "m.onnx").write_bytes(build(tensor).SerializeToString())
    before = audit.digest_model(str(tmp_path / "m.onnx"))
    (tmp_path / "far.bin").write_bytes(bytes(36))
    assert audit.digest_model(str(tmp_path / "m.onnx")) != before


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("gone.data", "'gone.data', which is not beside it"),
        ("../m.data", "'../m.data', outside of its folder"),
        ("a/../../m.data", "outside of its folder"),
        ("/etc/hostname", "outside of its folder"),
        ("..\\m.data", "outside of its folder"),
        ("*/_ORT_MEM_ADDR_/*", "which is not beside it"),
    ],
)
def test_weights_that_are_missing_or_outside_are_told_in_one_line(tmp_path, location, message):
    (tmp_path / "inner").mkdir()
    path = formats.to_onnx(tmp_path / "inner" / "m.onnx", location="m.data")
    (tmp_path / "inner" / "m.data").rename(tmp_path / "m.data")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[1].external_data[0].value = location
    (tmp_path / "inner" / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UserError) as caught:
        audit.open_model(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [_POINTER, "<!DOCTYPE html>\n<html><head>"], ids=["pointer", "page"])
@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.hdf5", "m.tflite", "m.onnx"])
def test_what_stands_in_the_files_place_is_told(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=f"{name} is a (Git LFS pointer, .* git lfs pull|web page)"):
        audit.open_model(str(tmp_path / name))


@pytest.mark.parametrize(
    "inner", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
def test_a_pointer_inside_of_a_saved_model_is_told(tmp_path, inner):
    path = formats.save(tmp_path, "savedmodel")
    (tmp_path / "m" / inner).write_text(_POINTER)
    for trust in (False, True):
        with pytest.raises(UserError, match=f"{inner} is a Git LFS pointer"):
            audit.open_model(path, trust=trust)


def test_a_pointer_beside_an_onnx_is_told(tmp_path):
    path = formats.to_onnx(tmp_path / "m.onnx", location="m.data")
    (tmp_path / "m.data").write_text(_POINTER)
    with pytest.raises(UserError, match="m.data is a Git LFS pointer"):
        audit.open_model(path)


@pytest.mark.parametrize(
    ("library", "name"),
    [(tf_keras, "w.h5"), (tf_keras, "w.keras"), (tf_keras, "m.weights.h5"), (formats.keras, "m.weights.h5")],
)
def test_weights_alone_are_told_without_an_address(tmp_path, library, name):
    layers = [library.Input((SIDE, SIDE, 3)), library.layers.Flatten(), library.layers.Dense(3)]
    library.Sequential(layers).save_weights(str(tmp_path / name))
    with pytest.raises(
        UserError, match="holds weights alone, not a model: save the whole model with model.save"
    ) as caught:
        audit.open_model(str(tmp_path / name))
    assert "0x" not in str(caught.value)


class _Fixed:
    """A network images -> {"logits"} of this function."""

    def __init__(self, function):
        self.output = {"logits": tf.TensorSpec([None, 3])}
        self._function = function

    def __call__(self, images, training=False):
        return {"logits": self._function(images)}


def _contrast(images):
    return tf.reduce_mean(tf.image.adjust_contrast(images, 1.5), [1, 2])


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_contrast, "AdjustContrastv2"),
        (lambda x: tf.numpy_function(lambda x: x.mean((1, 2)), [x], tf.float32), "has none"),
        (lambda x: tf.reduce_mean(tf.cast(tf.cast(255 * x, tf.uint8), tf.float32), [1, 2]), "has none"),
        (lambda x: tf.reduce_mean(tf.stop_gradient(x), [1, 2]), "has none"),
        (lambda x: tf.reduce_mean(tf.sqrt(x - x), [1, 2]) + x[:, 0, 0], "not finite"),
        (lambda x: 1 / 0, "division by zero"),
    ],
    ids=["no gradient", "Python", "whole numbers", "stopped", "not finite", "fails"],
)
def test_why_a_model_has_no_gradient_is_found_by_one(function, reason):
    why = gradients.why_none(_Fixed(function), colours(1)[0])
    assert reason in why and "\n" not in why
    assert gradients.why_none(_Fixed(lambda x: tf.reduce_mean(x, [1, 2])), colours(1)[0]) is None


def test_an_attack_through_an_operation_without_gradient_is_refused_in_one_line():
    (attack,) = attacks.build("white_box", _Fixed(_contrast), attacks.Budget(steps=1)).values()
    with pytest.raises(attacks.ZeroGradient, match="the attack cannot work: .*AdjustContrastv2"):
        attack(colours(2)[0])
