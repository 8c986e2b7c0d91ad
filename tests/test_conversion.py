"""The .tflite and .onnx files: what they hold, and that they answer as the student does."""

import os
import sys

import numpy as np
import pytest
import tensorflow as tf
from toys import SIZE, linear_teacher

from reno_tf import audit, conversion, serving
from reno_tf.errors import UserError

_IMAGES = np.random.default_rng(0).uniform(0, 1, (50, SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """(the student, {form: path})."""
    folder, student = tmp_path_factory.mktemp("files"), linear_teacher()
    options = {"class_names": ["a", "b", "c"], "image_shape": (SIZE, SIZE, 3), "geometry": "zoom", "card": ""}
    serving.write_saved_model(student, folder / "model", **options)
    paths = {}
    for form, content in conversion.to_tflite(folder / "model", _IMAGES).items():
        paths[form] = folder / f"{form}.tflite"
        paths[form].write_bytes(content)
    paths["onnx"] = folder / "student.onnx"
    paths["onnx"].write_bytes(conversion.to_onnx(folder / "model"))
    return student, paths


@pytest.mark.parametrize(("form", "within"), [("float16", 2e-3), ("int8_weights", 0.05), ("int8", 0.1), ("onnx", 1e-5)])
def test_the_files_answer_as_the_student(files, form, within):
    student, paths = files
    opened = audit.open_model(str(paths[form]))
    assert opened.format == ("ONNX" if form == "onnx" else "TFLite")
    assert (opened.height, opened.width, opened.num_outputs) == (SIZE, SIZE, 3)
    answers = np.asarray(opened.call(tf.constant(_IMAGES)))
    np.testing.assert_allclose(answers, tf.nn.softmax(student(_IMAGES)["logits"]), atol=within)


def test_the_last_form_computes_in_8_bits(files):
    from ai_edge_litert.interpreter import Interpreter

    kinds = {}
    for form in ("float16", "int8_weights", "int8"):
        interpreter = Interpreter(model_path=str(files[1][form]))
        interpreter.allocate_tensors()
        kinds[form] = {detail["dtype"] for detail in interpreter.get_tensor_details()}
    assert np.int8 in kinds["int8"] and np.float16 in kinds["float16"]
    assert np.int8 not in kinds["float16"]


def test_an_onnx_file_takes_any_number_of_images_and_leaves_nothing_open(files):
    import onnx

    graph = onnx.load(files[1]["onnx"]).graph
    assert [one.name for one in graph.input] == ["images"] and [one.name for one in graph.output] == ["probabilities"]
    assert {node.domain for node in graph.node} == {""}  # Only operators of ONNX itself.
    opened = audit.open_model(str(files[1]["onnx"]))
    whole = np.asarray(opened.call(tf.constant(_IMAGES[:7])))
    np.testing.assert_allclose(opened.call(tf.constant(_IMAGES[:3])), whole[:3], atol=1e-6)


def test_a_conversion_leaves_the_environment_as_it_was(files, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tf2onnx"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    before = dict(os.environ)
    conversion.to_onnx(files[1]["onnx"].parent / "model")
    assert os.environ == before


def test_what_cannot_be_converted_is_refused_in_a_line(tmp_path):
    class Odd(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3], tf.float32, name="images")])
        def floats(self, images):
            odd = tf.linalg.svd(images[..., 0], compute_uv=False)
            return {"probabilities": tf.nn.softmax(odd)}

    module = Odd()
    tf.saved_model.save(module, str(tmp_path / "odd"), signatures={"floats": module.floats})
    with pytest.raises(UserError, match="odd cannot be converted: .*Svd"):
        conversion.to_onnx(tmp_path / "odd")
