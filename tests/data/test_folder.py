"""Anyone's folder of images: both layouts, every format, and every mistake named in one line."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from reno_tf.data.folder import FolderImages, list_splits
from reno_tf.errors import UserError
from tests.photos import encode, swatch


def _write(root, files):
    """files: path -> content, or a number to be encoded by the path's suffix."""
    kinds = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP", ".gif": "GIF"}
    for number, (name, content) in enumerate(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(swatch(number), kinds[path.suffix.lower()]) if content is None else content)
    return root


def _names(*names):
    return dict.fromkeys(names)


def _single(sizes, suffix=".jpg"):
    return _names(*(f"{label}/{n}{suffix}" for label, size in sizes.items() for n in range(size)))


_PAIR = _names("train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg")


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
        _write(Path(folder.name), _single({"a": 10, "b": 5}))
        super().setUpClass()

    def _make_builder(self, config=None):
        return FolderImages(self.EXAMPLE_DIR, data_dir=self.tmp_dir)


def test_two_splits_in_every_format_with_odd_names(build):
    labels = ["Ünï čödé", "two words", "猫"]
    suffixes = [".jpg", ".JPG", ".png", ".webp", ".bmp", ".gif"]
    files = _names(
        *(f"train/{label}/{n}{suffix}" for label in labels for n, suffix in enumerate(suffixes)),
        *(f"test/{label}/é {label}.png" for label in labels),
    )
    others = {f"train/{labels[0]}/{name}": b"x" for name in (".hidden.jpg", "Thumbs.db", "deeper/1.txt")}
    _write(build.root, {**files, "readme.txt": b"x", "validation/a/1.jpg": b"x", "train/notes.txt": b"x", **others})
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


def test_drawn_test_split_is_stratified_complete_and_a_function_of_the_names(tmp_path):
    sizes = {"a": 2, "b": 5, "c": 10, "d": 23}
    splits = list_splits(_write(tmp_path / "one", _single(sizes)))
    assert {label: len(files) for label, files in splits["test"].items()} == {"a": 1, "b": 1, "c": 2, "d": 5}
    for label, size in sizes.items():
        both = splits["train"][label] + splits["test"][label]
        assert sorted(both) == sorted(f"{label}/{n}.jpg" for n in range(size))
    fewer = list_splits(_write(tmp_path / "two", _single({"c": 10, "d": 23})))
    assert all(fewer[split][label] == splits[split][label] for split in fewer for label in "cd")
    assert [file[1:] for file in list_splits(_write(tmp_path / "three", _single({"d": 23, "x": 23})))["test"]["x"]] != [
        file[1:] for file in splits["test"]["d"]
    ]


def test_folders_named_as_splits_may_be_classes(tmp_path):
    root = _write(tmp_path, _single({"bus": 2, "train": 2}))
    assert list(list_splits(root)["train"]) == ["bus", "train"]


def test_a_changed_folder_is_built_anew(build):
    _write(build.root, {**_PAIR, "train/a/1.jpg": encode(swatch(0)).ljust(1000, b"\0")})
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


_LAYOUTS = {
    "no class": ({"1.jpg": None}, "{root} holds no class: a folder of images is needed for each"),
    "one class": (_single({"a": 3}), "{root} holds one class only, 'a'; at least two are needed"),
    "one class of two splits": (
        _names("train/a/1.jpg", "test/a/1.jpg"),
        "{root}/train holds one class only, 'a'; at least two are needed",
    ),
    "empty class": ({**_PAIR, "train/c/readme.txt": b""}, "class 'c' holds no image: {root}/train/c"),
    "class in test only": ({**_PAIR, "test/c/1.jpg": None}, "class 'c' is in {root}/test and not in {root}/train"),
    "class in train only": ({**_PAIR, "train/c/1.jpg": None}, "class 'c' is in {root}/train and not in {root}/test"),
    "no test split": (
        _names("train/a/1.jpg", "train/b/1.jpg"),
        "{root} has the folder of one split, and no folder 'test'",
    ),
    "no train split": (
        _names("test/a/1.jpg", "test/b/1.jpg"),
        "{root} has the folder of one split, and no folder 'train'",
    ),
    "deeper images": (
        {**_PAIR, "train/a/kind/x.jfif": b"", "train/a/thumbs/readme.txt": b""},
        "class 'a' has images in folders of its own, such as 'kind'; put them directly into {root}/train/a",
    ),
    "one image": (_single({"a": 3, "b": 1}), "class 'b' has one image: too few for training and test"),
    "case": (_single({"Cat": 2, "cat": 2}), "classes 'Cat' and 'cat' differ only in case or encoding; rename one"),
    "encoding": (
        _single({"e\u0301": 2, "\u00e9": 2}),
        "classes 'e\u0301' and '\u00e9' differ only in case or encoding; rename one",
    ),
    "line end": (
        _single({"a\nb": 2, "c": 2}),
        "class 'a\\nb': a name must be printable and not begin or end with a space",
    ),
    "space": (_single({"a ": 2, "c": 2}), "class 'a ': a name must be printable and not begin or end with a space"),
}


