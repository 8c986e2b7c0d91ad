"""Files that were made elsewhere, and what lies in their place."""

import pytest

import modes
from configs.default import get_config
from reno_tf import archives, models
from reno_tf.errors import UserError, one_line

_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [(_POINTER, "is a Git LFS pointer, .* git lfs pull"), (b"\n<!DOCTYPE HTML>\n<html>", "is a web page")],
)
def test_what_stands_in_a_files_place_is_told(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UserError, match=message):
        archives.refuse_stand_in(tmp_path / "x")


@pytest.mark.parametrize("content", [b"", b"version", b"\x89HDF\r\n", b"{}"])
def test_what_is_something_else_is_left_to_its_reader(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    archives.refuse_stand_in(tmp_path / "x")


@pytest.mark.parametrize(
    ("backbone", "name"),
    [
        *(("resnet18", name) for name in ("w.safetensors", "w.pth", "w.pt", "w.bin", "w-0123abcd.pth")),
        *(("keras_mobilenetv2", name) for name in ("w.h5", "w.weights.h5", "w.keras")),
    ],
)
def test_a_pointer_in_the_place_of_weights_is_told(tmp_path, backbone, name):
    (tmp_path / name).write_bytes(_POINTER)
    config = get_config()
    config.model.backbone = backbone
    with pytest.raises(UserError, match=f"{name} is a Git LFS pointer"):
        modes.start("import_weights", config, command="", file=str(tmp_path / name))


def test_a_pointer_in_the_place_of_a_teacher_is_told(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(_POINTER)
    with pytest.raises(UserError, match="w.safetensors is a Git LFS pointer"):
        models.locate("resnet18", str(tmp_path / "w.safetensors"))


def test_the_address_of_an_object_is_not_told():
    assert one_line(ValueError("no config at\n<GFile object at 0x7fe2256f6a90>.")) == "no config at <GFile object>."
