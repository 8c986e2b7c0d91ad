"""--mode=clean, and the copies of users' folders that it lists."""

import numpy as np
from PIL import Image

from configs.default import get_config
from reno_tf import commands, data, files


def _photo(path, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), shade, np.uint8)).save(path)


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
    files.write_bytes(tmp_path / "cache" / "x.npy", bytes(2_000_000))
    files.write_bytes(tmp_path / "cache" / "surrogate-1" / "checkpoints" / "y", bytes(1_000_000))
    files.write_bytes(tmp_path / "cache" / "thesis.tex", b"years of work")
    capsys.readouterr()
    commands.start("clean", config, command="")
    listed = capsys.readouterr().out
    assert listed.count("prepared folder") == 2 and listed.count("prepared greek") == 1
    assert "2.0 MB  adversarial set" in listed and "1.0 MB  attacker's student" in listed
    assert "in all; --delete removes it" in listed and "cifar10" not in listed and "thesis" not in listed
    assert len(copies()) == 2
    commands.start("clean", config, command="", delete=True)
    assert "removed" in capsys.readouterr().out
    assert not copies() and not (tmp_path / "tfds" / "greek_letters").exists()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["thesis.tex"]
    assert (tmp_path / "tfds" / "cifar10").is_dir()
    commands.start("clean", config, command="")
    assert "0.0 MB  in all" in capsys.readouterr().out
