"""Writes pretrained/lineage.json: the shapes of every network, and digests of the public weights that are at hand.

    python tools/lineage.py

Digests of weights that are not at hand stay as they are. It takes some minutes: every network is built once.
"""

import functools
import sys

from reno_tf import models  # First: it selects Keras 2.
from reno_tf.errors import UserError
from reno_tf.models import public_weights, weights
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


def _architectures() -> dict:
    functions = {name.lower(): name for name in dir(tf_keras.applications)}
    entries = {}
    for name, backbone in models.BACKBONES.items():
        function = functions.get(name.removeprefix("keras_"))
        build = _application(function) if name in KERAS_APPLICATIONS else functools.partial(backbone.build, name)
        entries[name] = {"title": _TITLES.get(name, function), "kernels": _kernels(build)}
    for function, widths in _WIDTHS.items():
        for width in widths:
            kernels = _kernels(_application(function, alpha=width))
            entries[f"keras_{function.lower()} {width}"] = {"title": f"{function} {width}", "kernels": kernels}
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
    public_weights.write({"architectures": _architectures(), "weights": _digests()})


if __name__ == "__main__":
    main()
