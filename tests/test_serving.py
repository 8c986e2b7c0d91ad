"""The SavedModel: what it makes of files, what it says of those that are none, and who can ask it."""

import io
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from toys import SIZE, linear_teacher

from reno_tf import audit, serving
from reno_tf.data import GEOMETRIES, imagefile, transforms
from reno_tf.errors import UserError

_ROOT = Path(__file__).parents[1]
_NAMES = ["ant", "Bee", "кот"]


def _file(kind, mode="RGB", size=(50, 40), **options):
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    pixels = np.random.default_rng(len(kind) + channels).integers(0, 256, (size[1], size[0], channels), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels.squeeze(), mode).save(content, kind, **options)
    return content.getvalue()


_FILES = {
    "JPEG": _file("JPEG"),
    "grey JPEG": _file("JPEG", "L"),
    "PNG": _file("PNG"),
    "grey PNG": _file("PNG", "L"),
    "transparent PNG": _file("PNG", "RGBA"),
    "palette PNG": _file("GIF", "L"),
    "BMP": _file("BMP", size=(40, 50)),
    "small": _file("PNG", size=(3, 2)),
}
_GARBAGE = [b"", b"no image", _FILES["JPEG"][:300], _FILES["PNG"][:200], b"\x89PNG\r\n\x1a\n", b"GIF89a"]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_files_are_seen_as_test_images_are(geometry):
    pixels, is_image = serving.decoded(tf.constant(list(_FILES.values())), size=32, geometry=geometry)
    assert is_image.numpy().all()
    for name, content, seen in zip(_FILES, _FILES.values(), pixels.numpy(), strict=True):
        expected = transforms.test_view(tf.constant(imagefile.normalize(content)), size=32, geometry=geometry)
        np.testing.assert_allclose(seen.astype(int), expected.numpy().astype(int), atol=1, err_msg=name)


def test_an_image_of_the_models_own_size_stays_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    seen, _ = serving.decoded(tf.constant([imagefile.png(pixels)]), size=32, geometry="crop")
    np.testing.assert_array_equal(seen[0], pixels)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("garbage", _GARBAGE)
def test_what_is_no_image_fails_no_other(garbage, place):
    good = [_FILES["JPEG"], _FILES["PNG"]]
    alone, _ = serving.decoded(tf.constant(good), size=8, geometry="zoom")
    pixels, is_image = serving.decoded(tf.constant([*good[:place], garbage, *good[place:]]), size=8, geometry="zoom")
    assert is_image.numpy().tolist() == [index != place for index in range(3)]
    np.testing.assert_array_equal(pixels.numpy()[is_image.numpy()], alone)


