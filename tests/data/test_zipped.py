"""Data sets that are read from zips of class folders, on small archives laid out like the real ones."""

import io
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from reno_tf import files
from reno_tf.data.zipped import Signs, Trashnet
from reno_tf.errors import UserError
from tests.photos import encode, picture, pixels, swatch


@pytest.fixture
def make(tmp_path, monkeypatch):
    """make(builder, file, {name in the zip: content or None}) writes an archive and returns what is built of it."""
    manual = tmp_path / "manual"
    manual.mkdir()

    def build(builder, file, images, **options):
        with zipfile.ZipFile(manual / file, "w") as archive:
            for number, (name, content) in enumerate(images.items()):
                archive.writestr(name, content or encode(swatch(number)))
        monkeypatch.setitem(builder.ARCHIVES, file, files.digest_path(manual / file))
        return build.again(builder, **options)

    def again(builder, **options):
        made = builder(data_dir=str(tmp_path / "data"), **options)
        config = tfds.download.DownloadConfig(manual_dir=str(manual), compute_stats="skip")
        made.download_and_prepare(download_config=config, file_format="array_record")
        return made

    build.again, build.manual = again, manual
    return build


def _waste(folder):
    """The first 61 of each kind: a whole block is the test."""
    return {f"{folder}/{kind}/{kind}{number}.jpg": None for kind in Trashnet.class_names for number in range(1, 62)}


def _files(built, split):
    return {example["file"].decode(): example for example in built.as_data_source(split=split)}


def test_blocks_of_numbers_are_the_test_of_each_kind_of_waste(make):
    built = make(Trashnet, "trashnet-160.zip", _waste("trashnet"))
    train, test = _files(built, "train"), _files(built, "test")
    assert set(test) == {f"{kind}/{kind}{number}.jpg" for kind in Trashnet.class_names for number in range(41, 61)}
    assert len(train) == 6 * 41 and not set(train) & set(test)
    names = built.info.features["label"].names
    assert all(file.startswith(f"{names[row['label']]}/") for file, row in (train | test).items())
    number = 61 * Trashnet.class_names.index("metal")
    assert np.abs(train["metal/metal1.jpg"]["image"].astype(int) - pixels(encode(swatch(number)))).max() == 0


def test_the_published_archive_is_reduced_and_its_hidden_files_are_not_read(make):
    images = {"dataset-resized/glass/glass1.jpg": encode(picture(384, 512)), "dataset-resized/.DS_Store": b"hidden"}
    images |= {"__MACOSX/dataset-resized/glass/._glass1.jpg": b"hidden"}
    built = make(Trashnet, "dataset-resized.zip", _waste("dataset-resized") | images)
    reduced = _files(built, "train")["glass/glass1.jpg"]["image"]
    expected = Image.open(io.BytesIO(images["dataset-resized/glass/glass1.jpg"])).resize((213, 160), Image.LANCZOS)
    assert (reduced == pixels(encode(expected, quality=90))).all()
    assert built.info.metadata["unreadable"] == {"train": [], "test": []}


def test_no_student_is_on_both_sides(make):
    """The third and the seventh are the test. One swaps two digits, one lacks some, one shows a digit twice."""
    shown = ["0123456789", "0123456789", "0123456798", "0123456789", "0134567889", "1023456789", "0123456789", "0123"]
    students = [number for number, digits in enumerate(shown) for _ in digits]
    names = [f"{digit}/IMG_{1000 + place}.JPG" for place, digit in enumerate("".join(shown))]
    order = np.random.default_rng(0).permutation(len(names))  # The zip's order says nothing.
    built = make(Signs, "signs.zip", {f"signs/{names[place]}": None for place in order})
    sides = {split: {students[names.index(file)] for file in _files(built, split)} for split in ("train", "test")}
    assert sides == {"train": {0, 1, 3, 4, 5, 7}, "test": {2, 6}}
    assert len(_files(built, "test")) == 20


def test_an_archive_with_another_content_is_refused(make, monkeypatch):
    make(Trashnet, "trashnet-160.zip", _waste("trashnet"))
    archive = make.manual / "trashnet-160.zip"
    monkeypatch.setitem(Trashnet.ARCHIVES, archive.name, "12345678" * 8)
    own = files.digest_path(archive)[:8]
    with pytest.raises(UserError, match=f"^{archive} is another file: its SHA-256 begins with {own}, not 12345678$"):
        make.again(Trashnet, skip_unreadable=True)  # another copy
    archive.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match="is a Git LFS pointer"):
        make.again(Trashnet, skip_unreadable=True)


@pytest.mark.parametrize("builder", [Trashnet, Signs])
def test_a_missing_archive_is_told_with_its_source_and_digest(make, builder):
    for other in (None, "another.zip"):
        if other:
            (make.manual / other).touch()
        with pytest.raises(UserError) as raised:
            make.again(builder)
        message = str(raised.value)
        assert message.startswith(f"{builder.name}: ") and "\n" not in message and builder.HOMEPAGE in message
        assert all(f"{file} (SHA-256 {digest})" in message for file, digest in builder.ARCHIVES.items())
        assert (f"not found in {make.manual}" in message) == bool(other)


def test_a_broken_photo_is_named(make):
    images = _waste("trashnet") | {"trashnet/paper/paper7.jpg": b"no image"}
    with pytest.raises(UserError, match="^1 unreadable image: paper/paper7.jpg .not a JPEG"):
        make(Trashnet, "trashnet-160.zip", images)
