"""What is known of public networks without their weights: the shapes of each, and digests of each layer's weights.

All of it is in pretrained/lineage.json, which `python tools/lineage.py` writes.
"""

import collections
import dataclasses
import functools
import itertools
import json
import re
from collections.abc import Iterable, Mapping

import numpy as np
import safetensors.numpy
import tf_keras

from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.models import kernels, weights
from reno_tf.models.backbone import head_layer, stage_names
from reno_tf.models.kernels import WeightArray

FILE = "lineage.json"


@dataclasses.dataclass(frozen=True)
class Unit:
    """What is compared as one: a kernel, or all vectors of one layer, in the order of their parameters' names."""

    layer: str
    arrays: tuple[WeightArray, ...]

    @property
    def is_kernel(self) -> bool:
        return self.arrays[0].is_kernel

    @functools.cached_property
    def shape(self) -> str:
        if self.is_kernel:
            return kernels.shape_name(self.arrays[0].values)
        return "+".join(str(array.values.size) for array in self.arrays)

    @functools.cached_property
    def digest(self) -> str:
        return kernels.digest(*(array.values for array in self.arrays))

    @property
    def is_rounded(self) -> bool:
        """Whether the file holds it in fewer bits than float32's."""
        return any(bool(np.any(array.step)) or array.values.dtype.itemsize < 4 for array in self.arrays)

    @functools.cached_property
    def sketch(self) -> int:
        return kernels.sketch(self.arrays[0].values)


def units(arrays: Iterable[WeightArray]) -> list[Unit]:
    """The arrays, in the order of their layers. Kernels that tell nothing, and single numbers, are left out."""
    grouped = []
    for layer, group in itertools.groupby(arrays, key=lambda array: array.layer):
        members = list(group)
        grouped += [Unit(layer, (array,)) for array in members if array.is_kernel and kernels.is_telling(array.values)]
        vectors = [array for array in members if array.values.ndim == 1 and array.values.size > 1]
        if vectors:
            grouped.append(Unit(layer, tuple(sorted(vectors, key=lambda array: array.name))))
    return grouped


@dataclasses.dataclass(frozen=True)
class PublicUnit:
    """A `Unit` of a public network. stage: the first that needs it, counted from 1. sketch: None for vectors."""

    layer: str
    stage: int
    shape: str
    digest: str
    sketch: int | None

    @property
    def is_kernel(self) -> bool:
        return self.sketch is not None


@dataclasses.dataclass(frozen=True)
class PublicNetwork:
    """A backbone with published weights. values: of each unit, by layer and shape; None if they are not at hand."""

    backbone: str
    weights: str
    units: tuple[PublicUnit, ...]
    values: Mapping[tuple[str, str], tuple[np.ndarray, ...]] | None

    @property
    def name(self) -> str:
        return f"{self.backbone}/{self.weights}"

    @property
    def num_stages(self) -> int:
        return max(unit.stage for unit in self.units)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """title: for a reader. kernels: how many kernels of each shape it has without its top."""

    name: str
    title: str
    kernels: Mapping[str, int]


def layer_stages(model: tf_keras.Model) -> dict[str, int]:
    """{layer with weights, but not the head: the first stage that needs it, counted from 1}."""
    stages, names = {}, stage_names(model)
    for number, stage in enumerate(names, 1):
        for layer in tf_keras.Model(model.input, model.output[stage]).layers:
            stages.setdefault(layer.name, number)
    head = head_layer(model)
    return {
        layer.name: stages.get(layer.name, len(names)) for layer in model.layers if layer.weights and layer is not head
    }


def describe(model: tf_keras.Model, name: str, *, backbone: str | None = None) -> PublicNetwork:
    """The network of these weights. model: a backbone of this project. name: of its weights. backbone: the model's."""
    of_layer, arrays, stages = layer_stages(model), [], {}
    for layer in model.layers:
        for weight in layer.weights if layer.name in of_layer else ():
            arrays.append(WeightArray(weight.name.removesuffix(":0"), weight.numpy()))
            stages[arrays[-1].layer] = of_layer[layer.name]  # A layer may hold others, which name its weights.
    found = units(arrays)
    public = [
        PublicUnit(unit.layer, stages[unit.layer], unit.shape, unit.digest, unit.sketch if unit.is_kernel else None)
        for unit in found
    ]
    return PublicNetwork(backbone or model.name, name, tuple(public), _values(found))


