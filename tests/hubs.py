"""Tiny networks of KerasHub with random weights, as a user would save them; skips where KerasHub is absent."""

import pytest

pytest.importorskip("keras_hub")

import keras
import keras_hub

SIDE = 16


def _transformer(kind, **options):
    return kind(image_shape=(SIDE, SIDE, 3), patch_size=4, num_heads=2, hidden_dim=8, name="tiny", **options)


def vit(num_layers=1):
    return _transformer(keras_hub.models.ViTBackbone, num_layers=num_layers, mlp_dim=16)


def deit(num_layers=1):
    return _transformer(keras_hub.models.DeiTBackbone, num_layers=num_layers, intermediate_dim=16)


def resnet():
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 16],
        stackwise_num_blocks=[1, 2],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )


def mobilenet():
    """MobileNetV3's blocks: expansion, squeeze-and-excite, hard swish."""
    return keras_hub.models.MobileNetBackbone(
        stackwise_expansion=[[8], [16, 16]],
        stackwise_num_blocks=[1, 2],
        stackwise_num_filters=[[8], [12, 12]],
        stackwise_kernel_size=[[3], [3, 3]],
        stackwise_num_strides=[[2], [2, 1]],
        stackwise_se_ratio=[[None], [0.25, 0.25]],
        stackwise_activation=[["relu"], ["hard_swish", "hard_swish"]],
        stackwise_padding=[[1], [1, 1]],
        output_num_filters=16,
        input_activation="hard_swish",
        output_activation="hard_swish",
        input_num_filters=8,
        depthwise_filters=8,
        depthwise_stride=1,
        depthwise_residual=True,
        squeeze_and_excite=None,
        last_layer_filter=24,
    )


def efficientnet():
    """EfficientNetV2's blocks: fused, then not."""
    return keras_hub.models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0] * 3,
        stackwise_depth_coefficients=[1.0] * 3,
        stackwise_input_filters=[8, 8, 16],
        stackwise_output_filters=[8, 16, 16],
        stackwise_kernel_sizes=[3] * 3,
        stackwise_num_repeats=[1, 1, 2],
        stackwise_expansion_ratios=[1, 2, 2],
        stackwise_squeeze_and_excite_ratios=[0.0, 0.0, 0.25],
        stackwise_strides=[1, 2, 2],
        stackwise_block_types=["fused", "fused", "unfused"],
        stackwise_force_input_filters=[0] * 3,
        stackwise_nores_option=[False] * 3,
        dropout=0.0,
    )


BACKBONES = {"vit": vit, "deit": deit, "resnet": resnet, "mobilenet": mobilenet, "efficientnet": efficientnet}
_CLASSIFIERS = {
    "vit": "ViT",
    "deit": "DeiT",
    "resnet": "ResNet",
    "mobilenet": "MobileNet",
    "efficientnet": "EfficientNet",
}


def classifier(family="vit", *, scale=1 / 127.5, offset=-1.0, **options):
    """`classified` on a tiny backbone; **options: the backbone's."""
    return classified(BACKBONES[family](**options), family, num_classes=3, scale=scale, offset=offset)


def classified(backbone, family, *, num_classes, scale=1 / 127.5, offset=-1.0):
    """A task with its preprocessor, which feeds it -1..1 if nothing else is asked for."""
    name = f"{_CLASSIFIERS[family]}ImageClassifier"
    converter = getattr(keras_hub.layers, f"{_CLASSIFIERS[family]}ImageConverter")(scale=scale, offset=offset)
    preprocessor = getattr(keras_hub.models, f"{name}Preprocessor")(converter)
    return getattr(keras_hub.models, name)(backbone, num_classes=num_classes, preprocessor=preprocessor)


def around(backbone):
    """A functional model around a backbone, which takes 0 to 255."""
    images = keras.Input((SIDE, SIDE, 3))
    tokens = backbone(keras.layers.Rescaling(1 / 255)(images))
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(tokens[:, 0]))
