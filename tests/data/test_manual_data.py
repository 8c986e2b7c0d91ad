"""The builders that read a manual directory, on small archives laid out like the real ones."""

import io
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow_datasets as tfds

from reno_tf.data.manual import IndoorScenes, StanfordActions
from reno_tf.errors import UserError
from tests.photos import encode, swatch

_SMALL = {StanfordActions: {"train": 80, "test": 40}, IndoorScenes: {"train": 134, "test": 67}}


def _odd(number):
    """As in the real Indoor 67: a GIF and a CMYK file whose names end in .jpg."""
    return {3: encode(swatch(3, "P"), "GIF"), 4: encode(swatch(4, "CMYK"))}.get(number) or encode(swatch(number))


def actions_archives(folder, images=None):
    images = dict(images or {})
    with zipfile.ZipFile(folder / "Stanford40_ImageSplits.zip", "w") as archive:
        archive.writestr("ImageSplits/actions.txt", "action_name\n")
        for index, label in enumerate(StanfordActions.class_names):
            names = [f"{label}_{number:03d}.jpg" for number in (1, 2, 3)]
            archive.writestr(f"ImageSplits/{label}_train.txt", "\n".join(names[:2]) + "\n")
            archive.writestr(f"ImageSplits/{label}_test.txt", f"{names[2]}\r\n")
            for number, name in enumerate(names):
                images.setdefault(f"JPEGImages/{name}", encode(swatch(3 * index + number)))
    with zipfile.ZipFile(folder / "Stanford40_JPEGImages.zip", "w") as archive:
        for name, content in images.items():
            if content is not None:
                archive.writestr(name, content)


def indoor_archives(folder, images=None):
    images, lists = dict(images or {}), {"TrainImages.txt": [], "TestImages.txt": []}
    for index, label in enumerate(IndoorScenes.class_names):
        names = [f"{label}/{number} {label}.jpg" for number in range(3)]
        if label == "deli":
            names[0] = "deli/caf\udce9.jpg"  # Latin-1, as Python reads it
        lists["TrainImages.txt"] += names[:2]
        lists["TestImages.txt"] += names[2:]
        for number, name in enumerate(names):
            images.setdefault(f"Images/{name}", _odd(3 * index + number))
    images["Images/bar/in no list.jpg"] = b"broken"
    for name, lines in lists.items():
        (folder / name).write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    with tarfile.open(folder / "indoorCVPR_09.tar", "w") as archive:
        for name, content in images.items():
            if content is not None:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


_ARCHIVES = {StanfordActions: actions_archives, IndoorScenes: indoor_archives}


class _Case(tfds.testing.DatasetBuilderTestCase):
    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.EXAMPLE_DIR)
        _ARCHIVES[cls.DATASET_CLASS](Path(cls.EXAMPLE_DIR))
        cls.enterClassContext(mock.patch.object(cls.DATASET_CLASS, "SIZES", _SMALL[cls.DATASET_CLASS]))
        super().setUpClass()


class TestStanfordActions(_Case):
    DATASET_CLASS = StanfordActions
    SPLITS = _SMALL[StanfordActions]


class TestIndoorScenes(_Case):
    DATASET_CLASS = IndoorScenes
    SPLITS = _SMALL[IndoorScenes]


del _Case  # It has no data set of its own to test.


@pytest.fixture(params=_SMALL, ids=lambda builder: builder.name)
def make(request, tmp_path, monkeypatch):
    """make(images) writes the archives, with `images` in place of their own, and returns what builds them."""
    builder = request.param
    monkeypatch.setattr(builder, "SIZES", _SMALL[builder])
    manual = tmp_path / "manual"
    manual.mkdir()

    def build(**options):
        made = builder(data_dir=str(tmp_path / "data"), **options)
        config = tfds.download.DownloadConfig(manual_dir=str(manual), compute_stats="skip")
        made.download_and_prepare(download_config=config, file_format="array_record")
        return made

    build.builder, build.manual, build.data = builder, manual, tmp_path / "data"
    build.archives = lambda images=None: _ARCHIVES[builder](manual, images)
    return build


