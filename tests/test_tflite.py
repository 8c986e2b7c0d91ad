"""The .tflite files: what they hold, and that they answer as the student does."""

import numpy as np
import pytest
import tensorflow as tf
from toys import SIZE, linear_teacher

from reno_tf import audit, serving, tflite

_IMAGES = np.random.default_rng(0).uniform(0, 1, (50, SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """(the student, {form: path})."""
    folder, student = tmp_path_factory.mktemp("tflite"), linear_teacher()
    options = {"class_names": ["a", "b", "c"], "image_shape": (SIZE, SIZE, 3), "geometry": "zoom", "card": ""}
    serving.write_saved_model(student, folder / "model", **options)
    found = {}
    for form, content in tflite.convert(folder / "model", _IMAGES).items():
        found[form] = folder / f"{form}.tflite"
        found[form].write_bytes(content)
    return student, found


@pytest.mark.parametrize(("form", "within"), [("float16", 2e-3), ("int8_weights", 0.05), ("int8", 0.1)])
def test_the_files_answer_as_the_student(files, form, within):
    student, paths = files
    opened = audit.open_model(str(paths[form]))
    assert (opened.format, opened.height, opened.width, opened.num_outputs) == ("TFLite", SIZE, SIZE, 3)
    answers = np.asarray(opened.call(tf.constant(_IMAGES)))
    np.testing.assert_allclose(answers, tf.nn.softmax(student(_IMAGES)["logits"]), atol=within)


def test_the_last_form_computes_in_8_bits(files):
    from ai_edge_litert.interpreter import Interpreter

    kinds = {}
    for form, path in files[1].items():
        interpreter = Interpreter(model_path=str(path))
        interpreter.allocate_tensors()
        kinds[form] = {detail["dtype"] for detail in interpreter.get_tensor_details()}
    assert np.int8 in kinds["int8"] and np.float16 in kinds["float16"]
    assert np.int8 not in kinds["float16"]
