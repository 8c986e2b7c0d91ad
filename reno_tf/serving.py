"""SavedModel for TF Serving: plain TensorFlow loads it, and it takes images as files or as numbers."""

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from reno_tf import ownership
from reno_tf.data import transforms
from reno_tf.errors import UserError, reason

BYTES, FLOATS = "serving_default", "floats"  # the signatures
NOT_AN_IMAGE = "not a JPEG, PNG, GIF or BMP image"
_WARM_UP = "tf_serving_warmup_requests"  # TF Serving runs what this file holds before it serves a version.
_PNG = b"\x89PNG"


def write_saved_model(
    student: tf_keras.Model, path: Path, *, class_names: list[str], image_shape, geometry: str, card: str
) -> None:
    """Writes the student, and nothing of the teacher, to `path` (.../<name>/<version>). The folder is whole or absent.

    The signature "serving_default" takes `image_bytes`, string [B]: JPEG, PNG, GIF or BMP files of any size, which
    become the student's input as the images of the test split do. "floats" takes `images`, float32 [B, H, W, 3] in
    [0, 1]. Both give `logits` and `probabilities` [B, classes] and `classes`, string [B], the most probable one.
    "serving_default" also gives `errors`, string [B]: "" or why an image could not be decoded. Such a row is 0, its
    class ""; the others are as they would be alone.

    assets.extra has the names of the classes, requests for warming up, and the `card`, Markdown. What was written there
    before is replaced. Raises UserError if anything else lies there, or if the folder cannot be written.

    Args:
      image_shape: (H, W, 3) of the student's input. geometry: a key of `transforms.GEOMETRIES`.
    """
    _check_place(path)
    height, width, channels = image_shape
    names = tf.constant(class_names)

    def answers(images):
        logits = student(images, training=False)["logits"]
        best = tf.gather(names, tf.argmax(logits, axis=-1))
        return {"logits": logits, "probabilities": tf.nn.softmax(logits), "classes": best}

    def answers_to_files(image_bytes):
        pixels, is_image = decoded(image_bytes, size=height, geometry=geometry)
        answered = answers(tf.cast(pixels, tf.float32) / 255)
        blank = {name: tf.zeros_like(values) for name, values in answered.items()}
        outputs = {
            name: tf.where(tf.reshape(is_image, [-1] + [1] * (values.shape.rank - 1)), values, blank[name])
            for name, values in answered.items()
        }
        return outputs | {"errors": tf.where(is_image, "", NOT_AN_IMAGE)}

    archive = tf_keras.export.ExportArchive()
    archive.track(student)
    archive.add_endpoint(BYTES, answers_to_files, [tf.TensorSpec([None], tf.string, name="image_bytes")])
    spec = tf.TensorSpec([None, height, width, channels], tf.float32, name="images")
    archive.add_endpoint(FLOATS, answers, [spec])
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as temporary:
        folder = Path(temporary) / "model"
        with contextlib.redirect_stdout(io.StringIO()):  # It prints every captured variable.
            try:
                archive.write_out(str(folder))
            except tf.errors.OpError as error:
                raise UserError(f"{path} cannot be written: {reason(error)}") from None
        extra = folder / "assets.extra"
        extra.mkdir()
        (extra / "class_names.txt").write_text("".join(f"{name}\n" for name in class_names), encoding="utf-8")
        (extra / "model_card.md").write_text(card, encoding="utf-8")
        _write_warm_up(extra / _WARM_UP, image_shape)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(folder, path)


def _check_place(path):
    """Raises UserError if something is at `path` that `write_saved_model` did not write."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    is_own = (path / "assets.extra" / "model_card.md").is_file() and not path.is_symlink()
    if not is_own or any(ownership.foreign(path, ownership.SAVED_MODEL)):
        raise UserError(f"{path} holds what is not an export of this project; move it, or choose another folder")


def decoded(files, *, size: int, geometry: str):
    """Encoded images, string [B] -> uint8 [B, size, size, 3], and bool [B]: whether each could be decoded.

    A batch is one request, or several that a server put together: a file that is not an image must not fail the others.
    """
    count = tf.size(files, out_type=tf.int64)

    def view(position, content):
        return position, transforms.view(_decode(content), size=size, geometry=geometry)

    images = tf.data.Dataset.from_tensor_slices((tf.range(count), files))
    images = images.map(view, num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
    last = tf.data.Dataset.from_tensors((count, tf.zeros([size, size, 3], tf.uint8)))  # Perhaps the only one.
    positions, pixels = images.concatenate(last).batch(count + 1).get_single_element()
    is_image = tf.scatter_nd(positions[:, None], tf.ones_like(positions), [count + 1])[:count]
    # No kernel scatters uint8.
    shape = tf.stack([count + 1, *(tf.constant(side, tf.int64) for side in (size, size, 3))])
    pixels = tf.cast(tf.scatter_nd(positions[:, None], tf.cast(pixels, tf.int32), shape)[:count], tf.uint8)
    return tf.ensure_shape(pixels, [None, size, size, 3]), is_image > 0


def _decode(content):
    """As `transforms.decode`, and white where a PNG is transparent."""

    def on_white():
        image = tf.cast(tf.io.decode_png(content, channels=4), tf.float32)
        colours, opacity = image[..., :3], image[..., 3:] / 255
        return tf.cast(tf.round(colours * opacity + 255 * (1 - opacity)), tf.uint8)

    is_png = tf.strings.substr(content, 0, len(_PNG)) == _PNG
    return tf.cond(is_png, on_white, lambda: transforms.decode(content))


def _write_warm_up(path, image_shape):
    """One request of each signature, with made-up images."""
    pixels = np.random.default_rng(0).integers(0, 256, image_shape, np.uint8)
    files = []
    for kind in ("JPEG", "PNG"):
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, kind)
        files.append(content.getvalue())
    inputs = {BYTES: {"image_bytes": files}, FLOATS: {"images": pixels[None].astype(np.float32) / 255}}
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, values in inputs.items():
            log = prediction_log_pb2.PredictLog(request=_request(values, signature))
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())


def _request(inputs, signature) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return request
