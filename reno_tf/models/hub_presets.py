"""Presets of KerasHub, folders that `save_to_preset` wrote: their backbone and the range of its images, safely read."""

import json
from pathlib import Path

import h5py
import numpy as np

from reno_tf import archives, files, kerashub
from reno_tf.errors import UserError, one_line

_CONFIG, _CONVERTER, _WEIGHTS = "config.json", "image_converter.json", "model.weights.h5"
_MOST_JSON = 10**6  # bytes


def locate(preset: str) -> tuple[Path, str]:
    """(folder, SHA-256 of all that it holds) of a preset. Raises UserError if there is none."""
    folder = Path(preset).expanduser()
    if not (folder / _CONFIG).is_file():
        raise UserError(
            f"the weights of kerashub are a preset, a folder that save_to_preset wrote: {preset} is not one"
        )
    return folder, files.digest_path(folder)


def _json(path) -> dict:
    archives.refuse_stand_in(path)
    with path.open("rb") as file:
        text = file.read(_MOST_JSON)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise UserError(f"{path} does not describe an object of Keras")
    return content


def _build(path, kind):
    """The object of KerasHub that the JSON file describes, in float32. `kind`: keras_hub -> the class it must be of.

    Raises UserError unless it is, and its settings are plain values.
    """
    content = _json(path)
    module, name, registered_name = (content.get(key) for key in ("module", "class_name", "registered_name"))
    found = kerashub.find_class(module, name, registered_name, str(path))
    import keras_hub

    wanted = kind(keras_hub)
    settings = {key: value for key, value in content["config"].items() if key != "dtype"}
    if not issubclass(found, wanted) or not _is_plain(list(settings.values())):
        raise UserError(f"{path} does not describe {wanted.__name__} of KerasHub alone")
    try:
        return found.from_config(settings)
    except Exception as error:  # Whatever its constructor raises.
        raise UserError(f"{path} cannot be built: {one_line(error)}") from None


def _is_plain(value) -> bool:
    """Whether it describes no object, so that nothing but numbers, texts and lists of them is read."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, int, float)) and ">" not in str(value)


def read_backbone(folder: Path):
    """The backbone in the preset with its weights, a model of Keras 3. Raises UserError if it is damaged or hostile."""
    network, weights = _build(folder / _CONFIG, lambda hub: hub.models.Backbone), folder / _WEIGHTS
    if not weights.is_file():
        raise UserError(f"{folder} holds no {_WEIGHTS}: save the preset with max_shard_size=None")
    archives.refuse_stand_in(weights)
    try:
        with h5py.File(weights, "r") as file:
            archives.check_hdf5(file, str(weights), stored=weights.stat().st_size)
        network.load_weights(weights)
    except UserError:
        raise
    except Exception as error:  # Keras raises many kinds for weights that do not fit.
        raise UserError(f"{weights} gives no weights of {network.name}: {one_line(error)}") from None
    if not hasattr(network.input, "shape"):
        raise UserError(f"{folder} takes several or named inputs, not one batch of images")
    return network


def read_normalization(folder: Path) -> dict:
    """{mean, std} per channel, for images in [0, 1], of what the preset's converter does to images of 0 to 255.

    Raises UserError if the preset does not say so.
    """

    if not (folder / _CONVERTER).is_file():
        raise UserError(f"{folder} holds no {_CONVERTER}: save it with its preprocessor, which says the images' range")
    converter = _build(folder / _CONVERTER, lambda hub: hub.layers.ImageConverter)
    try:
        scale = np.broadcast_to(1.0 if converter.scale is None else converter.scale, 3) * 255.0
        offset = np.broadcast_to(0.0 if converter.offset is None else converter.offset, 3)
        with np.errstate(all="ignore"):
            mean, std = 0.0 - offset / scale, 1 / scale
    except (TypeError, ValueError):
        mean = std = np.array([np.nan])
    if not np.isfinite([*mean, *std]).all():
        said = f"scale {converter.scale!r:.80}, offset {converter.offset!r:.80}"
        raise UserError(f"{folder / _CONVERTER} does not say how colours are scaled: {said}")
    return {"mean": mean.tolist(), "std": std.tolist()}
