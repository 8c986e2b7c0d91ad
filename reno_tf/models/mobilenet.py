"""MobileNetV2 (Sandler et al., 2018, table 2) as torchvision builds it."""

import functools

from tf_keras import layers

from reno_tf.models.backbone import Backbone
from reno_tf.models.layers import IMAGENET, SMALL, conv_norm, conv_norm_names, normalize, timm_names

# Expansion, channels, repeats, stride of the first: the paper's t, c, n, s.
_TABLE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_BLOCKS = tuple(  # Row of the table, expansion, channels and stride of each block.
    (row, expansion, channels, stride if repeat == 0 else 1)
    for row, (expansion, channels, repeats, stride) in enumerate(_TABLE)
    for repeat in range(repeats)
)
_TAPPED = (3, 6, 10, 16)  # Blocks, counted from 1; the fifth stage is the last convolution.


def mobilenet(images, stages, *, mean, std, width=1.0, stem_stride=2):
    """Any MobileNetV2.

    Args:
      images: [B, H, W, 3] in [0, 1]. stages: see `Backbone`.
      mean, std: of the normalisation, per channel.
      width: factor of all channels but the last 1280.
      stem_stride: of the first convolution; 1 for small images.

    Returns:
      The last of the stages [B, H/4, W/4, 24], [B, H/8, W/8, 32], [B, H/16, W/16, 64],
      [B, H/32, W/32, 160], [B, H/32, W/32, 1280]; sizes are rounded up, and twice as large with a
      stem stride of 1. Stages 1 to 4 are outputs of linear bottlenecks, so they may be negative.
    """
    x = _conv_norm_relu(normalize(images, mean=mean, std=std), round(32 * width), 3, stem_stride, "stem")
    for number, (_, expansion, channels, stride) in enumerate(_BLOCKS, 1):
        x = _inverted_residual(x, expansion, round(channels * width), stride, f"block{number}")
        x = stages(x) if number in _TAPPED else x
    return stages(_conv_norm_relu(x, 1280, 1, 1, "last"))


def torchvision_names() -> dict[str, str]:
    """{layer: torchvision's module}."""
    names = conv_norm_names("stem", "features.0.0", "features.0.1")
    for number, (_, expansion, *_) in enumerate(_BLOCKS, 1):
        block, module = f"block{number}", f"features.{number}.conv"
        activated = ("expand", "depthwise") if expansion > 1 else ("depthwise",)
        for place, layer in enumerate(activated):
            names |= conv_norm_names(f"{block}_{layer}", f"{module}.{place}.0", f"{module}.{place}.1")
        # torchvision groups a convolution with its activation; the projection has none.
        place = len(activated)
        names |= conv_norm_names(f"{block}_project", f"{module}.{place}", f"{module}.{place + 1}")
    last = f"features.{len(_BLOCKS) + 1}"
    return names | conv_norm_names("last", f"{last}.0", f"{last}.1") | {"head": "classifier.1"}


def _inverted_residual(x, expansion, channels, stride, name):
    shortcut = x
    if expansion > 1:
        x = _conv_norm_relu(x, expansion * x.shape[-1], 1, 1, f"{name}_expand")
    x = _conv_norm_relu(x, None, 3, stride, f"{name}_depthwise")
    x = conv_norm(x, channels, 1, 1, f"{name}_project")
    return layers.Add(name=f"{name}_add")([shortcut, x]) if stride == 1 and x.shape[-1] == shortcut.shape[-1] else x


def _conv_norm_relu(x, channels, kernel, stride, name):
    return layers.ReLU(6.0, name=f"{name}_relu")(conv_norm(x, channels, kernel, stride, name))


_PUBLISHED = torchvision_names(), timm_names([block[:2] for block in _BLOCKS])
MOBILENETS = {
    "mobilenet_v2": Backbone(functools.partial(mobilenet, **IMAGENET), _PUBLISHED),
    "mobilenet_v2_cifar": Backbone(functools.partial(mobilenet, width=0.5, stem_stride=1, **SMALL)),
}
