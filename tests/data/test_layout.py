"""A user's folder: what its files are taken for, what is not used, and every mistake in one line."""

import os
from pathlib import Path

import pytest

from reno_tf.data import unused
from reno_tf.data.layout import list_splits
from reno_tf.errors import UserError
from tests.photos import write


def _names(*names):
    return dict.fromkeys(names)


def _single(sizes, suffix=".jpg"):
    return _names(*(f"{label}/{n}{suffix}" for label, size in sizes.items() for n in range(size)))


def _split_files(*splits):
    return _names(*(f"{split}/{label}/1.jpg" for split in splits for label in "ab"))


_PAIR = _names("train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg")


def test_drawn_test_split_is_stratified_complete_and_a_function_of_the_names(tmp_path):
    sizes = {"a": 2, "b": 5, "c": 10, "d": 23}
    splits = list_splits(write(tmp_path / "one", _single(sizes)))
    assert {label: len(files) for label, files in splits["test"].items()} == {"a": 1, "b": 1, "c": 2, "d": 5}
    for label, size in sizes.items():
        both = splits["train"][label] + splits["test"][label]
        assert sorted(both) == sorted(f"{label}/{n}.jpg" for n in range(size))
    fewer = list_splits(write(tmp_path / "two", _single({"c": 10, "d": 23})))
    assert all(fewer[split][label] == splits[split][label] for split in fewer for label in "cd")
    assert [file[1:] for file in list_splits(write(tmp_path / "three", _single({"d": 23, "x": 23})))["test"]["x"]] != [
        file[1:] for file in splits["test"]["d"]
    ]


def test_folders_named_as_splits_may_be_classes(tmp_path):
    root = write(tmp_path, _single({"bus": 2, "train": 2}))
    assert list(list_splits(root)["train"]) == ["bus", "train"]


