"""Every classifier of Keras Applications against Keras's own: `make networks`, a quarter of an hour."""

import shutil

import pytest
import tf_keras
from test_keras_applications import check_against_keras, check_weights_file
from test_keras_files import LIBRARIES, check_a_file

from reno_tf import hardware
from reno_tf.models.keras_applications import KERAS_APPLICATIONS

_NAMES = {name.lower(): name for name, item in vars(tf_keras.applications).items() if callable(item)}
_ONE_SIZE = ("NASNetMobile", "NASNetLarge")  # They take no image of another size than they were built for.


@pytest.fixture(autouse=True)
def _one_at_a_time(tmp_path):
    """The largest has 1.4 GB of weights, in memory and in files."""
    yield
    shutil.rmtree(tmp_path)
    hardware.release_memory()


@pytest.mark.parametrize("backbone", KERAS_APPLICATIONS)
def test_its_weights_are_written_and_read(backbone):
    check_weights_file(backbone, image_size=96 if "nasnet" in backbone else None)


@pytest.mark.parametrize("backbone", KERAS_APPLICATIONS)
def test_gives_keras_features_and_takes_dropout(backbone):
    application = _NAMES[backbone.removeprefix("keras_")]
    check_against_keras(application, image_size=96 if application in _ONE_SIZE else None)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("application", [_NAMES[name.removeprefix("keras_")] for name in KERAS_APPLICATIONS])
def test_the_weights_that_keras_writes_are_read(tmp_path, application, library):
    if not hasattr(LIBRARIES[library].applications, application):
        pytest.skip(f"{library} has none")
    check_a_file(tmp_path, application, library, "weights", False, image_size=96 if application in _ONE_SIZE else None)
