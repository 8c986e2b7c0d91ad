"""State dicts in torchvision's names -> weights in this project's names and axes."""

import io
import pickle

import numpy as np
import safetensors.numpy

from reno_tf.errors import UserError
from reno_tf.models.weights import check_fit, named_weights

_KINDS = ("conv", "bn")
_PARAMETERS = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def resnet_module(layer: str) -> str:
    """ "stage1_block2_1_conv" -> "layer1.1.conv1", "..._shortcut_bn" -> "....downsample.1", ..."""
    if layer == "head":
        return "fc"
    place, kind = layer.rsplit("_", 1)
    if place == "stem":
        return f"{kind}1"
    stage, block, part = place.split("_")
    prefix = f"layer{stage.removeprefix('stage')}.{int(block.removeprefix('block')) - 1}"
    return f"{prefix}.downsample.{_KINDS.index(kind)}" if part == "shortcut" else f"{prefix}.{kind}{part}"


def mobilenet_module(layer: str) -> str:
    """ "block2_expand_bn" -> "features.2.conv.0.1", "block2_project_bn" -> "features.2.conv.3", ..."""
    if layer == "head":
        return "classifier.1"
    place, kind = layer.rsplit("_", 1)
    if place in ("stem", "last"):
        return f"features.{0 if place == 'stem' else 18}.{_KINDS.index(kind)}"
    block, part = place.split("_")
    number = int(block.removeprefix("block"))
    position = ("expand", "depthwise", "project").index(part) - (number == 1)  # Block 1 does not expand.
    # The projection has no activation, and stands in the block without a container of its own.
    tail = f"{position}.{_KINDS.index(kind)}" if part != "project" else f"{position + _KINDS.index(kind)}"
    return f"features.{number}.conv.{tail}"


# backbone -> the function that names a layer's module in torchvision
MODULES = {
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101"), resnet_module),
    "mobilenet_v2": mobilenet_module,
}


def read_state(content: bytes, *, suffix: str, origin: str) -> dict[str, np.ndarray]:
    """The tensors in the bytes of a .safetensors or .pth file; no pickled code is ever executed.

    Raises UserError: another suffix, a damaged file, one that holds more than named tensors, or a
    .pth where PyTorch is not installed.
    """
    if suffix == ".safetensors":
        try:
            return safetensors.numpy.load(content)
        except (safetensors.SafetensorError, KeyError) as error:  # KeyError: a type that NumPy has not.
            raise UserError(f"{origin} is no safetensors file of NumPy's types: {error}") from None
    if suffix != ".pth":
        raise UserError(f"{origin} must be a .pth or .safetensors file")
    try:
        import torch
    except ImportError:
        raise UserError(f"{origin}: a .pth needs PyTorch (pip install torch); a .safetensors needs nothing") from None
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise UserError(f"{origin} is damaged or holds more than tensors: {reason}") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"{origin} is no state dict, a dictionary of tensors alone")
    return {key: value.detach().float().numpy() for key, value in state.items()}


def num_classes(backbone: str, state: dict) -> int:
    """Rows of the state dict's linear head; 1000 if it has none, which `convert` then refuses."""
    head = state.get(MODULES[backbone]("head") + ".weight")
    return 1000 if head is None else len(head)


def state_shapes(model) -> dict[str, tuple]:
    """{"conv1.weight": (64, 3, 7, 7), ...}: the state dict that fits `model`."""
    return {
        _key(model.name, name): tuple(np.array(weight.shape)[np.argsort(_axes(name, weight.shape))].tolist())
        for name, weight in named_weights(model).items()
    }


def convert(state: dict[str, np.ndarray], model, *, origin: str) -> dict[str, np.ndarray]:
    """The state dict under the names and axes of `model`'s weights, as float32.

    Raises UserError that names what is missing, superfluous, of another shape or not finite.
    """
    # A counter of training steps, which files from before PyTorch 0.4.1 lack.
    state = {key: value for key, value in state.items() if not key.endswith(".num_batches_tracked")}
    check_fit(state_shapes(model), {key: value.shape for key, value in state.items()}, origin, model.name)
    values = {}
    for name, weight in named_weights(model).items():
        key = _key(model.name, name)
        value = state[key].astype(np.float32)
        if not np.isfinite(value).all():
            raise UserError(f"{origin}: {key} has values that are not finite")
        values[name] = np.ascontiguousarray(value.transpose(_axes(name, weight.shape)))
    return values


def _key(backbone, name):
    layer, parameter = name.split("/")
    return f"{MODULES[backbone](layer)}.{_PARAMETERS[parameter]}"


def _axes(name, shape):
    """Which axes of torch's tensor are ours: [out, in, h, w] -> [h, w, in, out]."""
    if name.endswith("depthwise_kernel"):
        return (2, 3, 0, 1)  # [channels, 1, h, w] -> [h, w, channels, 1]
    return {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[len(shape)]