def _examples(builder, split):
    return {example["file"].decode(): example for example in builder.as_data_source(split=split)}


def _files(builder):
    """Two files of one class's training part, and how they are named in messages."""
    return {
        StanfordActions: ["JPEGImages/cooking_001.jpg", "JPEGImages/cooking_002.jpg"],
        IndoorScenes: ["Images/bakery/0 bakery.jpg", "Images/bakery/1 bakery.jpg"],
    }[builder]


def test_published_sizes_and_classes():
    for builder, classes, sizes in ((StanfordActions, 40, (4000, 5532)), (IndoorScenes, 67, (5360, 1340))):
        assert (builder.SIZES["train"], builder.SIZES["test"]) == sizes
        assert len(builder.class_names) == len(set(builder.class_names)) == classes
        assert list(builder.class_names) == sorted(builder.class_names)
    assert (StanfordActions.class_names[0], StanfordActions.class_names[36]) == ("applauding", "watching_TV")
    assert (IndoorScenes.class_names[0], IndoorScenes.class_names[-1]) == ("airport_inside", "winecellar")


def test_labels_and_pixels(make):
    make.archives()
    built = make()
    assert built.info.features["label"].names == list(make.builder.class_names)
    train = _examples(built, "train")
    assert len(train) == _SMALL[make.builder]["train"]
    for file, example in train.items():
        label = make.builder.class_names[example["label"]]
        assert file.startswith((f"JPEGImages/{label}_0", f"Images/{label}/"))
    odd = {"Images/artstudio/0 artstudio.jpg": (3, "P"), "Images/artstudio/1 artstudio.jpg": (4, "CMYK")}
    for file, (number, mode) in odd.items() if make.builder is IndoorScenes else ():
        expected = np.asarray(swatch(number, mode).convert("RGB"), int)
        assert np.abs(train[file]["image"] - expected).max() <= 2  # The CMYK file is a JPEG, hence not exact.
    assert built.info.metadata["unreadable"] == {"train": [], "test": []}


def test_unpacked_folders_are_read_too(make):
    make.archives()
    for archive in list(make.manual.glob("*.zip")) + list(make.manual.glob("*.tar")):
        shutil.unpack_archive(archive, make.manual)
        archive.unlink()
    file = make.manual / _files(make.builder)[0]
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(UserError, match=r"^1 unreadable image: .* \(missing\); "):
        make()
    file.write_bytes(content)
    assert make().info.splits["test"].num_examples == _SMALL[make.builder]["test"]


@pytest.mark.parametrize("make", [StanfordActions], indirect=True)
def test_a_zip_made_on_windows_is_read(make):
    """Some write backslashes into its names."""
    make.archives()
    for archive in list(make.manual.glob("*.zip")):
        content = archive.read_bytes()
        for folder in (b"JPEGImages", b"ImageSplits"):
            content = content.replace(folder + b"/", folder + b"\\")
        archive.write_bytes(content)
        assert "\\" in zipfile.ZipFile(archive).namelist()[0]
    assert make().info.splits["test"].num_examples == _SMALL[make.builder]["test"]


@pytest.mark.parametrize("make", [IndoorScenes], indirect=True)
def test_a_tar_of_the_folder_where_it_lies_is_read(make):
    make.archives()
    path = make.manual / "indoorCVPR_09.tar"
    with tarfile.open(path) as archive:
        contents = {member.name: archive.extractfile(member).read() for member in archive}
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert make().info.splits["test"].num_examples == _SMALL[make.builder]["test"]


def test_pointers_of_git_lfs_are_told(make):
    make.archives()
    for file in make.manual.iterdir():
        content = file.read_bytes()
        file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
        with pytest.raises(UserError, match=f"{file} is a Git LFS pointer, .*git lfs pull"):
            make()
        file.write_bytes(content)


