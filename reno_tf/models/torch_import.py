"""Published state dicts of PyTorch -> weights in this project's names (by `Backbone.published_names`) and axes."""

import argparse
import io
import re
from collections.abc import Iterator, Mapping

import ml_dtypes
import numpy as np
import safetensors

from reno_tf.errors import UserError, one_line
from reno_tf.models import BACKBONES
from reno_tf.models.weights import check_fit

SUFFIXES = (".safetensors", ".pth.tar", ".pth", ".pt", ".bin", ".ckpt")  # The others are PyTorch's own format.
# Where a checkpoint has the weights, averaged ones first.
_WRAPS = ("model_ema", "state_dict_ema", "ema_state_dict", "state_dict", "model_state_dict", "model", "net", "network")
# Of every key, where the model was spread over devices, compiled, or a part of another.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.")
_TYPES = {"F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32, "F64": np.float64, "I64": np.int64}
_PARAMETERS = {"bias": "bias", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def importable() -> list[str]:
    """The backbones with a published state dict."""
    return [name for name, backbone in BACKBONES.items() if backbone.published_names]


def suffix_of(file: str) -> str:
    """The one of `SUFFIXES` that the file's name has. Raises UserError if it has another."""
    suffix = next((suffix for suffix in SUFFIXES if file.endswith(suffix)), None)
    if suffix is None:
        raise UserError(f"{file} must be a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file")
    return suffix


def read_state(content: bytes, *, suffix: str, origin: str) -> dict[str, np.ndarray]:
    """The tensors in the bytes of a file, as float32; no pickled code is ever executed.

    A training's checkpoint may hold them under "state_dict" and the like, and every key may start with "module.".
    suffix: one of `SUFFIXES`. Raises UserError: a damaged file, one that holds more than tensors, numbers and texts, or
    no PyTorch for one of its own format.
    """
    if suffix == ".safetensors":
        return unwrapped(_read_safetensors(content, origin))
    try:
        import torch
    except ImportError:
        message = f"a {suffix} needs PyTorch (pip install torch); a .safetensors needs nothing"
        raise UserError(f"{origin}: {message}") from None
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # A training's arguments, names and values.
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # A damaged file makes its reader raise almost anything.
        if refused := re.search(r"GLOBAL ([\w.]+)", str(error)):
            advice = "keep the tensors alone, by torch.save(model.state_dict(), FILE)"
            raise UserError(f"{origin} holds more than tensors, {refused[1]}, and is not opened: {advice}") from None
        raise UserError(f"{origin} is damaged: {one_line(error)}") from None
    state = unwrapped(state)
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()
    ):
        raise UserError(f"{origin} is not a state dict, a dictionary of tensors alone")
    if odd := [key for key, value in state.items() if value.layout != torch.strided or value.is_complex()]:
        raise UserError(f"{origin}: {odd[0]} is sparse or complex, not an array of real numbers")
    return {key: value.detach().float().numpy() for key, value in state.items()}


def unwrapped(state):
    """The state dict inside of what training scripts keep."""
    if not isinstance(state, Mapping) or not state:
        return state
    for wrap in _WRAPS:
        if isinstance(state.get(wrap), Mapping):
            return unwrapped(state[wrap])
    for prefix in _PREFIXES:
        if all(isinstance(key, str) and key.startswith(prefix) for key in state):
            return unwrapped({key.removeprefix(prefix): value for key, value in state.items()})
    return state


def _read_safetensors(content, origin):
    try:
        tensors = safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        raise UserError(f"{origin} is not a safetensors file: {error}") from None
    state = {}
    for name, tensor in tensors:
        if tensor["dtype"] not in _TYPES:
            raise UserError(f"{origin}: {name} is of the type {tensor['dtype']}, not one of {', '.join(_TYPES)}")
        values = np.frombuffer(tensor["data"], _TYPES[tensor["dtype"]])
        state[name] = values.reshape(tensor["shape"]).astype(np.float32)
    return state


def num_classes(backbone: str, state: dict) -> int:
    """Rows of the state dict's linear head; 1000 if it has none, which `convert` then refuses."""
    head = state.get(_form(backbone, state)["head"] + ".weight")
    return 1000 if head is None else len(head)


def state_shapes(model, form: int = 0) -> dict[str, tuple]:
    """{"conv1.weight": (64, 3, 7, 7), ...}: the state dict that fits `model`, in one of the published forms."""
    published = _published(model, BACKBONES[model.name].published_names[form])
    return {key: tuple(weight.shape[axis] for axis in np.argsort(axes)) for _, weight, key, axes in published}


def _form(backbone, state) -> Mapping[str, str]:
    """The published names of which the state dict has the most."""
    modules = {key.rpartition(".")[0] for key in state}
    return max(BACKBONES[backbone].published_names, key=lambda names: len(modules.intersection(names.values())))


def convert(state: dict[str, np.ndarray], model, *, origin: str) -> dict[str, np.ndarray]:
    """The state dict under the names and axes of `model`'s weights, as float32.

    Raises UserError that names what is missing, superfluous, of another shape or not finite.
    """
    # A counter of training steps, which files from before PyTorch 0.4.1 lack.
    state = {key: value for key, value in state.items() if not key.endswith(".num_batches_tracked")}
    form = _form(model.name, state)
    expected = state_shapes(model, BACKBONES[model.name].published_names.index(form))
    check_fit(expected, {key: value.shape for key, value in state.items()}, origin, model.name)
    values = {}
    for name, _, key, axes in _published(model, form):
        value = state[key].astype(np.float32)
        if not np.isfinite(value).all():
            raise UserError(f"{origin}: {key} has values that are not finite")
        values[name] = np.ascontiguousarray(value.transpose(axes))
    return values


def _published(model, modules) -> Iterator[tuple]:
    """Of each weight: its name, the variable, its key in the state dict, and which axes of that tensor are ours."""
    for layer in model.layers:
        for weight in layer.weights:
            name = weight.name.removesuffix(":0")
            parameter = name.removeprefix(f"{layer.name}/")
            key = f"{modules[layer.name]}.{_PARAMETERS.get(parameter, 'weight')}"
            axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[weight.shape.rank]  # [out, in, h, w] -> [h, w, in, out]
            # [channels, 1, h, w] -> [h, w, channels, 1]
            yield name, weight, key, (2, 3, 0, 1) if parameter == "depthwise_kernel" else axes
