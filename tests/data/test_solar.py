"""Solar cells from a package like the published one, and from that itself where it is installed."""

import importlib

import numpy as np
import pytest
from PIL import Image

from reno_tf import data
from reno_tf.data import solar
from reno_tf.errors import UserError

_KINDS = ["mono"] * 130 + ["poly"] * 300
_PROBABILITIES = ("0.0", "1.0", "0.3333333333333333", "0.6666666666666666")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of small cells, whose grey level is their number."""
    folder = tmp_path / "site" / "elpv_dataset"
    (folder / "data" / "images").mkdir(parents=True)
    (folder / "__init__.py").touch()
    lines = []
    for number, kind in enumerate(_KINDS):
        file = f"images/cell{number:04}.png"
        Image.new("L", (4, 4), number // 2).save(folder / "data" / file)
        lines.append(f"{file}  {_PROBABILITIES[number % 4]}   {kind}\n")
    (folder / "data" / "labels.csv").write_text("".join(lines))
    monkeypatch.syspath_prepend(folder.parent)
    importlib.invalidate_caches()
    return folder / "data"


def test_blocks_are_neighbours_of_one_kind():
    assert solar.blocks(["mono"] * 130 + ["poly"] * 60 + ["mono"]) == [
        *(slice(0, 60), slice(60, 120), slice(120, 130), slice(130, 190), slice(190, 191))
    ]


def test_every_fourth_block_is_the_test_and_what_is_uncertain_is_left_out(package, tmp_path):
    builder = solar.SolarCells(data_dir=tmp_path / "built")
    builder.download_and_prepare()
    names, numbers = builder.info.features["label"].names, {}
    for split in ("train", "test"):
        for example in builder.as_dataset(split=split).as_numpy_iterator():
            number = int(example["file"].decode()[-8:-4])
            numbers.setdefault(split, []).append(number)
            state = {0: "functional", 1: "defective"}[number % 4]
            assert names[example["label"]] == f"{_KINDS[number]} {state}"
            assert example["image"].shape == (4, 4, 3) and (example["image"] == number // 2).all()
    # Blocks begin at 0, 60, 120 | 130, 190, 250, 310, 370: the third and the seventh.
    tested = [*range(120, 130), *range(310, 370)]
    assert sorted(numbers["test"]) == [number for number in tested if number % 4 < 2]
    kept = [number for number in range(430) if number % 4 < 2 and number not in tested]
    assert sorted(numbers["train"]) == kept


def test_a_cell_that_cannot_be_read_is_named(package, tmp_path):
    (package / "images" / "cell0121.png").write_bytes(b"no picture")
    (package / "images" / "cell0004.png").unlink()
    with pytest.raises(UserError, match=r"2 unreadable images: images/cell0004.png \(No such file.*cell0121.png"):
        solar.SolarCells(data_dir=tmp_path / "built").download_and_prepare()


def test_without_the_package_the_command_that_installs_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(solar, "_PACKAGE", "no_such_package")
    with pytest.raises(UserError, match=r"are in a package: pip install 'reno-tf\[photos\]'$"):
        data.load("solar", data_dir=str(tmp_path))
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.long
def test_the_published_cells(tmp_path):
    if importlib.util.find_spec("elpv_dataset") is None:
        pytest.skip("the extra photos is not installed")
    found = data.load("solar", size=128, data_dir=str(tmp_path))
    assert found.class_names == ["mono functional", "mono defective", "poly functional", "poly defective"]
    assert list(np.bincount(found.train.labels)) == [466, 242, 679, 277]
    assert list(np.bincount(found.test.labels)) == [122, 71, 241, 125]
    assert "CC BY-NC-SA" in found.note and "cite them" in found.note