def test_unreadable_files_are_all_named_and_nothing_is_left(make):
    first, second = _files(make.builder)
    test = {StanfordActions: "JPEGImages/running_003.jpg", IndoorScenes: "Images/mall/2 mall.jpg"}[make.builder]
    make.archives({first: b"", test: None})
    with pytest.raises(UserError) as raised:
        make()
    assert str(raised.value) == (
        f"2 unreadable images: {first} (empty file), {test} (missing); "
        "replace them, or leave them out with --skip_unreadable"
    )
    left = [path.name for path in make.data.glob("*/*/*")]
    assert left == ["metadata.json"]  # in .config: which config of the builder is the default
    make.archives({second: b""})  # Repaired, and another one broken.
    with pytest.raises(UserError, match=rf"1 unreadable image: {second} \(empty file\);"):
        make()


def test_skipped_files_are_left_out_and_recorded(make):
    first, _ = _files(make.builder)
    make.archives({first: b"no image"})
    make(skip_unreadable=True)
    built = make.builder(data_dir=str(make.data), skip_unreadable=True)  # as it is read in a later run
    (entry,) = built.info.metadata["unreadable"]["train"]
    assert entry == f"{first} (not a JPEG, PNG, WebP, BMP or GIF image)"
    assert built.info.splits["train"].num_examples == _SMALL[make.builder]["train"] - 1
    assert first not in _examples(built, "train")
    with pytest.raises(UserError, match="1 unreadable"):  # A whole copy is another copy.
        make()


def test_a_class_must_keep_an_image(make):
    make.archives(dict.fromkeys(_files(make.builder), b""))
    label = {StanfordActions: "cooking", IndoorScenes: "bakery"}[make.builder]
    with pytest.raises(UserError, match=f"class '{label}' has no readable train image; 2 unreadable images: "):
        make(skip_unreadable=True)


def test_wrong_sizes_name_both_numbers(make, monkeypatch):
    make.archives()
    monkeypatch.setattr(make.builder, "SIZES", {**make.builder.SIZES, "test": 1234})
    found = _SMALL[make.builder]["test"]
    with pytest.raises(UserError, match=f"the test list names {found} images, the published one 1234"):
        make()


@pytest.mark.parametrize("make", [IndoorScenes], indirect=True)
def test_an_image_listed_twice_counts_once(make):
    make.archives()
    file = make.manual / "TrainImages.txt"
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([lines[0], *lines[:1], *lines[2:]]))
    with pytest.raises(UserError, match="the train list names 133 images, the published one 134"):
        make()


def test_wrong_classes_are_named(make, monkeypatch):
    make.archives()
    labels = make.builder.class_names
    monkeypatch.setattr(make.builder, "class_names", tuple(sorted({*labels[1:], "zebra"})))
    message = {
        StanfordActions: "ImageSplits/zebra_train.txt in .*: missing",
        IndoorScenes: "the train list and the published classes differ in 'airport_inside'",
    }
    with pytest.raises(UserError, match=message[make.builder]):
        make()


@pytest.mark.parametrize(
    "make,file",
    [
        (StanfordActions, "Stanford40_JPEGImages.zip"),
        (StanfordActions, "Stanford40_ImageSplits.zip"),
        (IndoorScenes, "indoorCVPR_09.tar"),
        (IndoorScenes, "TrainImages.txt"),
        (IndoorScenes, "TestImages.txt"),
    ],
    indirect=["make"],
)
def test_missing_and_damaged_files_are_named(make, file):
    make.archives()
    content = (make.manual / file).read_bytes()
    (make.manual / file).unlink()
    with pytest.raises(UserError) as raised:
        make()
    message = str(raised.value)
    assert (
        f"{file} not found in {make.manual}. " in message and make.builder.HOMEPAGE in message and "\n" not in message
    )
    (make.manual / file).write_bytes(content[: len(content) // 1024 * 512])  # where a block of the tar ends
    reason = "the published classes differ in" if file.endswith(".txt") else f"{file} is damaged, fetch it again: "
    with pytest.raises(UserError, match=reason):
        make()


@pytest.mark.parametrize("exists", [True, False])
def test_empty_or_missing_manual_directory(make, exists):
    if not exists:
        make.manual.rmdir()
    with pytest.raises(UserError) as raised:
        make()
    message = str(raised.value)
    assert f"Manual directory {make.manual} does not exist or is empty. Put " in message
    assert make.builder.HOMEPAGE in message and "\n" not in message
