"""--mode=clean, and the copies of users' folders that it lists."""

import json

import numpy as np
import pytest
from PIL import Image

import modes
from configs.default import get_config
from reno_tf import data, files
from reno_tf.attacks.cache import store


def _photo(path, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), shade, np.uint8)).save(path)


_STUDENT = f"surrogate-{'5' * 16}"


def _surrogate(folder):
    files.write_text(folder / ".reno_tf", "{}")
    files.write_bytes(folder / "checkpoints" / "train" / "ckpt-1.index", bytes(1_000_000))


def _clean(config, capsys):
    """What is listed, without the sum; and everything that is listed goes."""
    capsys.readouterr()
    modes.start("clean", config, command="")
    listed = capsys.readouterr().out.splitlines()[:-1]
    modes.start("clean", config, command="", delete=True)
    assert capsys.readouterr().out.splitlines()[:-1] == listed
    return listed


def test_a_folder_of_the_users_is_no_cache(tmp_path, capsys):
    config = get_config()
    config.data.tfds_dir, config.attack.cache = str(tmp_path / "tfds"), str(tmp_path / "mycache")
    names = ("labels.json", "embeddings.npy", f"{'0' * 64}.npy", f"{_STUDENT}/history.jsonl", "surrogate-notes/x.txt")
    for name in names:
        files.write_text(tmp_path / "mycache" / name, "years of work")
    before = sorted(tmp_path.rglob("*"))
    assert _clean(config, capsys) == [] and sorted(tmp_path.rglob("*")) == before


def test_what_others_keep_in_the_cache_is_neither_listed_nor_deleted(tmp_path, capsys):
    config, cache = get_config(), tmp_path / "cache"
    config.data.tfds_dir, config.attack.cache = str(tmp_path / "tfds"), str(cache)
    files.write_text(cache / f"{'1' * 64}.npy", "older than the marker")
    store.mark_as_cache(cache)
    users = ("labels.json", "embeddings.npy", "surrogate-notes/thesis.txt", f"{_STUDENT}/thesis.txt", "0123.npy")
    for name in users:
        files.write_text(cache / name, "years of work")
    _surrogate(cache / _STUDENT)  # With the thesis inside.
    _surrogate(tmp_path / "elsewhere")
    (cache / f"surrogate-{'6' * 16}").symlink_to(tmp_path / "elsewhere")
    (cache / f"{'2' * 64}.npy").symlink_to(cache / "embeddings.npy")
    before = sorted(tmp_path.rglob("*"))
    files.write_text(cache / f"{'3' * 64}.json", "[]")
    assert [line.split()[-1] for line in _clean(config, capsys)] == [str(cache / f"{'3' * 64}.json")]
    assert sorted(tmp_path.rglob("*")) == before


def _users_build(folder, **content):
    """As tensorflow-datasets writes one."""
    files.write_json(folder / "dataset_info.json", content)
    files.write_text(folder / "folder_images-train.array_record-00000-of-00001", "years of work")


@pytest.mark.parametrize("place", ["folder_images/mine", "folder_images/0123abcd-0123456789abcdef-whole/1.0.0"])
@pytest.mark.parametrize("module", ["mine.folder_images", "reno_tf.data.folder"])
def test_another_builders_data_stay(tmp_path, capsys, place, module):
    config = get_config()
    config.data.tfds_dir, config.attack.cache = str(tmp_path), ""
    content = {"name": "folder_images", "configName": "0123abcd-0123456789abcdef-whole", "version": "1.0.0"}
    _users_build(tmp_path / place, moduleName=module, **content)
    is_ours = place.endswith("1.0.0") and module.startswith("reno_tf")  # All else is told by its place or its module.
    listed = _clean(config, capsys)
    assert len(listed) == is_ours and (tmp_path / "folder_images").exists() != is_ours


