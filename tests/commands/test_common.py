"""What several commands do alike."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from toys import linear_teacher

import main
import modes
from configs.default import get_config
from reno_tf import data, models, settings
from reno_tf.commands import common
from reno_tf.errors import UserError
from reno_tf.evaluation import Network, surrogate


@pytest.mark.parametrize(
    ("images", "advice"), [(32, "try --config.batch_size=16"), (1, "nothing smaller is left to try")]
)
@pytest.mark.parametrize("error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")])
def test_out_of_memory_names_the_batch_size_to_try(error, images, advice):
    refused = pytest.raises(UserError, match=f"^out of memory with config.batch_size={images}; {advice}$")
    with refused, common.enough_memory("batch_size", images):
        raise error


def test_where_smaller_batches_would_make_another_run_other_advice_is_given():
    refused = pytest.raises(UserError, match="^out of memory with config.batch_size=8; repeat the command$")
    with refused, common.enough_memory("batch_size", 8, advice="repeat the command"):
        raise MemoryError


def test_a_batch_that_does_not_fit_is_out_of_memory():
    refused = pytest.raises(UserError, match="out of memory with config.attack.batch_size=100; try --config.attack.b")
    with refused, common.enough_memory("attack.batch_size", 100):
        tf.zeros([2**40, 2**10])


def test_the_limit_of_pixels_holds_for_what_is_loaded_and_is_no_part_of_a_run(monkeypatch):
    config, before, limits = get_config(), Image.MAX_IMAGE_PIXELS, []
    usual = settings.read(config).identity()
    config.data.max_pixels = 1000
    run_settings = settings.read(config)
    monkeypatch.setattr(data, "load", lambda **_: limits.append(Image.MAX_IMAGE_PIXELS))
    common.load_data(run_settings.data, seed=0)
    assert limits == [1000] and before == Image.MAX_IMAGE_PIXELS
    assert run_settings.identity() == usual


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"neuron": 16}, "neuron must be from 0 to 5, not 16"),
        ({"preset": "surrogate"}, "the attacker's own student learns from the validation split"),
        ({"preset": "adaptive"}, "the attacker's own student learns from the validation split"),
        ({"core": ("disruption stage7",)}, "stage7.*penultimate, stage1"),
    ],
)
def test_what_cannot_be_attacked_is_told_before_the_training(changes, message):
    config = get_config()
    config.attack.update(changes)
    split = data.Split(np.zeros([3, 4, 4, 3], np.uint8), np.arange(3))
    dataset = data.Dataset("toy", ["a", "b", "c"], split, split.take([]), split)
    with pytest.raises(UserError, match=message):
        common.check_suite(settings.read(config), linear_teacher(), dataset)


def test_an_attacker_who_copies_the_defence_learns_from_their_own_images_or_as_a_bound_from_the_same(monkeypatch):
    config, trained = get_config(), []
    config.attack.preset = "adaptive"
    run_settings = settings.read(config, "finetune")
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 3)).astype(np.uint8)
    split = data.Split(images, np.arange(12) % 3)
    augment = lambda images, seed: images  # noqa: E731
    train, validation = split.take(np.arange(6)), split.take(np.arange(6, 9))
    dataset = data.Dataset("toy", ["a", "b", "c"], train, validation, split.take(np.arange(9, 12)), augment)

    def train_once(job, attackers, teacher, *, identity, folder, number, samples):
        trained.append((len(attackers.train), attackers.augment is augment, job.method.name, number))
        return [Network.of(linear_teacher(seed=len(trained)))]

    monkeypatch.setattr(surrogate, "train_once", train_once)
    monkeypatch.setattr(surrogate, "why_useless", lambda *_: None)
    attacker = common.build_attacker(run_settings, dataset, Network.of(linear_teacher()), "folder")
    assert trained == [(3, True, "finetune", 0), *((6, True, "finetune", number) for number in range(3))]
    assert list(attacker.networks) == ["teacher", "sibling", "twin", "twins"]
    assert len(attacker.networks["twins"].model.members) == 3
    members = run_settings.suite().plan(attacker.models)
    counted = {member.name.split("_")[0].split()[0] for member in members if member.counts}
    assert counted == {"pixel", "disruption", "sibling"} and {"twin", "twins"} < {member.name for member in members}
    alone = settings.read(config, "finetune").attack.as_suite()
    assert not dataclasses.replace(alone, attacks=alone.attacks[-1:]).plan(attacker.models)[0].counts


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
        modes.start(mode, config, command="", **options)
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
