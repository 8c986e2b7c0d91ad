"""The same photo in training and test: renamed, encoded anew, or of another size, told in one line."""

import io

import numpy as np
import pytest
from PIL import Image

from reno_tf import data
from reno_tf.data import building, leaks, loading
from reno_tf.reporting import rendering
from tests import photos


def _smaller(encoded):
    image = Image.open(io.BytesIO(encoded))
    return photos.encode(image.resize((image.width * 9 // 10, image.height * 9 // 10), Image.Resampling.BICUBIC))


def _content(number):
    return photos.encode(photos.picture(90, 120, seed=number), quality=90)


_COPIES = {  # What becomes of a training photo's bytes; whether its pixels stay.
    "renamed": (lambda content: content, True),
    "as PNG": (lambda content: photos.encode(Image.fromarray(photos.pixels(content)), "PNG"), True),
    "another quality": (lambda content: photos.encode(Image.fromarray(photos.pixels(content)), quality=50), False),
    "as WebP": (lambda content: photos.encode(Image.fromarray(photos.pixels(content)), "WEBP", quality=80), False),
    "a little smaller": (_smaller, False),
}


_SEEN = ("pixels", "hashes", "thumbnails")


@pytest.fixture
def folder(tmp_path):
    """Two classes, four training and two test photos each, none like another."""
    for place, name in enumerate(("train/cat", "train/dog", "test/cat", "test/dog")):
        (tmp_path / "in" / name).mkdir(parents=True)
        for number in range(4 if name.startswith("train") else 2):
            (tmp_path / "in" / name / f"{number}.jpg").write_bytes(_content(10 * place + number))
    return tmp_path / "in"


@pytest.fixture
def warnings(monkeypatch):
    """What was said of leaks."""
    told = []

    def warn(text, *values):
        told.extend(line for line in [text % values] if "training image" in line)

    monkeypatch.setattr(loading.logging, "warning", warn)
    return told


def _load(folder, **options):
    return data.load("folder", folder=str(folder), data_dir=str(folder.parent / "out"), size=16, **options)


@pytest.mark.parametrize("copied", _COPIES)
def test_a_copy_of_a_training_photo_in_the_test_is_named(folder, warnings, copied):
    change, same = _COPIES[copied]
    (folder / "test" / "dog" / "seven.jpg").write_bytes(change((folder / "train" / "dog" / "3.jpg").read_bytes()))
    facts = _load(folder).facts()
    pair = {"file": "test/dog/seven.jpg", "training_file": "train/dog/3.jpg", "same": same, "other_label": False}
    assert facts["leaked_test"] == [pair] and facts["num_leaked_test"] == 1 and facts["num_leaked_test_same"] == same
    (told,) = warnings
    assert told.startswith("folder: 1 of 5 test images is also a training image ") and "\n" not in told
    assert f"test/dog/seven.jpg {'=' if same else '~'} train/dog/3.jpg" in told and "too high" in told


def test_photos_that_differ_are_no_leak_and_nothing_is_said(folder, warnings):
    (folder / "train" / "dog" / "again.jpg").write_bytes((folder / "train" / "dog" / "3.jpg").read_bytes())
    facts = _load(folder).facts()
    assert facts["num_leaked_test"] == facts["num_leaked_validation"] == 0 and not facts["leaked_test"]
    assert not warnings


def test_a_copy_with_another_label_and_one_held_out_are_counted(folder, warnings):
    (folder / "test" / "cat" / "dog.jpg").write_bytes((folder / "train" / "dog" / "0.jpg").read_bytes())
    for number in range(4):  # Each dog twice: one of them may be held out.
        (folder / "train" / "dog" / f"{number} again.jpg").write_bytes(
            (folder / "train" / "dog" / f"{number}.jpg").read_bytes()
        )
    dataset = _load(folder, validation_per_class=1)
    facts = dataset.facts()
    assert (facts["num_leaked_test"], facts["num_leaked_test_other_label"], facts["num_leaked_validation"]) == (1, 1, 1)
    (told,) = warnings
    assert "1 with another label" in told and "1 of 2 validation images is also a training image" in told
    (held_out,) = dataset.leaks.validation
    assert held_out.file in dataset.validation.files and held_out.training_file in dataset.train.files


def test_only_what_is_trained_on_leaks(folder, warnings):
    """Of the eight copies two are drawn."""
    for label in ("cat", "dog"):
        for number in range(4):
            content = (folder / "train" / label / f"{number}.jpg").read_bytes()
            (folder / "test" / label / f"copy {number}.jpg").write_bytes(content)
    dataset = _load(folder, shots=1)
    assert {leak.training_file for leak in dataset.leaks.test} == set(dataset.train.files)
    assert dataset.facts()["num_leaked_test"] == 2 and "2 of 12 test images are also training images" in warnings[0]


def test_an_unreadable_photo_shifts_no_other_and_leaks_nothing(folder):
    (folder / "test" / "dog" / "copy.jpg").write_bytes((folder / "train" / "dog" / "3.jpg").read_bytes())
    assert _load(folder, skip_unreadable=True).facts()["num_leaked_test"] == 1
    for split, file in (("train", "train/cat/0.jpg"), ("test", "test/cat/0.jpg")):  # TensorFlow fails on them now.
        (path,) = folder.parent.rglob(f"index-{split}.npz")
        with np.load(path) as stored:
            columns = dict(stored)
        lost = columns["files"].tolist().index(file)
        columns["readable"][lost] = False
        for name in _SEEN:
            columns[name][lost] = 0
        np.savez(path, **columns)
    (pair,) = _load(folder, skip_unreadable=True).facts()["leaked_test"]
    assert (pair["file"], pair["training_file"]) == ("test/dog/copy.jpg", "train/dog/3.jpg")


def test_an_index_of_an_older_version_is_made_anew(folder):
    (folder / "test" / "dog" / "copy.jpg").write_bytes((folder / "train" / "dog" / "3.jpg").read_bytes())
    _load(folder)
    for path in folder.parent.rglob("index-*.npz"):
        with np.load(path) as stored:
            np.savez(path, **{name: stored[name] for name in ("labels", "files", "readable")})
    assert _load(folder).facts()["num_leaked_test"] == 1
    for path in folder.parent.rglob("index-*.npz"):
        with np.load(path) as stored:
            assert set(stored) == set(building._COLUMNS)


def test_images_that_are_no_photos_leak_by_their_pixels_alone():
    images = np.zeros((4, 8, 8, 3), np.uint8)
    images[1, 0, 0], images[2, 0, 0] = 1, 2
    prints = leaks.Prints.of_images(images, np.array([0, 0, 1, 1]))
    found = leaks.Leaks.of(train=prints.take([0, 1]), validation=prints.take([2]), test=prints.take([3]))
    assert [(leak.same, leak.other_label) for leak in found.test] == [(True, True)] and not found.validation
    assert not leaks.find_leaks(prints.take([1]), prints.take([2]))


def test_the_embedded_digits_do_not_leak(tmp_path, warnings):
    assert data.load("digits", data_dir=str(tmp_path)).facts()["num_leaked_test"] == 0 and not warnings


def test_ten_pairs_are_named_in_a_report_and_older_results_have_none():
    rows = [leaks.Leak(f"test/{number}.jpg", f"train/{number}.jpg", number > 0, False) for number in range(12)]
    facts = leaks.Leaks(test=tuple(rows)).facts() | {"num_test": 20}
    text = rendering.load_template("facts.j2").environment.from_string("{{ facts | leaks }}").render(facts=facts)
    assert "12 of 20 test images are also training images (11 the same, 1 nearly)" in text
    assert "test/0.jpg ~ train/0.jpg, test/1.jpg = " in text and "test/9.jpg" in text and "test/10.jpg" not in text
    assert leaks.sentence({"num_test": 20}) == ""
