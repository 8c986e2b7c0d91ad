"""What several commands do alike."""

import pytest
import tensorflow as tf
from PIL import Image

import main
from configs.default import get_config
from reno_tf import commands, models, settings
from reno_tf.commands import common
from reno_tf.errors import UserError


@pytest.mark.parametrize(
    ("images", "told"), [(32, "try --config.batch_size=16"), (1, "nothing smaller is left to try")]
)
@pytest.mark.parametrize("error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")])
def test_out_of_memory_names_the_batch_size_to_try(error, images, told):
    refused = pytest.raises(UserError, match=f"^out of memory with config.batch_size={images}; {told}$")
    with refused, common.enough_memory("batch_size", images):
        raise error


def test_a_batch_that_does_not_fit_is_out_of_memory():
    refused = pytest.raises(UserError, match="out of memory with config.attack.batch_size=100; try --config.attack.b")
    with refused, common.enough_memory("attack.batch_size", 100):
        tf.zeros([2**40, 2**10])


def test_the_limit_of_pixels_holds_for_what_is_loaded_and_is_no_part_of_a_run(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    config = get_config()
    usual = settings.read(config).as_json()
    config.data.max_pixels = 1000
    chosen = settings.read(config)
    common.load_data(chosen.data, seed=0)
    assert Image.MAX_IMAGE_PIXELS == 1000
    assert chosen.as_json() == usual


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("report", {"workdir": "~/runs"}),
        ("inspect", {"student": "~/model.onnx"}),
        ("import_weights", {"file": "~/weights.pth"}),
        ("export", {"workdir": "~/runs", "to": "~/models"}),
    ],
)
def test_a_tilde_in_a_flag_is_the_users_home(mode, options, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    config = get_config()
    config.model.backbone = "resnet18"
    with pytest.raises(UserError) as raised:
        commands.start(mode, config, command="", **options)
    assert str(tmp_path) in str(raised.value) and "~" not in str(raised.value)


def test_a_tilde_in_the_config_is_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = get_config()
    config.attack.cache = "~/sets"
    assert settings.read(config).attack.cache == f"{tmp_path}/sets"
    (tmp_path / "teacher.safetensors").write_bytes(b"x")
    path, _ = models.locate("resnet18_cifar", "~/teacher.safetensors")
    assert path == tmp_path / "teacher.safetensors"
    (tmp_path / "own.py").write_text("")
    assert main._shipped("~/own.py") == f"{tmp_path}/own.py"
