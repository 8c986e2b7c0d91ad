"""Anyone's images: a copy, whatever their format, that follows the folder; unreadable files are named in one line."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from reno_tf.data.folder import FolderImages
from reno_tf.errors import UserError
from tests.photos import encode, swatch, write

_PAIR = dict.fromkeys(["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg"])


@pytest.fixture
def build(tmp_path):
    def build(**options):
        builder = FolderImages(tmp_path / "in", data_dir=str(tmp_path / "out"), **options)
        config = tfds.download.DownloadConfig(compute_stats="skip")
        builder.download_and_prepare(download_config=config, file_format="array_record")
        return builder

    build.root, build.data = tmp_path / "in", tmp_path / "out"
    return build


class TestFolderImages(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = FolderImages
    SPLITS = {"train": 12, "test": 3}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.EXAMPLE_DIR = folder.name
        sizes = {"a": 10, "b": 5}
        write(Path(folder.name), {f"{name}/{n}.jpg": None for name in sizes for n in range(sizes[name])})
        super().setUpClass()

    def _make_builder(self, config=None):
        return FolderImages(self.EXAMPLE_DIR, data_dir=self.tmp_dir)


def test_two_splits_in_every_format_with_odd_names(build):
    labels = ["Ünï čödé", "two words", "猫"]
    suffixes = [".jpg", ".JPG", ".png", ".webp", ".bmp", ".gif"]
    images = [f"train/{label}/{n}{suffix}" for label in labels for n, suffix in enumerate(suffixes)]
    files = dict.fromkeys(images + [f"test/{label}/é {label}.png" for label in labels])
    others = {f"train/{labels[0]}/{name}": b"x" for name in (".hidden.jpg", "Thumbs.db", "deeper/1.txt")}
    write(build.root, {**files, "readme.txt": b"x", "extra/a/1.jpg": b"x", "train/notes.txt": b"x", **others})
    build()
    builder = FolderImages(build.root, data_dir=str(build.data))  # read anew
    assert builder.info.features["label"].names == sorted(labels)
    found = {}
    for split in ("train", "test"):
        for example in builder.as_data_source(split=split):
            file = example["file"].decode()
            found[file] = example["image"]
            assert file.startswith(f"{split}/{sorted(labels)[example['label']]}/")
    assert found.keys() == files.keys()
    for number, file in enumerate(files):
        if file.endswith(("png", "bmp")):
            np.testing.assert_array_equal(found[file], np.asarray(swatch(number)))


def test_a_changed_folder_is_built_anew(build):
    write(build.root, {**_PAIR, "train/a/1.jpg": encode(swatch(0)).ljust(1000, b"\0")})
    first, again = build(), build()
    assert first.data_path == again.data_path
    assert build(skip_unreadable=True).data_path != first.data_path
    file = build.root / "train/a/1.jpg"
    times = file.stat()
    content = encode(swatch(9))
    assert len(content) <= times.st_size
    file.write_bytes(content.ljust(times.st_size, b"\0"))  # Only its time may tell.
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    second = build()
    assert second.data_path != first.data_path
    (built,) = (e for e in second.as_data_source(split="train") if e["file"] == b"train/a/1.jpg")
    np.testing.assert_allclose(built["image"], np.asarray(swatch(9)), atol=3)
    file.rename(file.with_name("2.jpg"))
    assert build().data_path not in (first.data_path, second.data_path)


def test_a_validation_split_is_copied_too(build):
    write(build.root, {**_PAIR, "val/a/1.jpg": None, "val/b/1.png": None})
    sizes = {name: split.num_examples for name, split in build().info.splits.items()}
    assert sizes == {"train": 2, "test": 2, "validation": 2}
    write(build.root, {"val/b/2.jpg": b""})
    with pytest.raises(UserError, match=r"^1 unreadable image: val/b/2.jpg \(empty file\)"):
        build()
    build(skip_unreadable=True)
    info = FolderImages(build.root, data_dir=str(build.data), skip_unreadable=True).info
    assert info.metadata["unreadable"]["validation"] == ["val/b/2.jpg (empty file)"]


def test_what_is_not_used_is_said_once(build, caplog):
    write(build.root, {**_PAIR, "extra/x.jpg": b""})
    build(), build()
    lines = [record.getMessage() for record in caplog.records if "not used" in record.getMessage()]
    assert [line.partition(";")[0] for line in lines] == [f"{build.root}: not used: 1 image in 'extra'"]


def test_a_pointer_of_git_lfs_is_told(build):
    write(build.root, {**_PAIR, "train/a/2.jpg": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"})
    with pytest.raises(
        UserError, match=r"train/a/2.jpg \(a Git LFS pointer, not the file itself: git lfs pull fetches it\)"
    ):
        build()


_JPEG = encode(swatch(1))
_BROKEN = {
    "train/a/empty.jpg": b"",
    "train/a/text.jpg": b"<html>",
    "train/b/cut.png": encode(swatch(1), "PNG")[:-30],
    "test/b/cut.jpg": _JPEG[: len(_JPEG) // 2],
}


def test_every_unreadable_file_is_named_and_nothing_is_left(build):
    write(build.root, {**_PAIR, **_BROKEN})
    (build.root / "train/a/loop.jpg").symlink_to("loop.jpg")
    (build.root / "train/a/folder.jpg").mkdir()
    with pytest.raises(UserError) as raised:
        build()
    message = str(raised.value)
    assert message.startswith("6 unreadable images: ") and "\n" not in message
    assert all(f"{file} (" in message for file in _BROKEN)
    assert "train/a/loop.jpg (Too many levels of symbolic links)" in message
    assert "train/a/folder.jpg (Is a directory)" in message
    assert not [path for path in build.data.rglob("*") if path.is_file() or path.name == "1.0.0"]


def test_a_failed_build_can_be_repeated(tmp_path):
    root = write(tmp_path / "in", {**_PAIR, "train/a/2.jpg": b""})
    builder = FolderImages(root, data_dir=str(tmp_path / "out"))
    with pytest.raises(UserError, match="^1 unreadable"):
        builder.download_and_prepare()
    (root / "train/a/2.jpg").write_bytes(encode(swatch(2)))
    builder.download_and_prepare()
    assert builder.info.splits["train"].num_examples == 3


def test_ten_are_named_and_the_others_counted(build):
    write(build.root, {**_PAIR, **{f"train/a/{n:02d}.jpg": b"" for n in range(13)}})
    with pytest.raises(
        UserError, match=r"^13 unreadable images: train/a/00.jpg \(.*09.jpg \(empty file\) and 3 more; "
    ):
        build()


def test_all_unreadable(build):
    write(build.root, dict.fromkeys(_PAIR, b""))
    with pytest.raises(UserError, match="no readable train image; 2 unreadable images: train/a/1.jpg"):
        build()


def test_skipped_files_are_recorded(build):
    write(build.root, {**_PAIR, **_BROKEN})
    build(skip_unreadable=True)
    info = FolderImages(build.root, data_dir=str(build.data), skip_unreadable=True).info
    dropped = info.metadata["unreadable"]
    assert [entry.split(" (")[0] for entry in dropped["train"]] == [file for file in _BROKEN if "train" in file]
    assert [entry.split(" (")[0] for entry in dropped["test"]] == ["test/b/cut.jpg"]
    assert (info.splits["train"].num_examples, info.splits["test"].num_examples) == (2, 2)


def test_names_that_are_no_text(build):
    write(build.root, _PAIR)
    os.rename(build.root / "train/a/1.jpg", os.fsencode(build.root) + b"/train/a/\xff.jpg")
    files = {example["file"].decode() for example in build().as_data_source(split="train")}
    assert files == {"train/a/\\udcff.jpg", "train/b/1.jpg"}