_LAYOUTS = {
    "no class": ({"1.jpg": None}, "{root} holds no class: a folder of images is needed for each"),
    "one class": (_single({"a": 3}), "{root} holds one class only, 'a'; at least two are needed"),
    "one class of two splits": (
        _names("train/a/1.jpg", "test/a/1.jpg"),
        "{root}/train holds one class only, 'a'; at least two are needed",
    ),
    "empty class": ({**_PAIR, "train/c/.DS_Store": b""}, "class 'c' holds no image: {root}/train/c"),
    "class in test only": ({**_PAIR, "test/c/1.jpg": None}, "class 'c' is in {root}/test and not in {root}/train"),
    "class in train only": ({**_PAIR, "train/c/1.jpg": None}, "class 'c' is in {root}/train and not in {root}/test"),
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
    root = write(tmp_path, files)
    with pytest.raises(UserError) as raised:
        list_splits(root)
    assert str(raised.value) == message.format(root=root)


_MISTAKES = {  # what each line must say, beside the folder
    "train alone": (_names("Train/a/1.jpg", "Train/b/1.jpg"), ["no folder 'test'", "--config.data.dir={root}/Train,"]),
    "without test": (_split_files("train", "val"), ["no folder 'test'", "rename 'val' to 'test'", "={root}/train,"]),
    "train as a class with folders": (
        _names("car/1.jpg", "plane/1.jpg", "train/steam/1.jpg", "train/diesel/1.jpg"),
        ["if 'train' is a class, as 'car', put its images directly into {root}/train"],
    ),
    "without train": (_split_files("test", "valid"), ["no folder 'train'"]),
    "test without classes": (_split_files("train") | _names("test/1.jpg", "test/2.jpg"), ["no folder 'test' with"]),
    "two for training": (_split_files("train", "Training", "test"), ["{root}/Training and {root}/train both"]),
    "two for validation": (_split_files("train", "test", "val", "valid"), ["{root}/val and {root}/valid both"]),
    "a class for validation alone": (
        _split_files("train", "test", "valid") | _names("valid/c/1.jpg"),
        ["class 'c' is in {root}/valid and not in {root}/train"],
    ),
    "splits without classes": (_single({"train": 3, "test": 3}), ["test and train, and no classes"]),
    "unpacked into one folder": (
        _single({"my photos/a": 2, "my photos/b": 2}),
        ["--config.data.dir='{root}/my photos'"],
    ),
    "split in itself": (
        _split_files("test") | _single({"train/train/a": 2, "train/train/b": 2}),
        ["put its folders into {root}/train"],
    ),
    "one format that is not read": (
        _single({"a": 3}) | {f"b/{n}.HEIC": b"" for n in range(3)},
        ["class 'b' holds no image", "3 .heic", "images end in .bmp, .gif, .jfif, .jpe, .jpeg, .jpg, .png, .webp"],
    ),
    "no class in a format that is read": (
        {f"{split}/{name}/1.avif": b"" for split in ("train", "test") for name in "ab"},
        ["class 'a' holds no image", "1 .avif"],
    ),
    "backslashes": (_names("cats\\1.jpg", "dogs\\1.jpg"), ["'cats\\1.jpg'", "Windows", "the command unzip"]),
}


@pytest.mark.parametrize("files,parts", _MISTAKES.values(), ids=_MISTAKES)
def test_a_strangers_folder_is_told_what_to_do(tmp_path, files, parts):
    root = write(tmp_path, files)
    with pytest.raises(UserError) as raised:
        list_splits(root)
    assert "\n" not in str(raised.value)
    for part in parts:
        assert part.format(root=root) in str(raised.value)


def test_an_archive_is_told_to_be_unpacked(tmp_path):
    write(tmp_path, {"photos.zip": b"PK"})
    with pytest.raises(UserError, match=f"^{tmp_path}/photos.zip is a file, .* unpack"):
        list_splits(tmp_path / "photos.zip")


@pytest.mark.parametrize(
    "names",
    [
        ("train", "test", "valid"),
        ("Train", "Test", "Val"),
        ("TRAINING", "TESTING", "VALIDATION"),
        ("training_set", "test set", "validation-images"),
    ],
)
def test_splits_by_their_names(tmp_path, names):
    root = write(tmp_path, _split_files(*names))
    assert list_splits(root) == {
        split: {label: [f"{name}/{label}/1.jpg"] for label in "ab"}
        for split, name in zip(("train", "test", "validation"), names, strict=True)
    }
    assert unused.line(root, list_splits(root)) is None


def test_a_validation_split_may_lack_classes_and_one_without_classes_is_counted(tmp_path):
    root = write(tmp_path, _split_files("train", "test") | _names("train/c/1.jpg", "test/c/1.jpg", "val/1.jpg"))
    splits = list_splits(root)
    assert splits.keys() == {"train", "test"}
    assert "not used: 1 image in 'val'" in unused.line(root, splits)
    write(tmp_path, _names("val/a/1.jpg", "val/b/1.jpg"))
    assert list_splits(root)["validation"] == {"a": ["val/a/1.jpg"], "b": ["val/b/1.jpg"]}
    assert "not used: 1 image beside the class folders" in unused.line(root, list_splits(root))


def test_class_names_of_any_script(tmp_path):
    names = {"قطه\u200cها", "👩\u200d🌾", "❤️", "猫", "=1+1", "-x", "a&b"}
    assert list_splits(write(tmp_path, _single(dict.fromkeys(names, 2))))["train"].keys() == names


_LEFT_BEHIND = (
    *(".DS_Store", "__MACOSX/a/._1.jpg", "a/._1.jpg", "a/desktop.ini", "a/Thumbs.db", ".git/x/1.jpg"),
    *("@eaDir/1.jpg/S.jpg", "b/@eaDir/1.jpg/S.jpg", "lost+found/1.jpg", "$RECYCLE.BIN/1.jpg"),
    *("System Volume Information/x", "a/.ipynb_checkpoints/1-checkpoint.jpg"),
)


def test_what_a_system_leaves_is_no_class_and_no_line_of_its_own(tmp_path):
    root = write(tmp_path / "in", _single({"a": 3, "b": 3}) | dict.fromkeys(_LEFT_BEHIND, b""))
    splits = list_splits(root)
    assert splits == list_splits(write(tmp_path / "plain", _single({"a": 3, "b": 3})))
    assert unused.line(root, splits) is None
    write(root, {"labels.csv": b""})
    assert f"not used: {len(_LEFT_BEHIND)} hidden files, 1 .csv;" in unused.line(root, splits)


_OTHERS = {
    "2 .heic": _names("train/a/x.HEIC", "train/b/y.heic"),
    "1 .zip": _names("photos.zip"),
    "3 .txt": _names("readme.txt", "train/notes.txt", "train/b/thumbs/deep/readme.txt"),
    "4 images beside the class folders": _names("1.jpg", "2.PNG", "train/1.jpg", "valid/1.jpg"),
    "3 images in 'extra'": _names("extra/a/1.jpg", "extra/1.gif", "extra/b/c/d/e.bmp"),
    "1 image in 'dev set'": _names("dev set/1.jpg"),
    "2 files without an ending": _names("train/b/notes", "x/a.b c"),
}


def test_every_file_is_used_or_counted(tmp_path):
    files = {name: b"" for names in _OTHERS.values() for name in names}
    root = write(tmp_path, _split_files("train", "test", "valid") | files)
    splits = list_splits(root)
    assert splits.keys() == {"train", "test", "validation"}
    line = unused.line(root, splits)
    counted = line.removeprefix(f"{root}: not used: ").partition(";")[0].split(", ")
    assert sorted(counted) == sorted(_OTHERS)
    assert "\n" not in line and "images end in .bmp" in line


def test_files_of_many_kinds_are_one_short_line(tmp_path):
    root = write(tmp_path, _single({"a": 3, "b": 3}) | {f"scan.{n:03d}": b"" for n in range(300)})
    line = unused.line(root, list_splits(root))
    assert "290 of other kinds" in line and len(line) < len(str(root)) + 300


def test_what_is_behind_links_is_counted_once_and_circles_end(tmp_path, monkeypatch):
    root = write(tmp_path / "in", _names("a/1.jpg", "a/2.jpg"))
    write(tmp_path, _names("elsewhere/1.jpg", "elsewhere/2.jpg") | {"elsewhere/x.heic": b"", "a.tif": b""})
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "b" / "deep").mkdir()
    (root / "b" / "deep" / "up").symlink_to("..")
    (root / "c.tif").symlink_to(tmp_path / "a.tif")
    line = unused.line(root, list_splits(root))
    assert "not used: 1 .heic, 1 .tif, 1 file without an ending;" in line  # The last is the link.
    monkeypatch.chdir(root)
    here = Path()
    assert unused.line(here, list_splits(here)) == line.replace(str(root), ".", 1)


