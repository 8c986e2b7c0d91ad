"""ResNets (He et al., 2016) as torchvision builds them: v1.5, the stride in a bottleneck's 3x3."""

import functools

import tf_keras
from tf_keras import layers

from reno_tf.models.layers import IMAGENET, SMALL, conv_norm, normalize
from reno_tf.models.stages import Stages, tapped_model


def resnet(
    *,
    name,
    block,
    depths,
    stem,
    mean,
    std,
    width=64,
    num_classes=None,
    dropout=0.0,
    tap="before_dropout",
    image_size=None,
):
    """Any ResNet: a stem, then four stages that halve the resolution from the second on.

    Args:
      name: the model's.
      block: `basic_block` or `bottleneck`. depths: blocks per stage.
      stem: `imagenet_stem` (quarters the resolution) or `cifar_stem` (keeps it).
      mean, std: of the normalisation, per channel of images in [0, 1].
      width: channels of the stem; each stage after the first doubles them.
      num_classes: size of the linear head; None builds the backbone alone.
      dropout, tap: see `reno_tf.models.taps.Stages`.
      image_size: side of the square input in pixels; None accepts any size.

    Returns:
      Images [B, H, W, 3] in [0, 1] -> {"stage1": [B, h, w, c], "stage2": [B, h/2, w/2, 2 c],
      "stage3", "stage4", "penultimate": [B, 8 c][, "logits": [B, num_classes]]}; c is `width` for
      basic blocks and 4 `width` for bottlenecks, and sizes are rounded up.
    """
    images = tf_keras.Input([image_size, image_size, 3], name="images")
    x = stem(normalize(images, mean=mean, std=std), width)
    stages = Stages(dropout, tap)
    for stage, blocks in enumerate(depths):
        for number in range(blocks):
            stride = 2 if stage > 0 and number == 0 else 1
            x = block(x, width * 2**stage, stride, f"stage{stage + 1}_block{number + 1}")
        x = stages(x)
    return tapped_model(images, stages, x, num_classes, name)


def imagenet_stem(x, width):
    """7x7 convolution and 3x3 max-pool, both of stride 2."""
    x = layers.ReLU(name="stem_relu")(conv_norm(x, width, 7, 2, "stem"))
    # Nothing is below 0 after a ReLU, so padding with 0 is torch's padding with -inf.
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    return layers.MaxPooling2D(3, 2, name="stem_pool")(x)


def cifar_stem(x, width):
    """3x3 convolution of stride 1 (section 4.2), for small images."""
    return layers.ReLU(name="stem_relu")(conv_norm(x, width, 3, 1, "stem"))


def basic_block(x, channels, stride, name):
    """Two 3x3 convolutions beside the shortcut."""
    return _residual(x, [(channels, 3, stride), (channels, 3, 1)], stride, name)


def bottleneck(x, channels, stride, name):
    """1x1, 3x3 (which has the stride) and 1x1 to four times the channels, beside the shortcut."""
    return _residual(x, [(channels, 1, 1), (channels, 3, stride), (4 * channels, 1, 1)], stride, name)


def _residual(x, convolutions, stride, name):
    shortcut, out_channels = x, convolutions[-1][0]
    if stride != 1 or x.shape[-1] != out_channels:
        shortcut = conv_norm(x, out_channels, 1, stride, f"{name}_shortcut")
    for number, convolution in enumerate(convolutions, 1):
        x = conv_norm(x, *convolution, f"{name}_{number}")
        if number < len(convolutions):
            x = layers.ReLU(name=f"{name}_{number}_relu")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def _imagenet(name, block, depths):
    return functools.partial(resnet, name=name, block=block, depths=depths, stem=imagenet_stem, **IMAGENET)


def _cifar(name, depths):
    return functools.partial(resnet, name=name, block=basic_block, depths=depths, stem=cifar_stem, width=16, **SMALL)


RESNETS = {
    "resnet18_cifar": _cifar("resnet18_cifar", (2, 2, 2, 2)),
    "resnet34_cifar": _cifar("resnet34_cifar", (3, 4, 6, 3)),
    "resnet18": _imagenet("resnet18", basic_block, (2, 2, 2, 2)),
    "resnet34": _imagenet("resnet34", basic_block, (3, 4, 6, 3)),
    "resnet50": _imagenet("resnet50", bottleneck, (3, 4, 6, 3)),
    "resnet101": _imagenet("resnet101", bottleneck, (3, 4, 23, 3)),
}
