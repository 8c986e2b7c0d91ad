"""From a data set's name to its splits: where photos come from, and what is refused."""

import dataclasses
import socket

import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds

from reno_tf import data
from reno_tf.data import DATASETS, sources
from reno_tf.errors import UserError
from reno_tf.reproduction import paper
from tests import photos


@pytest.fixture
def folder(tmp_path):
    """Two classes, twelve training and two test images each."""
    for split, count in (("train", 12), ("test", 2)):
        for label, name in enumerate(("crème brûlée", "tarte tatin")):
            (tmp_path / "in" / split / name).mkdir(parents=True)
            for number in range(count):
                content = photos.encode(photos.picture(40, 50, seed=100 * label + number))
                (tmp_path / "in" / split / name / f"{number}.jpg").write_bytes(content)
    return tmp_path / "in"


@pytest.fixture
def load(tmp_path, folder):
    return lambda **options: data.load("folder", folder=str(folder), data_dir=str(tmp_path / "out"), **options)


def test_a_folders_images_with_their_classes_and_names(load, folder):
    dataset = load(size=16, shots=3, validation_per_class=2)
    assert dataset.class_names == ["crème brûlée", "tarte tatin"]
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (6, 4, 4)
    assert dataset.test.images.shape == (4, 16, 16, 3)
    for position, (file, label) in enumerate(zip(dataset.test.files, dataset.test.labels, strict=True)):
        assert file.startswith(f"test/{dataset.class_names[label]}/")
        expected = photos.torchvision_test_view((folder / file).read_bytes(), 16).astype(int)
        assert np.abs(dataset.test.images[[position]][0] - expected).max() <= 1
    chosen = dataset.chosen()
    assert not set(chosen["train"]["files"]) & set(chosen["validation"]["files"])
    whole = load(size=16).train
    published = dict(zip(whole.indices, whole.files, strict=True))
    assert [published[index] for index in chosen["train"]["indices"]] == chosen["train"]["files"]


def test_fractions_are_per_class_nested_and_seeded(load):
    third, two_thirds, other = (load(fraction=f, seed=s).train for f, s in ((0.33, 0), (0.66, 0), (0.33, 1)))
    assert np.bincount(third.labels).tolist() == [4, 4] and np.bincount(two_thirds.labels).tolist() == [8, 8]
    assert set(third.files) < set(two_thirds.files) and set(third.files) != set(other.files)
    with pytest.raises(UserError, match=r"data.fraction must be in \(0, 1\], not 0"):
        load(fraction=0.0)
    assert np.bincount(load(fraction=0.34, shots=6).train.labels).tolist() == [2, 2]  # Of the shots.


def test_what_is_built_is_not_looked_at_again_and_a_changed_folder_is(load, folder):
    looked = []

    def progress(items):
        for item in items:
            looked.append(item)
            yield item

    load(progress=progress)
    assert len(looked) == 28
    load(progress=progress)
    assert len(looked) == 28
    (folder / "train" / "tarte tatin" / "new.png").write_bytes(photos.encode(photos.picture(9, 9), "PNG"))
    assert len(load(progress=progress).train) == 25


@pytest.fixture
def validation(folder):
    """Three images of one class and two of the other."""
    for label, count in (("crème brûlée", 3), ("tarte tatin", 2)):
        files = {f"Valid/{label}/{n}.jpg": photos.encode(photos.picture(40, 50, seed=900 + n)) for n in range(count)}
        photos.write(folder, files)


def test_a_folders_validation_split_is_the_validation_split(load, validation):
    dataset = load(size=16, validation_per_class=2)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (24, 5, 4)
    assert dataset.facts()["num_validation"] == 5 and dataset.facts()["num_unreadable_validation"] == 0
    chosen = dataset.chosen()
    assert all(file.startswith("train/") for file in chosen["train"]["files"])
    assert sorted(chosen["validation"]["files"])[0] == "Valid/crème brûlée/0.jpg"
    assert sorted(chosen["validation"]["indices"]) == [0, 1, 2, 3, 4]
    assert np.bincount(dataset.validation.labels).tolist() == [3, 2]
    assert dataset.seen("pad").validation.images.geometry == "pad"


def test_shots_are_drawn_as_without_a_validation_split(load, validation, folder):
    few = load(shots=3, validation_per_class=2)
    assert len(few.train) == 6 and len(few.validation) == 5
    assert set(few.train.files) < set(load(shots=11, validation_per_class=2).train.files)
    (folder / "Valid").rename(folder / "elsewhere")
    assert load(shots=3, validation_per_class=2).train.files.tolist() == few.train.files.tolist()


def test_unreadable_validation_images_are_counted(load, validation, folder):
    (folder / "Valid" / "tarte tatin" / "note.jpg").write_text("no image")
    with pytest.raises(UserError, match="1 unreadable image: Valid/tarte tatin/note.jpg"):
        load()
    facts = load(skip_unreadable=True).facts()
    assert (facts["num_validation"], facts["num_unreadable_validation"], facts["num_unreadable_train"]) == (5, 1, 0)