def test_missing_folder(tmp_path):
    with pytest.raises(UserError, match=f"^there is no folder {tmp_path}/none$"):
        list_splits(tmp_path / "none")


def test_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=f"^{tmp_path} cannot be read: Permission denied$"):
        list_splits(tmp_path)


@pytest.mark.parametrize(
    "link,target,message",
    [
        ("train/loop", "loop", "{root}/train/loop is a link that leads nowhere or in a circle"),
        ("train/loop", "nowhere", "{root}/train/loop is a link that leads nowhere or in a circle"),
        ("train/loop", "..", "class 'loop' has images in folders of its own, such as 'test'; put {loop}"),
        ("train/loop", ".", "class 'loop' has images in folders of its own, such as 'a'; put {loop}"),
    ],
)
def test_links_in_a_circle_end(tmp_path, link, target, message):
    root = write(tmp_path, _PAIR)
    (root / link).symlink_to(target)
    with pytest.raises(UserError) as raised:
        list_splits(root)
    assert str(raised.value) == message.format(root=root, loop=f"them directly into {root}/train/loop")


def test_links_to_images_and_folders_are_followed(tmp_path):
    root = write(tmp_path / "in", {**_PAIR})
    write(tmp_path, {"elsewhere/1.jpg": None})
    for split in ("train", "test"):
        (root / split / "c").symlink_to(tmp_path / "elsewhere")
    assert list_splits(root)["train"]["c"] == ["train/c/1.jpg"]
