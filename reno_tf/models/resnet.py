"""ResNets (He et al., 2016) as torchvision builds them: v1.5, the stride in a bottleneck's 3x3."""

import functools

from tf_keras import layers

from reno_tf.models.backbone import Backbone
from reno_tf.models.layers import IMAGENET, SMALL, conv_norm, conv_norm_names, normalize


def resnet(images, stages, *, block, depths, mean, std, width=64, small=False):
    """Any ResNet: a stem, then four stages that halve the resolution from the second on.

    Args:
      images: [B, H, W, 3] in [0, 1]. stages: see `Backbone`.
      block: `basic_block` or `bottleneck`. depths: blocks per stage.
      mean, std: of the normalisation, per channel.
      width: channels of the stem; each stage after the first doubles them.
      small: for small images, the stem is a 3x3 convolution that keeps the resolution (section 4.2). Else it is
        a 7x7 convolution and a 3x3 max-pool, both of stride 2.

    Returns:
      The last of the stages [B, h, w, c], [B, h/2, w/2, 2 c], [B, h/4, w/4, 4 c], [B, h/8, w/8, 8 c];
      c is `width` for basic blocks and 4 `width` for bottlenecks, and sizes are rounded up.
    """
    x = normalize(images, mean=mean, std=std)
    x = layers.ReLU(name="stem_relu")(conv_norm(x, width, *((3, 1) if small else (7, 2)), "stem"))
    if not small:
        # Nothing is below 0 after a ReLU, so padding with 0 is torch's padding with -inf.
        x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
        x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    for stage, blocks in enumerate(depths, 1):
        for number in range(1, blocks + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            x = _residual(x, block(width * 2 ** (stage - 1), stride), stride, f"stage{stage}_block{number}")
        x = stages(x)
    return x


def torchvision_names(*, block, depths) -> dict[str, str]:
    """{layer: torchvision's module}; every block has a shortcut's names, though few have a shortcut with weights."""
    names = conv_norm_names("stem", "conv1", "bn1")
    for stage, blocks in enumerate(depths, 1):
        for number in range(1, blocks + 1):
            name, module = f"stage{stage}_block{number}", f"layer{stage}.{number - 1}"
            for place in range(1, len(block(1, 1)) + 1):
                names |= conv_norm_names(f"{name}_{place}", f"{module}.conv{place}", f"{module}.bn{place}")
            names |= conv_norm_names(f"{name}_shortcut", f"{module}.downsample.0", f"{module}.downsample.1")
    return names | {"head": "fc"}


def basic_block(channels, stride):
    """Channels, kernel and stride of each convolution: two of 3x3."""
    return (channels, 3, stride), (channels, 3, 1)


def bottleneck(channels, stride):
    """Channels, kernel and stride of each convolution: 1x1, 3x3, and 1x1 to four times the channels."""
    return (channels, 1, 1), (channels, 3, stride), (4 * channels, 1, 1)


def _residual(x, convolutions, stride, name):
    """The convolutions beside a shortcut, which has a convolution of its own where the shape changes."""
    shortcut, out_channels = x, convolutions[-1][0]
    if stride != 1 or x.shape[-1] != out_channels:
        shortcut = conv_norm(x, out_channels, 1, stride, f"{name}_shortcut")
    for number, convolution in enumerate(convolutions, 1):
        x = conv_norm(x, *convolution, f"{name}_{number}")
        if number < len(convolutions):
            x = layers.ReLU(name=f"{name}_{number}_relu")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([shortcut, x]))


def _imagenet(block, *depths):
    network = functools.partial(resnet, block=block, depths=depths, **IMAGENET)
    return Backbone(network, (torchvision_names(block=block, depths=depths),))  # timm's names are the same.


def _cifar(*depths):
    return Backbone(functools.partial(resnet, block=basic_block, depths=depths, width=16, small=True, **SMALL))


RESNETS = {
    "resnet18_cifar": _cifar(2, 2, 2, 2),
    "resnet34_cifar": _cifar(3, 4, 6, 3),
    "resnet18": _imagenet(basic_block, 2, 2, 2, 2),
    "resnet34": _imagenet(basic_block, 3, 4, 6, 3),
    "resnet50": _imagenet(bottleneck, 3, 4, 6, 3),
    "resnet101": _imagenet(bottleneck, 3, 4, 23, 3),
}