def test_a_tilde_is_the_users_home(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(folder)
    assert len(data.load("folder", folder="~/in", data_dir="~/out").train) == 24
    assert (tmp_path / "out").is_dir() and not (folder / "~").exists()


def test_unreadable_images_fail_by_name_or_are_dropped_and_counted(load, folder):
    (folder / "train" / "tarte tatin" / "cut.jpg").write_bytes(photos.encode(photos.picture(40, 50))[:-200])
    (folder / "test" / "tarte tatin" / "note.jpg").write_text("no image")
    with pytest.raises(UserError, match=r"2 unreadable images: train/tarte tatin/cut.jpg .*test/tarte tatin/note.jpg"):
        load()
    facts = load(skip_unreadable=True).facts()
    assert (facts["num_train"], facts["num_unreadable_train"]) == (24, 1)
    assert (facts["num_test"], facts["num_unreadable_test"]) == (4, 1)


def test_a_cache_reads_each_photo_once(load, folder):
    dataset = load(cache=True)
    reads = dataset.test.images._read
    dataset.test.images[:], dataset.test.images[:]
    assert reads.cache_info().misses == 4 and reads.cache_info().hits == 4


def test_what_is_not_there_says_which_command_to_run(tmp_path):
    out = str(tmp_path)
    with pytest.raises(UserError, match="^flowers is not prepared; run: python main.py --mode=prepare_data --config.d"):
        data.load("flowers", data_dir=out)
    with pytest.raises(UserError, match="^indoor is not prepared; .*--config.data.dir=FOLDER_OF_THE_ARCHIVES"):
        data.load("indoor", data_dir=out)
    with pytest.raises(UserError, match="^config.data.dir must name the folder of images"):
        data.load("folder", data_dir=out)
    with pytest.raises(UserError, match="indoorCVPR_09.tar.*not found in .*web.mit.edu"):
        (tmp_path / "manual").mkdir()
        (tmp_path / "manual" / "TrainImages.txt").write_text("")
        data.load("indoor", data_dir=out, folder=str(tmp_path / "manual"))
    assert not list(tmp_path.rglob("*.array_record*"))


def test_without_a_network_a_download_fails_at_once(tmp_path, monkeypatch):
    def refuse(address, timeout):
        assert address == ("www.robots.ox.ac.uk", 443) and timeout <= 10
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(UserError, match="does not answer .no network.*102flowers.tgz.*--config.data.dir"):
        data.load("flowers", data_dir=str(tmp_path), download=True)


@pytest.fixture
def flowers(tmp_path, monkeypatch):
    """Oxford's archives with five small photos: two to train, one to validate, two to test; one is broken."""
    (tmp_path / "jpg").mkdir()
    for number in range(1, 6):
        content = photos.encode(photos.picture(30, 30, seed=number))
        (tmp_path / "jpg" / f"image_{number:05d}.jpg").write_bytes(content[:-300] if number == 5 else content)
    scipy.io.savemat(tmp_path / "labels.mat", {"labels": [[7, 7, 102, 7, 1]]})
    scipy.io.savemat(tmp_path / "setid.mat", {"trnid": [[1, 2]], "valid": [[3]], "tstid": [[4, 5]]})
    paths = {"images": tmp_path, "labels": tmp_path / "labels.mat", "setid": tmp_path / "setid.mat"}
    manager = tfds.download.DownloadManager
    monkeypatch.setattr(manager, "download_and_extract", lambda self, urls: {key: str(paths[key]) for key in urls})
    monkeypatch.setattr(socket, "create_connection", lambda *args, **options: socket.socket())
    small = dataclasses.replace(DATASETS["flowers"], sizes=(102, 3, 2))
    monkeypatch.setitem(sources.DATASETS, "flowers", small)
    return lambda **options: data.load("flowers", data_dir=str(tmp_path / "out"), download=True, **options)


def test_flowers_train_on_the_published_train_and_validation(flowers):
    with pytest.raises(UserError, match="flowers holds 1 unreadable image: image_00005.jpg; leave them out with"):
        flowers()
    dataset = flowers(skip_unreadable=True, size=8)
    assert sorted(zip(dataset.train.files, dataset.train.labels.tolist(), strict=True)) == [
        ("image_00001.jpg", 6),
        ("image_00002.jpg", 6),
        ("image_00003.jpg", 101),
    ]
    assert dataset.test.files.tolist() == ["image_00004.jpg"] and dataset.unreadable["test"] == ["image_00005.jpg"]
    assert dataset.test.images[:].shape == (1, 8, 8, 3)


def test_another_number_of_images_than_published_is_refused(flowers, monkeypatch):
    monkeypatch.setitem(sources.DATASETS, "flowers", dataclasses.replace(DATASETS["flowers"], sizes=(102, 4, 2)))
    with pytest.raises(UserError, match=r"flowers has \(102, 3, 2\) .* published are \(102, 4, 2\)"):
        flowers(skip_unreadable=True)


def test_a_leak_into_imagenet_is_told(flowers, monkeypatch):
    noted = dataclasses.replace(DATASETS["flowers"], note=DATASETS["dogs"].note)
    monkeypatch.setitem(sources.DATASETS, "flowers", noted)
    assert "ImageNet's training set" in flowers(skip_unreadable=True).facts()["note"]


def test_the_published_sizes_are_the_papers():
    """Table 3 of the paper: images a class, test images a class, classes."""
    assert {name: DATASETS[name].sizes for name in paper.DATASETS} == {
        "dogs": (120, 100 * 120, 8580),
        "birds": (200, 5994, 5794),
        "actions": (40, 100 * 40, 5532),
        "indoor": (67, 80 * 67, 20 * 67),
        "flowers": (102, 20 * 102, 6149),
    }