def _values(of_units) -> dict[tuple[str, str], tuple[np.ndarray, ...]]:
    return {(unit.layer, unit.shape): tuple(array.values for array in unit.arrays) for unit in of_units}


@functools.cache
def _content(path, changed) -> dict:
    return files.read_json(path) or {"architectures": {}, "weights": {}}


def content() -> dict:
    """pretrained/lineage.json."""
    path = weights.PRETRAINED / FILE
    return _content(path, files.size_and_times(path))


def architectures() -> list[Architecture]:
    """The networks whose shapes are known."""
    return [Architecture(name, entry["title"], entry["kernels"]) for name, entry in content()["architectures"].items()]


def public_networks(backbones: Iterable[str]) -> list[PublicNetwork]:
    """The published weights of these backbones that are known, with their values where they are at hand."""
    named = content()["weights"]
    return [
        PublicNetwork(backbone, name, tuple(map(_unit, rows)), _values_at_hand(backbone, name))
        for backbone in backbones
        for name, rows in named.get(backbone, {}).items()
    ]


def digest_of_known(name: str) -> str:
    """SHA-256 of what the choice of a backbone for weights of this name depends on beside a model."""
    files_of = {
        backbone: entries[name]["sha256"] for backbone, entries in weights.manifest().items() if name in entries
    }
    return files.digest(json.dumps([content(), files_of], sort_keys=True).encode())


def backbones_with(name: str) -> list[str]:
    """The backbones that have weights of this name in the manifest, at hand or not."""
    return [backbone for backbone, entries in weights.manifest().items() if name in entries]


def _unit(row) -> PublicUnit:
    layer, stage, shape, digest, sketch = row
    return PublicUnit(layer, stage, shape, digest, int(sketch, 16) if sketch else None)


def _values_at_hand(backbone, name) -> dict | None:
    if not weights.manifest().get(backbone, {}).get(name, {}).get("sha256"):
        return None
    try:
        path, _ = weights.locate(backbone, name)
    except UserError:
        return None
    stored = safetensors.numpy.load_file(path)
    arrays = [WeightArray(key, value) for key, value in sorted(stored.items()) if not key.startswith("head/")]
    return _values(units(arrays))


def as_rows(network: PublicNetwork) -> list[list]:
    """The network as lineage.json has it."""
    return [
        [unit.layer, unit.stage, unit.shape, unit.digest, "" if unit.sketch is None else f"{unit.sketch:016x}"]
        for unit in network.units
    ]


def write(changed: dict) -> None:
    """Writes lineage.json: as `content` gives it, with a line for each layer."""
    lines = json.dumps(changed, indent=1, sort_keys=True, allow_nan=False)
    text = re.sub(r"\[\s+([^\[\]]*?)\s+\]", lambda row: "[" + re.sub(r"\s*\n\s*", " ", row[1]) + "]", lines)
    text = re.sub(
        r"\"kernels\": \{\s+([^{}]*?)\s+\}", lambda row: '"kernels": {' + re.sub(r"\s*\n\s*", " ", row[1]) + "}", text
    )
    files.write_text(weights.PRETRAINED / FILE, text + "\n")


def keep(network: PublicNetwork) -> None:
    """Writes the network's digests into lineage.json."""
    before = content()
    named = before["weights"].get(network.backbone, {}) | {network.weights: as_rows(network)}
    write(before | {"weights": before["weights"] | {network.backbone: named}})


def kernel_counts(of_units: Iterable) -> dict[str, int]:
    """{shape: how many kernels have it}."""
    return dict(sorted(collections.Counter(unit.shape for unit in of_units if unit.is_kernel).items()))
