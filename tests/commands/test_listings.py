"""The modes that print what there is: networks' taps, data sets."""

import pytest
from conftest import long
from PIL import Image

import modes
from configs.default import get_config
from reno_tf import data
from reno_tf.errors import UserError


def _printed(capsys, mode, **changes):
    config = get_config()
    config.update_from_flattened_dict(changes)
    modes.start(mode, config, command="")
    return capsys.readouterr().out.splitlines()


_TAPS = {
    "resnet18_cifar": ["32x32x16 stage1_block2_relu", "16x16x32 stage2_block2_relu", "8x8x64 stage3_block2_relu"],
    "keras_vgg16": ["56x56x256 block3_conv3", "28x28x512 block4_conv3", "14x14x512 block5_conv3"],
}


@pytest.mark.parametrize("backbone", ["resnet18_cifar", *long("keras_vgg16")])
def test_taps_are_printed_with_their_shapes(capsys, backbone):
    size = {"model.image_size": 32} if backbone == "resnet18_cifar" else {}
    lines = [line.split() for line in _printed(capsys, "taps", **{"model.backbone": backbone}, **size)]
    assert [name for name, *_ in lines] == [f"stage{number}" for number in range(1, len(lines) + 1)]
    assert [" ".join(line[1:]) for line in lines][: len(_TAPS[backbone])] == _TAPS[backbone]


def test_every_data_set_is_listed(capsys):
    heading, *lines = _printed(capsys, "list_data")
    assert heading.split() == ["name", "classes", "train", "test", "origin"]
    assert [line.split()[0] for line in lines] == list(data.DATASETS)
    assert "digits            10     597    1200  embedded" in lines


def test_a_folder_is_prepared_and_what_cannot_be_read_is_told(capsys, tmp_path):
    for label, count in (("cat", 6), ("dog", 10)):
        for number in range(count):
            path = tmp_path / "photos" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 20), (10 * number, 0, 0)).save(path)
    (tmp_path / "photos" / "dog" / "broken.png").write_bytes(b"no image")
    folder = {"data.name": "folder", "data.dir": str(tmp_path / "photos"), "data.tfds_dir": str(tmp_path / "tfds")}
    with pytest.raises(UserError, match="broken.png"):
        _printed(capsys, "prepare_data", **folder)
    heading, *lines = _printed(capsys, "prepare_data", **folder, **{"data.skip_unreadable": True})
    assert heading.endswith(": 2 classes")
    assert sum("unreadable, dropped: " in line and "broken.png" in line for line in lines) == 1
    sizes = {line.split()[0]: int(line.split()[1]) for line in lines if "smallest class 'cat'" in line}
    assert sizes["train:"] + sizes["test:"] == 16


def test_a_prepared_folders_validation_split_is_told(capsys, tmp_path):
    for split in ("train", "test", "val"):
        for label in ("cat", "dog"):
            path = tmp_path / "photos" / split / label / "1.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (20, 20)).save(path)
    folder = {"data.name": "folder", "data.dir": str(tmp_path / "photos"), "data.tfds_dir": str(tmp_path / "tfds")}
    lines = _printed(capsys, "prepare_data", **folder)
    assert "validation: 2 images; smallest class 'cat' with 1" in lines
