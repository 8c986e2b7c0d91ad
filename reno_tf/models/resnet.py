"""ResNets of basic blocks (He et al., 2016, CIFAR form: section 4.2 with ImageNet's four stages)."""

import tf_keras
from tf_keras import layers

from reno_tf.models.taps import Stages, tapped_model

# BatchNorm as in torchvision: epsilon 1e-5, and 0.9 of the moving statistics kept at each step.
_BATCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}


def resnet18_cifar(*, num_classes=None, dropout=0.0, tap="before_dropout", image_size=None, width=16):
    """ResNet-18 for small images: 3x3 stem of stride 1, no max-pool, `width` channels in stage 1.

    Args:
      num_classes: size of the linear head; None builds the backbone alone.
      dropout, tap: see `reno_tf.models.taps.Stages`.
      image_size: side of the square input in pixels; None accepts any size.
      width: channels of the first stage; each further stage doubles them.

    Returns:
      Images [B, H, W, 3] in [0, 1] -> {"stage1": [B, H, W, width], "stage2": [B, H/2, W/2,
      2 width], "stage3", "stage4", "penultimate": [B, 8 width][, "logits": [B, num_classes]]}.
    """
    images = tf_keras.Input([image_size, image_size, 3], name="images")
    x = normalize(images, mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25])
    x = _conv_norm(x, width, 3, 1, "stem")
    x = layers.ReLU(name="stem_relu")(x)
    stages = Stages(dropout, tap)
    for stage, blocks in enumerate((2, 2, 2, 2)):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            x = _basic_block(x, width * 2**stage, stride, f"stage{stage + 1}_block{block + 1}")
        x = stages(x)
    return tapped_model(images, stages, x, num_classes, "resnet18_cifar")


def normalize(images, *, mean, std):
    """(images - mean) / std per channel, as a layer named "normalize"."""
    scale = [1 / s for s in std]
    offset = [-m / s for m, s in zip(mean, std, strict=True)]
    return layers.Rescaling(scale, offset, name="normalize")(images)


def normalization(model):
    """The (mean, std) per channel that the model's own normalisation uses."""
    layer = model.get_layer("normalize")
    return [-o / s for o, s in zip(layer.offset, layer.scale, strict=True)], [1 / s for s in layer.scale]


def _basic_block(x, channels, stride, name):
    shortcut = x
    if stride != 1 or x.shape[-1] != channels:
        shortcut = _conv_norm(x, channels, 1, stride, f"{name}_shortcut")
    x = _conv_norm(x, channels, 3, stride, f"{name}_1")
    x = layers.ReLU(name=f"{name}_1_relu")(x)
    x = _conv_norm(x, channels, 3, 1, f"{name}_2")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def _conv_norm(x, channels, kernel, stride, name):
    # Keras's "same" pads (0, 1) at stride 2; torch pads (1, 1): pad by hand, then convolve "valid".
    if kernel > 1 and stride > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    padding = "valid" if kernel > 1 and stride > 1 else "same"
    x = layers.Conv2D(channels, kernel, stride, padding, use_bias=False, name=f"{name}_conv")(x)
    return layers.BatchNormalization(name=f"{name}_bn", **_BATCH_NORM)(x)
