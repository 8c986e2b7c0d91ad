"""Weights as safetensors files under the names of the layers, and the manifest of published files."""

import binascii
import functools
import hashlib
import math
from pathlib import Path

import numpy as np
import safetensors.numpy
import tf_keras

from reno_tf import archives, files
from reno_tf.errors import UserError, choose
from reno_tf.models import hub, hub_presets
from reno_tf.models.backbone import head_layer

_ROOT = Path(__file__).parents[2] / "pretrained"  # in a clone
PRETRAINED = _ROOT if _ROOT.is_dir() else Path(__file__).parents[1] / "pretrained"  # installed


def named_weights(model: tf_keras.Model, *, head: bool = True) -> dict:
    """{"stem_conv/kernel": variable, ...}: every weight, with or without the linear head's."""
    left_out = None if head else head_layer(model)
    layers = [layer for layer in model.layers if layer is not left_out]
    return {weight.name.removesuffix(":0"): weight for layer in layers for weight in layer.weights}


def initialize(model: tf_keras.Model, seed: int) -> None:
    """Random weights as torch draws them: U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for kernels and biases.

    BatchNorm starts at scale 1, shift 0, mean 0, variance 1; the weights of other layers stay as built.
    Every weight is a pure function of (seed, its name), whatever other layers the model has.
    """
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, tf_keras.Model):
            continue  # Its layers follow.
        if isinstance(layer, hub.Part):
            layer.draw(functools.partial(_generator, seed))
            continue
        fan_in = None  # The number of inputs that one output sums over.
        for weight in layer.weights:  # The kernel stands before the bias.
            name, shape = weight.name.removesuffix(":0"), weight.shape
            if name.endswith("kernel"):
                fan_in = math.prod(shape[:2] if name.endswith("depthwise_kernel") else shape[:-1])
            if fan_in is not None:
                weight.assign((_generator(seed, name).uniform(-1, 1, shape) / math.sqrt(fan_in)).astype(np.float32))
            elif isinstance(layer, tf_keras.layers.BatchNormalization):
                weight.assign(np.full(shape, 1.0 if name.endswith(("gamma", "moving_variance")) else 0.0, np.float32))


def _generator(seed, name):
    return np.random.default_rng([seed, binascii.crc32(name.encode())])


def copy_backbone(source: tf_keras.Model, target: tf_keras.Model) -> None:
    """Gives `target`'s backbone the weights of `source`'s, by name. Raises UserError if they differ."""
    values = {name: weight.numpy() for name, weight in named_weights(source, head=False).items()}
    _assign(target, values, head=False, origin=f"the backbone {source.name}")


def save(model: tf_keras.Model) -> bytes:
    """The model's weights as the bytes of a safetensors file."""
    return safetensors.numpy.save(values(model))


def values(model: tf_keras.Model) -> dict[str, np.ndarray]:
    """Every weight's value; a scalar's too is an array."""
    return {name: np.asarray(weight.numpy()) for name, weight in named_weights(model).items()}


def load(model: tf_keras.Model, path: Path, *, head: bool) -> None:
    """Loads a safetensors file written by `save`; `head` False leaves out the linear head in it.

    Raises UserError if the file is missing or damaged, or a name or shape does not fit.
    """
    try:
        values = safetensors.numpy.load(path.read_bytes())
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"{path} is missing or not a safetensors file: {error}") from None
    if not head:
        values = {name: value for name, value in values.items() if not name.startswith("head/")}
    _assign(model, values, head=head, origin=str(path))


def _assign(model, values, *, head, origin):
    weights = named_weights(model, head=head)
    expected = {name: tuple(weight.shape) for name, weight in weights.items()}
    check_fit(expected, {name: value.shape for name, value in values.items()}, origin, model.name)
    for name, weight in weights.items():
        weight.assign(values[name].astype(weight.dtype.as_numpy_dtype))  # The file may have float16.


