"""The layers that every backbone in torchvision's form is made of."""

import tf_keras
from tf_keras import layers

# What torchvision's and timm's ImageNet weights expect, per channel of RGB images in [0, 1].
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
# What the embedded teachers' weights expect.
SMALL = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}

# BatchNorm as in torchvision: epsilon 1e-5, and 0.9 of the moving statistics kept at each step.
_BATCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}


def normalize(images, *, mean, std):
    """(images - mean) / std per channel, as a layer named "normalize"; never in a lower precision."""
    scale = [1 / s for s in std]
    offset = [-m / s for m, s in zip(mean, std, strict=True)]
    return layers.Rescaling(scale, offset, name="normalize", dtype=tf_keras.backend.floatx())(images)


def normalization(model: tf_keras.Model) -> tuple[list[float], list[float]]:
    """The (mean, std) per channel that the model's own normalisation uses."""
    layer = model.get_layer("normalize")
    return [-o / s for o, s in zip(layer.offset, layer.scale, strict=True)], [1 / s for s in layer.scale]


def conv_norm(x, channels: int | None, kernel: int, stride: int, name: str):
    """Convolution without bias, padded by kernel // 2 on all sides, then BatchNorm.

    `channels` None makes it depthwise: one filter per channel of `x`.
    """
    # Keras's "same" pads (0, 1) at stride 2; torch pads (1, 1): pad by hand, then convolve "valid".
    by_hand = kernel > 1 and stride > 1
    if by_hand:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    options = {"strides": stride, "padding": "valid" if by_hand else "same", "use_bias": False, "name": f"{name}_conv"}
    x = layers.Conv2D(channels, kernel, **options)(x) if channels else layers.DepthwiseConv2D(kernel, **options)(x)
    return layers.BatchNormalization(name=f"{name}_bn", **_BATCH_NORM)(x)