def test_what_lies_beside_and_inside_a_build_stays(tmp_path, capsys):
    config = get_config()
    config.data.tfds_dir, config.attack.cache = str(tmp_path / "tfds"), ""
    greek, inside = tmp_path / "tfds" / "greek_letters", "1.0.0/notes.txt"
    data.load("greek", data_dir=config.data.tfds_dir)
    files.write_text(greek / inside, "years of work")
    assert _clean(config, capsys) == [] and (greek / "1.0.0" / "dataset_info.json").exists()
    (greek / inside).rename(greek / "notes.txt")
    (tmp_path / "elsewhere").mkdir()
    (greek / "1.0.0").rename(tmp_path / "elsewhere" / "1.0.0")
    (greek / "1.0.0").symlink_to(tmp_path / "elsewhere" / "1.0.0")
    assert _clean(config, capsys) == [] and (tmp_path / "elsewhere" / "1.0.0" / "dataset_info.json").exists()
    (greek / "1.0.0").unlink()
    (tmp_path / "elsewhere" / "1.0.0").rename(greek / "1.0.0")
    assert len(_clean(config, capsys)) == 1
    assert json.dumps([path.name for path in greek.iterdir() if path.name != ".lock"]) == '["notes.txt"]'


def test_a_changed_folder_replaces_its_own_copy_alone(tmp_path):
    for label in "ab":
        for number in range(3):
            _photo(tmp_path / "photos" / label / f"{number}.png", 50 * number)
    load = lambda: data.load("folder", folder=str(tmp_path / "photos"), data_dir=str(tmp_path / "tfds"))  # noqa: E731
    load()
    (copy,) = (path for path in (tmp_path / "tfds" / "folder_images").iterdir() if path.is_dir())
    mine = [copy.with_name(f"{copy.name[:8]}-mine") / "notes.txt", copy / "notes.txt"]
    for path in mine:
        files.write_text(path, "years of work")
    _photo(tmp_path / "photos" / "a" / "9.png", 200)
    load()
    assert not (copy / "1.0.0").exists() and all(path.read_text() == "years of work" for path in mine)


def test_one_copy_of_a_folder_is_kept_and_all_that_is_kept_is_listed_and_removed(tmp_path, capsys):
    config = get_config()
    config.data.tfds_dir, config.attack.cache = str(tmp_path / "tfds"), str(tmp_path / "cache")
    for place in ("photos", "others"):
        for label in "ab":
            for number in range(3):
                _photo(tmp_path / place / label / f"{number}.png", 50 * number)
    load = lambda place: data.load("folder", folder=str(tmp_path / place), data_dir=config.data.tfds_dir)  # noqa: E731
    copies = lambda: sorted(path.name for path in (tmp_path / "tfds" / "folder_images").iterdir() if path.is_dir())  # noqa: E731
    load("others")
    load("photos")
    before = copies()
    _photo(tmp_path / "photos" / "a" / "9.png", 200)
    assert len(load("photos").train) == 5
    assert len(before) == len(copies()) == 2 and len(set(before) & set(copies())) == 1  # Changed, it replaces its own.

    data.load("greek", data_dir=config.data.tfds_dir)
    (tmp_path / "tfds" / "cifar10").mkdir()  # What tensorflow-datasets keeps of its own.
    store.mark_as_cache(tmp_path / "cache")
    files.write_bytes(tmp_path / "cache" / f"{'0' * 64}.npy", bytes(2_000_000))
    _surrogate(tmp_path / "cache" / _STUDENT)
    files.write_bytes(tmp_path / "cache" / "thesis.tex", b"years of work")
    capsys.readouterr()
    modes.start("clean", config, command="")
    listed = capsys.readouterr().out
    assert listed.count("prepared folder") == 2 and listed.count("prepared greek") == 1
    assert "2.0 MB  adversarial set" in listed and "1.0 MB  attacker's student" in listed
    assert "in all; --delete removes it" in listed and "cifar10" not in listed and "thesis" not in listed
    assert len(copies()) == 2
    modes.start("clean", config, command="", delete=True)
    assert "removed" in capsys.readouterr().out
    assert not any((tmp_path / "tfds" / name).exists() for name in ("folder_images", "greek_letters"))
    left = {path.name for path in (tmp_path / "cache").iterdir()}
    assert {name for name in left if not name.startswith(".")} == {"thesis.tex"}
    assert (tmp_path / "tfds" / "cifar10").is_dir()
    modes.start("clean", config, command="")
    assert "0.0 MB  in all" in capsys.readouterr().out
