"""SavedModel for TF Serving: plain TensorFlow loads it."""

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path

import tensorflow as tf
import tf_keras


def write_saved_model(student: tf_keras.Model, path: Path, *, class_names: list[str], image_shape) -> None:
    """Writes the student, and nothing of the teacher, to `path` (.../<name>/<version>).

    The signature "serving_default" takes `images`, float32 [B, H, W, 3] in [0, 1], and gives `logits` and
    `probabilities` [B, classes]. assets.extra/class_names.txt names the classes. The folder is whole or absent.
    """
    height, width, channels = image_shape

    def serve(images):
        logits = student(images, training=False)["logits"]
        return {"logits": logits, "probabilities": tf.nn.softmax(logits)}

    archive = tf_keras.export.ExportArchive()
    archive.track(student)
    archive.add_endpoint("serve", serve, [tf.TensorSpec([None, height, width, channels], tf.float32, name="images")])
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as temporary:
        folder = Path(temporary) / "model"
        with contextlib.redirect_stdout(io.StringIO()):  # It prints every captured variable.
            archive.write_out(str(folder))
        extra = folder / "assets.extra"
        extra.mkdir()
        (extra / "class_names.txt").write_text("".join(f"{name}\n" for name in class_names), encoding="utf-8")
        shutil.rmtree(path, ignore_errors=True)
        os.replace(folder, path)
