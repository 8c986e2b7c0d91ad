"""Weights of a network of Keras Applications as Keras 2 and 3 keep them: .h5, .weights.h5 and .keras."""

import contextlib
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import tf_keras
from tf_keras.src.saving.legacy import hdf5_format

from reno_tf import archives
from reno_tf.errors import UserError, one_line

SUFFIXES = (".h5", ".keras")
_MEMBER = "model.weights.h5"  # of a .keras


def load_keras_weights(network: tf_keras.Model, path: str) -> None:
    """Gives `network`, one without top, the weights in the file; those of a top are left out.

    The file holds the weights of that network, or the whole of it, with or without top, by Keras 2 or 3. No config in
    it is read. Raises UserError: another format, a damaged file, or one whose weights do not fit exactly.
    """
    try:
        with _weights_file(path) as name, h5py.File(name, "r") as file:
            archives.check_hdf5(file, path, stored=Path(name).stat().st_size)
            stored = file.get("model_weights", file)
            if "layer_names" in stored.attrs:
                _assign(network, _by_layer(stored), path)
            else:
                network.load_weights(name)  # Keras 3's format, and Keras 2's newer one, which is the same.
    except UserError:
        raise
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise UserError(f"{path} gives no weights of {network.name}: {one_line(error)}") from None


@contextlib.contextmanager
def _weights_file(path):
    """The HDF5 file that holds the weights: `path` itself, or a copy of the one inside of a .keras."""
    archives.refuse_stand_in(path)
    with tempfile.TemporaryDirectory() as folder:
        name = str(Path(folder) / _MEMBER)  # Keras tells formats apart by the name's end.
        if not zipfile.is_zipfile(path):
            if not h5py.is_hdf5(path):
                raise UserError(f"{path} is not a .keras or .h5 file: it is cut short, or of another format")
            Path(name).symlink_to(Path(path).absolute())
        else:
            with zipfile.ZipFile(path) as archive:
                archives.check_members(archive, path)
                if _MEMBER not in archive.namelist():
                    raise UserError(f"{path} is not a model of Keras: it holds no {_MEMBER}")
                archive.extract(_MEMBER, folder)
        yield name


def _by_layer(stored) -> list[tuple[str, list[np.ndarray]]]:
    """(layer, its weights) of Keras 2's older format, in the model's order."""
    names = hdf5_format.load_attributes_from_hdf5_group(stored, "layer_names")
    groups = [(name, stored[name]) for name in names]
    weights = [(name, hdf5_format.load_subset_weights_from_hdf5_group(group)) for name, group in groups]
    return [(name, [np.asarray(value) for value in values]) for name, values in weights if values]


def _assign(network, stored, path):
    """Layer by layer, which the two versions name differently; what is left of `stored` in the end is the top's."""
    for number, layer in enumerate(layer for layer in network.layers if layer.weights):
        name, values = stored[number] if number < len(stored) else ("nothing", [])
        shapes, expected = [value.shape for value in values], [tuple(weight.shape) for weight in layer.weights]
        if shapes != expected:
            there = f"{layer.name} has the shapes {expected}, and {name} in its place {shapes}"
            raise UserError(f"{path} does not fit {network.name}: {there}")
        layer.set_weights(values)
