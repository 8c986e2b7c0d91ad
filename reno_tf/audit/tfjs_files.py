"""Reads the files of a TensorFlow.js layers model: what describes it, and its weights out of their shards.

They are a model.json and its shards, or the JavaScript modules that a package makes of them. No JavaScript is run.
"""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np

from reno_tf import archives
from reno_tf.audit import javascript, safety
from reno_tf.errors import UserError, one_line

SUFFIXES = (".json", ".js")
_DESCRIPTIONS = ("model.json", "model.js", "model.min.js")  # in a folder, the first that is there
_MODULES = ("", ".min.js", ".js")  # what a package's builder adds to the name of a shard
_TYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint16": "<u2", "uint8": "u1"}
_MOST_SIDES = 8  # of a weight's shape
# The keys that a description may begin with.
_KEYS = ("format", "generatedBy", "convertedBy", "userDefinedMetadata", "modelTopology", "weightsManifest")


@dataclasses.dataclass(frozen=True)
class Described:
    """What a model.json says.

    file: of the description. topology: {"class_name", "config"}, as Keras 2 writes them. groups: the manifest, each
    {"paths", "weights"}.
    """

    file: Path
    topology: dict
    groups: list


def find_description(path: str) -> Path | None:
    """The file that describes the model: `path` itself, or the one in that folder; None if there is none."""
    if Path(path).is_file():
        return Path(path)
    return next((file for name in _DESCRIPTIONS if (file := Path(path) / name).is_file()), None)


def describe(file: Path) -> Described:
    """What the model.json, or the module of one, says. Raises UserError unless it is a layers model's."""
    archives.refuse_stand_in(file)
    text = _text(file)
    content = safety.read_json(javascript.object_in(text, _KEYS, file) if file.suffix == ".js" else text, file)
    topology = content.get("modelTopology") if isinstance(content, dict) else None
    groups = content.get("weightsManifest") if isinstance(content, dict) else None
    if not isinstance(topology, dict) or not isinstance(groups, list):
        raise UserError(f"{file} is not a model of TensorFlow.js: it has no modelTopology with a weightsManifest")
    if content.get("format") == "graph-model" or "node" in topology:
        raise UserError(f"{file} is a graph model of TensorFlow.js, and only layers models can be opened")
    topology = topology.get("model_config", topology)
    if not isinstance(topology, dict) or "class_name" not in topology:
        raise UserError(f"{file} describes no model of Keras")
    return Described(file, {key: topology.get(key) for key in ("class_name", "config")}, groups)


def shards(described: Described) -> dict[str, Path]:
    """The files that the weights lie in, by the names that the manifest has for them.

    Raises UserError if one is named twice, is missing, or lies outside of the description's folder.
    """
    names = [name for group in described.groups for name in _list(group, "paths", described.file)]
    files = {name: _inside(described.file, name) for name in names}
    if len({file.resolve() for file in files.values()}) < len(names):
        raise UserError(f"{described.file} names one file of weights twice")
    return files


def read_weights(described: Described) -> dict[str, np.ndarray]:
    """{name: values}, float32 or int32. Raises UserError unless they take exactly what their files hold."""
    files, weights, file = shards(described), {}, described.file
    for group in described.groups:
        content, place = b"".join(_content(files[name]) for name in group["paths"]), 0
        for entry in _list(group, "weights", file):
            try:
                name, values, place = _read(entry, content, place)
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
                name = str(entry.get("name") if isinstance(entry, dict) else entry)[:80]
                raise UserError(f"{file} describes the weights {name!r} wrongly: {one_line(error)}") from None
            if name in weights:
                raise UserError(f"{file} describes two weights of the name {name[:80]!r}")
            weights[name] = values
        if place != len(content):
            raise UserError(f"{file} describes {place} bytes of weights, its files hold {len(content)}")
    return weights


def _text(file) -> str:
    try:
        return file.read_text() if file.stat().st_size <= safety.MOST_JSON else _refuse_long(file)
    except UnicodeDecodeError:
        raise UserError(f"{file} is not a text") from None


def _refuse_long(file):
    raise UserError(f"{file} holds a config of more than {safety.MOST_JSON} bytes")


def _list(group, key, file) -> list:
    values = group.get(key) if isinstance(group, dict) else None
    if not isinstance(values, list):
        raise UserError(f"{file} has a weightsManifest without {key}")
    return values


def _inside(file, name) -> Path:
    """The shard of that name, which a module may hold. Links may lead to where the description's own does."""
    title = f"{file} keeps weights in {str(name)[:80]!r}"
    if not isinstance(name, str) or name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or "://" in name:
        raise UserError(f"{title}, outside of its folder")
    folders = {file.parent.resolve(), file.resolve().parent}
    try:
        shard = next(each for end in _MODULES if (each := file.parent / f"{name}{end}").is_file())
    except (StopIteration, OSError, ValueError):  # The name may be too long, or hold a zero.
        raise UserError(f"{title}, which is not beside it") from None
    if not any(shard.resolve().is_relative_to(folder) for folder in folders):
        raise UserError(f"{title}, a link that leads outside of its folder")
    return shard


def _content(shard: Path) -> bytes:
    archives.refuse_stand_in(shard)
    return javascript.bytes_in(shard) if shard.suffix == ".js" else shard.read_bytes()


def _read(entry, content, place) -> tuple[str, np.ndarray, int]:
    """The name and values of one weight, and the place after it. Quantised: stored value x scale + min."""
    stored = entry.get("quantization") or {}
    name, shape, kind = entry["name"], entry["shape"], stored.get("dtype", entry["dtype"])
    if not isinstance(name, str) or kind not in _TYPES or not stored and entry["dtype"] not in ("float32", "int32"):
        raise ValueError(f"it is of type {str(kind)[:20]}")
    if len(shape) > _MOST_SIDES or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"it has the shape {str(shape)[:80]}")
    values, count = np.dtype(_TYPES[kind]), math.prod(shape)
    end = place + count * values.itemsize
    if end > len(content):
        raise ValueError(f"it needs {end - place} bytes, and its files hold {len(content) - place} more")
    numbers = np.frombuffer(content, values, count, place).reshape(shape)
    if "scale" in stored:
        numbers = numbers * float(stored["scale"]) + float(stored["min"])
    return name, numbers.astype("i4" if entry["dtype"] == "int32" else "f4"), end
