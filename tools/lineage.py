"""Writes pretrained/lineage.json: the shapes of every network, and digests of the public weights that are at hand.

    python tools/lineage.py

Shapes that are in the file stay, and so do digests of weights that are not at hand. From nothing it takes some minutes,
as every network is built once.
"""

import functools
import inspect
import sys

from reno_tf import models  # First: it selects Keras 2.
from reno_tf.errors import UserError
from reno_tf.models import hub, public_weights, weights
from reno_tf.models.keras_applications import KERAS_APPLICATIONS
from reno_tf.models.kernels import WeightArray

# isort: split
import numpy as np
import tensorflow as tf
import tf_keras

_TITLES = {
    **{f"resnet{depth}": f"ResNet-{depth} (torchvision's form)" for depth in (18, 34, 50, 101)},
    **{f"resnet{depth}_cifar": f"ResNet-{depth} for small images, 16 channels" for depth in (18, 34)},
    "mobilenet_v2": "MobileNetV2 1.0 (torchvision's form)",
    "mobilenet_v2_cifar": "MobileNetV2 0.5 for small images",
    **{f"efficientnet_lite{number}": f"EfficientNet-Lite{number}" for number in (0, 1, 2)},
    "keras_mobilenetv2": "MobileNetV2 1.0",
    "keras_mobilenet": "MobileNet 1.0",
}
# Other widths, which are recognised, and not built here.
_WIDTHS = {"MobileNet": (0.25, 0.5, 0.75), "MobileNetV2": (0.35, 0.5, 0.75, 1.3, 1.4)}
_SIZES = {"NASNetLarge": 331}  # pixels, where it is not 224


def _kernels(build) -> dict[str, int]:
    """Of the network that `build` makes, whose weights are never drawn."""
    with tf.Graph().as_default():
        shapes = {weight.name.removesuffix(":0"): weight.shape for weight in build().weights}
    arrays = [WeightArray(name, np.broadcast_to(np.float32(0), shape)) for name, shape in shapes.items()]
    return public_weights.kernel_counts(public_weights.units(arrays))


def _application(function, **options):
    build = getattr(tf_keras.applications, function)
    size = _SIZES.get(function, 224)
    return lambda: build(include_top=False, weights=None, input_shape=(size, size, 3), **options)


def _builders() -> dict:
    """{name: (title, what builds the network)}."""
    functions = {name.lower(): name for name, _ in inspect.getmembers(tf_keras.applications, inspect.isfunction)}
    builders = {}
    for name, backbone in models.BACKBONES.items():
        if name == hub.NAME:  # Any network of KerasHub.
            continue
        function = functions.get(name.removeprefix("keras_"))
        build = _application(function) if name in KERAS_APPLICATIONS else functools.partial(backbone.build, name)
        builders[name] = (_TITLES.get(name, function), build)
    for function, widths in _WIDTHS.items():
        for width in widths:
            build = _application(function, alpha=width)
            builders[f"keras_{function.lower()} {width}"] = (f"{function} {width}", build)
    return builders


def _architectures(before: dict) -> dict:
    entries = {}
    for name, (title, build) in _builders().items():
        kernels = before[name]["kernels"] if name in before else _kernels(build)
        entries[name] = {"title": title, "kernels": kernels}
        tf_keras.backend.clear_session()
    return entries


def _digests() -> dict:
    before, digests = public_weights.content()["weights"], {}
    for backbone, named in weights.manifest().items():
        for name in named:
            rows = before.get(backbone, {}).get(name)
            try:
                model = models.build(backbone, weights=name)
            except UserError:
                print(f"{backbone}/{name} is not at hand{': its digests stay' if rows else ''}", file=sys.stderr)
            else:
                rows = public_weights.as_rows(public_weights.describe(model, name))
            if rows:
                digests.setdefault(backbone, {})[name] = rows
    return digests


def main():
    architectures = _architectures(public_weights.content()["architectures"])
    public_weights.write({"architectures": architectures, "weights": _digests()})


if __name__ == "__main__":
    main()
