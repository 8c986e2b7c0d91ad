"""The layers that every family of backbones is made of."""

import tf_keras
from tf_keras import layers

from reno_tf.errors import UserError

# What torchvision's and timm's ImageNet weights expect, per channel of RGB images in [0, 1].
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SMALL = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}  # What the embedded teachers' weights expect.


def normalize(images, *, mean, std):
    """(images - mean) / std per channel, as a layer named "normalize"; never in a lower precision."""
    scale, offset = [1 / s for s in std], [-m / s for m, s in zip(mean, std, strict=True)]
    return layers.Rescaling(scale, offset, name="normalize", dtype=tf_keras.backend.floatx())(images)


def normalization(model: tf_keras.Model) -> tuple[list[float], list[float]]:
    """The (mean, std) per channel that the model's own normalisation uses. Raises UserError if it has none."""
    layer = next((layer for layer in getattr(model, "layers", ()) if layer.name == "normalize"), None)
    if layer is None:
        raise UserError('the network has no layer "normalize": its mean and std are not known')
    return [-o / s for o, s in zip(layer.offset, layer.scale, strict=True)], [1 / s for s in layer.scale]


def conv_norm(
    x, channels: int | None, kernel: int, stride: int, name: str, *, padding: str = "torch", epsilon: float = 1e-5
):
    """Convolution without bias, then BatchNorm: the layers `{name}_conv` and `{name}_bn`.

    Args:
      channels: of the output; None makes the convolution depthwise, with one filter per channel of `x`.
      padding: "torch" pads by kernel // 2 on all sides. "same" is TensorFlow's: at stride 2 it pads an
        even side by one pixel less before than after.
    """
    if padding not in ("torch", "same"):
        raise ValueError(f'padding must be "torch" or "same", not {padding!r}')
    # The two differ only where the stride skips pixels and the kernel sees more than one.
    by_hand = padding == "torch" and kernel > 1 and stride > 1
    if by_hand:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    options = {"strides": stride, "padding": "valid" if by_hand else "same", "use_bias": False, "name": f"{name}_conv"}
    x = layers.Conv2D(channels, kernel, **options)(x) if channels else layers.DepthwiseConv2D(kernel, **options)(x)
    return layers.BatchNormalization(name=f"{name}_bn", epsilon=epsilon, momentum=0.9)(x)  # torchvision's momentum


def conv_norm_names(name: str, conv: str, bn: str) -> dict[str, str]:
    """{layer: published module} of what `conv_norm` builds under `name`."""
    return {f"{name}_conv": conv, f"{name}_bn": bn}


def timm_names(blocks) -> dict[str, str]:
    """{layer: timm's module} of inverted residuals. blocks: (row of the network's table, expansion) of each block."""
    names, last, place = conv_norm_names("stem", "conv_stem", "bn1"), None, 0
    for number, (row, expansion) in enumerate(blocks, 1):
        last, place = row, place + 1 if row == last else 0
        block = f"blocks.{row}.{place}"
        parts: tuple[tuple[str, str], ...] = (("expand", "conv_pw"), ("depthwise", "conv_dw"), ("project", "conv_pwl"))
        if expansion == 1:  # timm's depthwise-separable block
            parts = (("depthwise", "conv_dw"), ("project", "conv_pw"))
        for count, (layer, convolution) in enumerate(parts, 1):
            names |= conv_norm_names(f"block{number}_{layer}", f"{block}.{convolution}", f"{block}.bn{count}")
    return names | conv_norm_names("last", "conv_head", "bn2") | {"head": "classifier"}