@pytest.mark.parametrize("files,message", _LAYOUTS.values(), ids=_LAYOUTS)
def test_mistakes_of_layout_are_one_line(tmp_path, files, message):
    root = _write(tmp_path, files)
    with pytest.raises(UserError) as raised:
        FolderImages(root)
    assert str(raised.value) == message.format(root=root)


def test_what_is_not_used_is_counted_by_kind_in_one_line(build, caplog):
    files = {"a/x.HEIC": b"", "b/y.heic": b"", "b/z.tif": b"", "b/notes": b"", "b/thumbs/readme.txt": b"", "c.txt": b""}
    content = encode(swatch(3), "JPEG")
    _write(build.root, {**_single({"a": 3, "b": 3}), **files, "a/9.jfif": content, "b/9.JPE": content})
    builder = build()
    assert sum(builder.info.splits[split].num_examples for split in ("train", "test")) == 8
    told = f"{build.root}: not used, because their names are no images': 2 .heic, 1 .tif, 1 file, 1 folder"
    assert {record.getMessage() for record in caplog.records if "not used" in record.getMessage()} == {told}


def test_missing_folder(tmp_path):
    with pytest.raises(UserError, match=f"^there is no folder {tmp_path}/none$"):
        FolderImages(tmp_path / "none")


def test_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(UserError, match=f"^{tmp_path} cannot be read: Permission denied$"):
        FolderImages(tmp_path)


@pytest.mark.parametrize(
    "link,target,message",
    [
        ("train/loop", "loop", "{root}/train/loop is a link that leads nowhere or in a circle"),
        ("train/loop", "nowhere", "{root}/train/loop is a link that leads nowhere or in a circle"),
        ("train/loop", "..", "class 'loop' holds no image: {root}/train/loop"),
        ("train/loop", ".", "class 'loop' holds no image: {root}/train/loop"),
    ],
)
def test_links_in_a_circle_end(tmp_path, link, target, message):
    root = _write(tmp_path, _PAIR)
    (root / link).symlink_to(target)
    with pytest.raises(UserError) as raised:
        FolderImages(root)
    assert str(raised.value) == message.format(root=root)


def test_links_to_images_and_folders_are_followed(tmp_path):
    root = _write(tmp_path / "in", {**_PAIR})
    _write(tmp_path, {"elsewhere/1.jpg": None})
    for split in ("train", "test"):
        (root / split / "c").symlink_to(tmp_path / "elsewhere")
    assert list_splits(root)["train"]["c"] == ["train/c/1.jpg"]


_JPEG = encode(swatch(1))
_BROKEN = {
    "train/a/empty.jpg": b"",
    "train/a/text.jpg": b"<html>",
    "train/b/cut.png": encode(swatch(1), "PNG")[:-30],
    "test/b/cut.jpg": _JPEG[: len(_JPEG) // 2],
}


def test_every_unreadable_file_is_named_and_nothing_is_left(build):
    _write(build.root, {**_PAIR, **_BROKEN})
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
    root = _write(tmp_path / "in", {**_PAIR, "train/a/2.jpg": b""})
    builder = FolderImages(root, data_dir=str(tmp_path / "out"))
    with pytest.raises(UserError, match="^1 unreadable"):
        builder.download_and_prepare()
    (root / "train/a/2.jpg").write_bytes(encode(swatch(2)))
    builder.download_and_prepare()
    assert builder.info.splits["train"].num_examples == 3


def test_ten_are_named_and_the_others_counted(build):
    _write(build.root, {**_PAIR, **{f"train/a/{n:02d}.jpg": b"" for n in range(13)}})
    with pytest.raises(
        UserError, match=r"^13 unreadable images: train/a/00.jpg \(.*09.jpg \(empty file\) and 3 more; "
    ):
        build()


def test_all_unreadable(build):
    _write(build.root, dict.fromkeys(_PAIR, b""))
    with pytest.raises(UserError, match="no readable train image; 2 unreadable images: train/a/1.jpg"):
        build()


def test_skipped_files_are_recorded(build):
    _write(build.root, {**_PAIR, **_BROKEN})
    build(skip_unreadable=True)
    info = FolderImages(build.root, data_dir=str(build.data), skip_unreadable=True).info
    dropped = info.metadata["unreadable"]
    assert [entry.split(" (")[0] for entry in dropped["train"]] == [file for file in _BROKEN if "train" in file]
    assert [entry.split(" (")[0] for entry in dropped["test"]] == ["test/b/cut.jpg"]
    assert (info.splits["train"].num_examples, info.splits["test"].num_examples) == (2, 2)


def test_names_that_are_no_text(build):
    _write(build.root, _PAIR)
    os.rename(build.root / "train/a/1.jpg", os.fsencode(build.root) + b"/train/a/\xff.jpg")
    files = {example["file"].decode() for example in build().as_data_source(split="train")}
    assert files == {"train/a/\\udcff.jpg", "train/b/1.jpg"}