def test_nothing_but_garbage_and_nothing_at_all():
    assert serving.decoded(tf.constant([b"x", b""]), size=8, geometry="zoom")[1].numpy().tolist() == [False, False]
    empty, is_image = serving.decoded(tf.constant([], tf.string), size=8, geometry="zoom")
    assert empty.shape == (0, 8, 8, 3) and is_image.shape == (0,)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(the student, its SavedModel's folder)."""
    student, path = linear_teacher(), tmp_path_factory.mktemp("export") / "name" / "1"
    options = {"class_names": _NAMES, "image_shape": (SIZE, SIZE, 3), "geometry": "zoom"}
    serving.write_saved_model(student, path, card="# what it is\n", **options)
    return student, path


# What a client does that has TensorFlow and not this project.
_CLIENT = """
import json, sys
sys.path.insert(0, sys.argv[2])
import numpy as np, tensorflow as tf
import serving_client
from tensorflow_serving.apis import prediction_log_pb2

def answer(request):
    signature = model.signatures[request.model_spec.signature_name or "serving_default"]
    inputs = {name: tf.constant(tf.make_ndarray(proto)) for name, proto in request.inputs.items()}
    return {name: values.numpy() for name, values in signature(**inputs).items()}

model = tf.saved_model.load(sys.argv[1])
warmed = []
for record in tf.data.TFRecordDataset(sys.argv[1] + "/assets.extra/tf_serving_warmup_requests"):
    log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
    answered = answer(log.predict_log.request)
    warmed.append([log.predict_log.request.model_spec.signature_name, *map(len, answered.values())])
files = [open(path, "rb").read() for path in sys.argv[3:]]
by_grpc = answer(serving_client.grpc_request("name", files))
by_rest = json.loads(serving_client.rest_request("localhost:8501", "name", files).data)["inputs"]
contents = [serving_client.base64.b64decode(one["b64"]) for one in by_rest["image_bytes"]]
assert contents == files and by_rest.keys() == {"image_bytes"}
outputs = serving_client.as_lists(by_grpc)
told = list(serving_client.lines(["one", "two", "three"], outputs))
assert not [name for name in sys.modules if name.startswith(("reno_tf", "tf_keras"))]
print(json.dumps({"warmed": warmed, "outputs": outputs, "told": told}))
"""


@pytest.mark.long
def test_a_client_needs_tensorflow_alone(exported, tmp_path):
    student, path = exported
    contents = [_FILES["JPEG"], b"no image", _FILES["transparent PNG"]]
    names = [tmp_path / str(number) for number in range(3)]
    for name, content in zip(names, contents, strict=True):
        name.write_bytes(content)
    command = [sys.executable, "-c", _CLIENT, path, _ROOT / "examples", *names]
    environment = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["warmed"] == [["serving_default", 2, 2, 2, 2], ["floats", 1, 1, 1]]
    outputs = said["outputs"]
    assert outputs["errors"] == ["", "not a JPEG, PNG, GIF or BMP image", ""]
    assert outputs["classes"][1] == "" and outputs["probabilities"][1] == outputs["logits"][1] == [0, 0, 0]
    seen, _ = serving.decoded(tf.constant([contents[0], contents[2]]), size=SIZE, geometry="zoom")
    logits = student(tf.cast(seen, tf.float32) / 255)["logits"]
    np.testing.assert_allclose([outputs["logits"][0], outputs["logits"][2]], logits, rtol=1e-5)
    best = [_NAMES[number] for number in tf.argmax(logits, -1)]
    assert [outputs["classes"][0], outputs["classes"][2]] == best
    assert said["told"][1] == "two: image 1 is not a JPEG, PNG, GIF or BMP image"
    assert said["told"][0].startswith(f"one: {best[0]} (")


def test_the_folder_says_what_it_is(exported):
    extra = exported[1] / "assets.extra"
    assert (extra / "class_names.txt").read_text(encoding="utf-8").splitlines() == _NAMES
    assert (extra / "model_card.md").read_text() == "# what it is\n"
    assert [path.name for path in exported[1].parent.iterdir()] == ["1"]


def test_without_room_nothing_is_left(tmp_path):
    options = {"class_names": _NAMES, "image_shape": (SIZE, SIZE, 3), "geometry": "zoom", "card": ""}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(UserError, match="name/1 cannot be written: File too large"):
            serving.write_saved_model(linear_teacher(), tmp_path / "name" / "1", **options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "name").iterdir())


@pytest.mark.parametrize("name", ["labels.txt", "saved_model.pb", "assets.extra/labels.txt"])
@pytest.mark.parametrize("ours", [False, True])
def test_nothing_of_anothers_is_replaced(exported, tmp_path, name, ours):
    path = tmp_path / "name" / "1"
    if ours and name != "saved_model.pb":
        shutil.copytree(exported[1], path)
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text("mine")
    options = {"class_names": _NAMES, "image_shape": (SIZE, SIZE, 3), "geometry": "zoom", "card": ""}
    with pytest.raises(UserError, match="name/1 holds what is not an export of this project"):
        serving.write_saved_model(linear_teacher(), path, **options)
    assert (path / name).read_text() == "mine"


def test_an_earlier_export_is_replaced(exported, tmp_path):
    options = {"class_names": _NAMES, "image_shape": (SIZE, SIZE, 3), "geometry": "zoom", "card": "new"}
    shutil.copytree(exported[1], tmp_path / "1")
    serving.write_saved_model(linear_teacher(), tmp_path / "1", **options)
    assert (tmp_path / "1" / "assets.extra" / "model_card.md").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_an_audit_reads_the_export_by_its_numbers(exported):
    student, path = exported
    images = np.random.default_rng(0).uniform(0, 1, (5, SIZE, SIZE, 3)).astype(np.float32)
    opened = audit.open_model(str(path))
    np.testing.assert_allclose(opened.call(tf.constant(images)), student(images)["logits"], rtol=1e-5)


def test_deploy_serves_the_folder_that_export_writes():
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = text_format.Parse(
        (_ROOT / "deploy" / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = config.model_config_list.config
    assert model.base_path == f"/models/{model.name}" and model.model_platform == "tensorflow"
    compose = (_ROOT / "deploy" / "compose.yaml").read_text()
    for name in ("models.config", "batching.config"):
        assert f"./{name}:/config/{name}:ro" in compose and f"=/config/{name}" in compose
