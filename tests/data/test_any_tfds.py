"""Any image classification of tensorflow-datasets by name, on small ones that this file registers."""

import errno
import unittest.mock

import numpy as np
import pytest
import tensorflow_datasets as tfds

from configs.default import get_config
from reno_tf import data, files, settings
from reno_tf.errors import UserError


def _builder(name, features, splits, *, label=lambda number: number % 2):
    """Registers a data set of that name; splits: {split: number of examples}."""

    def info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def examples(self, count):
        for number in range(count):
            image = np.full([20, 24, 3], number, np.uint8)
            yield number, {key: {"image": image, "label": label(number)}.get(key, number) for key in features}

    members = {"VERSION": tfds.core.Version("1.0.0"), "_info": info, "_generate_examples": examples}
    members["_split_generators"] = lambda self, _: {split: examples(self, count) for split, count in splits.items()}
    members["__module__"] = __name__
    return type(name, (tfds.core.GeneratorBasedBuilder,), members)


_IMAGES = {"image": tfds.features.Image(shape=(None, None, 3)), "label": tfds.features.ClassLabel(names=["no", "yes"])}
_builder("WithTest", _IMAGES, {"train": 8, "validation": 3, "test": 4})
_builder("WithValidation", _IMAGES | {"id": tfds.features.Scalar(np.int64)}, {"train": 8, "validation": 6})
_builder("WithTrain", _IMAGES, {"train": 10})
_builder("OnlyLabels", {"label": _IMAGES["label"]}, {"train": 2})
_builder("Contest", _IMAGES, {"train": 2}, label=lambda number: -1)


@pytest.mark.parametrize(
    ("name", "sizes"), [("with_test", (8, 4)), ("with_validation", (8, 6)), ("with_train", (8, 2))]
)
def test_its_splits_and_label_names(name, sizes, tmp_path):
    with pytest.raises(UserError, match=f"tfds:{name} is not prepared; run: .*--config.data.name=tfds:{name}$"):
        data.load(f"tfds:{name}", data_dir=str(tmp_path))
    data.load(f"tfds:{name}", data_dir=str(tmp_path), download=True)
    found = data.load(f"tfds:{name}", size=16, data_dir=str(tmp_path))  # Now nothing is built.
    assert (found.name, found.class_names) == (name, ["no", "yes"])
    assert (len(found.train), len(found.test)) == sizes
    for split in (found.train, found.test):
        pixels = np.round(255 * split.floats()[:][:, 0, 0, 0]).astype(int)
        assert list(pixels % 2) == list(split.labels) and split.images[:].shape[1:] == (16, 16, 3)
    everything = np.concatenate([np.round(255 * split.floats()[:][:, 0, 0, 0]) for split in (found.train, found.test)])
    assert name != "with_train" or sorted(everything) == list(range(10))


@pytest.mark.parametrize(("known", "pieces"), [(True, 3), (False, 1)])
def test_what_others_prepared_is_read_as_it_lies(known, pieces, tmp_path, caplog):
    """As TFRecord, the library's own format, in one file or several; the data set's code may be elsewhere."""
    config = tfds.download.DownloadConfig(num_shards=pieces)
    tfds.builder("with_test", data_dir=str(tmp_path)).download_and_prepare(download_config=config)
    assert len([*tmp_path.rglob("*-train.tfrecord-*")]) == pieces
    name = "with_test" if known else "without_code"
    if not known:
        (made,) = (tmp_path / "with_test").rename(tmp_path / name).iterdir()
        info = made / "dataset_info.json"
        info.write_text(info.read_text().replace("with_test", name))
        for file in [*made.glob("*tfrecord*")]:
            file.rename(made / file.name.replace("with_test", name))
    before = sorted(tmp_path.rglob("*"))
    with unittest.mock.patch.object(files, "write_bytes", side_effect=OSError(errno.EROFS, "Read-only file system")):
        found = data.load(f"tfds:{name}", size=16, data_dir=str(tmp_path))
    assert (found.class_names, len(found.train), len(found.test)) == (["no", "yes"], 8, 4)
    pixels = np.round(255 * found.train.floats()[:][:, 0, 0, 0]).astype(int)
    assert sorted(pixels) == list(range(8)) and list(pixels % 2) == list(found.train.labels)
    assert sorted(tmp_path.rglob("*")) == before  # All that could be written is what was seen of its photos.
    told = [record.getMessage() for record in caplog.records if "index-" in record.getMessage()]
    assert len(told) == 2 and "Read-only file system; each start decodes all photos anew" in told[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tfds:no_such_set", "tensorflow-datasets cannot open 'no_such_set': "),
        ("tfds:only_labels", "tfds:only_labels is not image classification: it has label, not an image and a label$"),
        ("tfds:contest", "tfds:contest has images without a label in its split 'train\\[:80%\\]'$"),
        ("cifar10", "unknown data set 'cifar10'; choose one of: .*tfds:NAME"),
    ],
)
def test_what_is_none(name, message, tmp_path):
    with pytest.raises(UserError, match=message):
        data.load(name, data_dir=str(tmp_path), download=True)


def test_settings_take_the_name():
    config = get_config()
    config.data.name = "tfds:with_test"
    assert settings.read(config).data.name == "tfds:with_test"
    config.data.name = "cifar10"
    with pytest.raises(UserError, match="unknown config.data.name 'cifar10'; choose one of: .*tfds:NAME"):
        settings.read(config)