def check_fit(expected: dict[str, tuple], actual: dict[str, tuple], origin: str, network: str) -> None:
    """Raises UserError, naming the misfits, unless both hold the same names and shapes."""
    problems = {"lacks": expected.keys() - actual.keys(), "also has": actual.keys() - expected.keys()}
    misfits = [
        f"it {problem} {', '.join(sorted(names)[:3])}{', ...' if len(names) > 3 else ''}"
        for problem, names in problems.items()
        if names
    ]
    if misfits:
        raise UserError(f"{origin} does not fit {network}: {'; '.join(misfits)}")
    for name, shape in expected.items():
        if actual[name] != shape:
            raise UserError(f"{origin} does not fit {network}: {name} is {actual[name]}, not {shape}")


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal, as in the manifest."""
    return hashlib.sha256(content).hexdigest()


def manifest() -> dict:
    """pretrained/manifest.json: {backbone: {weights' name: entry}}. Raises UserError if it is damaged."""
    path = PRETRAINED / "manifest.json"
    content = files.read_json(path)
    named = list(content.values()) if isinstance(content, dict) else [] if content is None else [None]
    entries = [entry for one in named for entry in (one.values() if isinstance(one, dict) else [None])]
    if not all(map(_is_entry, entries)):
        raise UserError(f"{path} is damaged: an entry needs sha256 and file, or a command and a url or package")
    return content or {}


def _is_entry(entry) -> bool:
    """Whether it names a file with its hash, or says how to import one."""
    if not isinstance(entry, dict) or "sha256" not in entry:
        return False
    names = ("command", "package" if "package" in entry else "url") if entry["sha256"] is None else ("file", "sha256")
    return all(isinstance(entry.get(name), str) for name in names)


def keep(backbone: str, name: str, content: bytes, entry: dict) -> Path:
    """Writes a safetensors file into pretrained/, with its hash and the `entry` in the manifest, and returns its path.

    Raises UserError, and writes nothing, if a file other than the manifest's has its name there.
    """
    entries = manifest()
    path = PRETRAINED / f"{backbone}_{name}.safetensors"
    before = entries.get(backbone, {}).get(name, {}).get("sha256")
    if path.exists() and sha256(path.read_bytes()) not in (before, sha256(content)):
        raise UserError(f"{path} is there already, and not the file that the manifest has; move it elsewhere")
    files.write_bytes(path, content)
    entries.setdefault(backbone, {})[name] = entry | {"file": path.name, "sha256": sha256(content)}
    files.write_json(PRETRAINED / "manifest.json", entries)
    return path


def locate(backbone: str, weights: str) -> tuple[Path, str]:
    """(path, SHA-256) of weights given by the manifest's name or as a file; KerasHub's are a folder.

    Raises UserError if the name is unknown, or the file is missing, altered or was never imported.
    """
    if backbone == hub.NAME:
        return hub_presets.locate(weights)
    if weights.endswith(".safetensors"):
        path, expected = Path(weights).expanduser(), None
    else:
        entries = manifest().get(backbone, {})
        entry = entries[choose(f"weights of {backbone}", weights, [*entries, "FILE.safetensors"])]
        if entry["sha256"] is None:
            origin = f"the package {entry['package']}" if "package" in entry else entry["url"]
            raise UserError(f"{backbone} has no weights {weights} yet; {entry['command']} imports {origin}")
        path, expected = PRETRAINED / entry["file"], entry["sha256"]
        if not path.is_file() and "command" in entry:
            raise UserError(f"the weights {weights} of {backbone} are not here; {entry['command']} imports them")
    if not path.is_file():
        raise UserError(f"no weights file {path}")
    archives.refuse_stand_in(path)
    digest = files.digest_path(path)
    if expected not in (None, digest):
        raise UserError(f"{path} was altered: its SHA-256 is {digest[:12]}..., the manifest says {expected[:12]}...")
    return path, digest
