"""What the user can do nothing about is not told: stderr has this project's own lines alone."""

import numpy as np
import photos
import pytest
import small_network
import tf_keras
from PIL import Image
from processes import Script
from short import SHORT

_OWN = (" is kept in ", " The model was not made from ")  # where the copy of the photos lies; what the student is not


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Reddish and bluish photos, 12 of each class for training and 4 for the test."""
    folder = tmp_path_factory.mktemp("photos")
    for split, count in {"train": 12, "test": 4}.items():
        for label, colour in {"blue": (30, 60, 220), "red": (230, 40, 50)}.items():
            for number in range(count):
                picture = np.asarray(photos.picture(40, 48, seed=len(list(folder.rglob("*.jpg")))))
                path = folder / split / label / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray((0.4 * picture + 0.6 * np.array(colour)).astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """A Keras 2 .h5 that tells red from blue, made from no teacher."""
    dense = tf_keras.layers.Dense(2)
    layers = [tf_keras.Input((32, 32, 3)), tf_keras.layers.Rescaling(1 / 255), tf_keras.layers.GlobalAveragePooling2D()]
    model = tf_keras.Sequential([*layers, dense])
    dense.set_weights([20 * np.array([[-1, 1], [0, 0], [1, -1]], np.float32), np.zeros(2, np.float32)])
    path = tmp_path_factory.mktemp("student") / "student.h5"
    model.save(path)
    return path


@pytest.mark.long
def test_a_run_and_an_audit_of_photos_end_without_a_warning(images, student, tmp_path):
    flags = [*SHORT, *small_network.chosen(tmp_path), f"--config.attack.cache={tmp_path / 'cache'}"]
    flags += ["--config.data.name=folder", f"--config.data.dir={images}", f"--config.data.tfds_dir={tmp_path / 'tfds'}"]
    flags += ["--config.data.shots=0", "--config.split=test", "--config.steps.swa=2", "--config.steps.swa_period=1"]
    audit = ["--mode=audit", f"--student={student}", "--config.attack.suite=('pixel','ensemble','white_box')"]
    for name, mode in {"run": [], "audit": audit}.items():
        script = Script("tests/small_network.py", f"--workdir={tmp_path / name}", *flags, *mode)
        status, _, err = script.end()
        assert status == 0, err
        assert [line for line in err.splitlines() if not any(own in line for own in _OWN)] == [], name
    assert _OWN[1] in err
