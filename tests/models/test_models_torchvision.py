"""The networks in their published PyTorch forms. tests/parity holds their numbers equal to PyTorch's."""

import numpy as np
import pytest
import tf_keras
from conftest import long

from reno_tf import models
from reno_tf.models.layers import IMAGENET

# Trainable parameters with 1000 classes, as torchvision's documentation lists them, and of the published Lite files.
_PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "mobilenet_v2": 3_504_872,
    "efficientnet_lite0": 4_652_008,
    "efficientnet_lite1": 5_416_680,
    "efficientnet_lite2": 6_092_072,
}
# Height, width and channels of each stage on an image of 225 x 193.
_SIZES = [(57, 49), (29, 25), (15, 13), (8, 7)]
_CHANNELS = {
    "resnet18": (64, 128, 256, 512),
    "resnet34": (64, 128, 256, 512),
    "resnet50": (256, 512, 1024, 2048),
    "resnet101": (256, 512, 1024, 2048),
    "mobilenet_v2": (24, 32, 64, 160, 1280),
    "efficientnet_lite0": (24, 40, 112, 192, 1280),
    "efficientnet_lite1": (24, 40, 112, 192, 1280),
    "efficientnet_lite2": (24, 48, 120, 208, 1280),
}


_QUICK = ("resnet18", "mobilenet_v2", "efficientnet_lite0")


@pytest.mark.parametrize("name", [*_QUICK, *long(*(name for name in _PARAMETERS if name not in _QUICK))])
def test_parameters_and_stages_are_those_published(name):
    model = models.build(name, num_classes=1000)
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == _PARAMETERS[name]
    shapes = {stage: tuple(shape) for stage, shape in model.compute_output_shape((2, 225, 193, 3)).items()}
    sizes = _SIZES + [_SIZES[-1]] * (len(_CHANNELS[name]) - len(_SIZES))
    expected = {
        f"stage{i}": (2, *size, channels)
        for i, (size, channels) in enumerate(zip(sizes, _CHANNELS[name], strict=True), 1)
    }
    assert shapes == {**expected, "penultimate": (2, _CHANNELS[name][-1]), "logits": (2, 1000)}


@pytest.mark.parametrize("name", ["resnet18", *long("resnet50", "mobilenet_v2")])
def test_dropout_adds_no_weight_and_a_mask_per_stage(name):
    plain, dropped = models.build(name), models.build(name, dropout=0.1)
    assert [w.name for w in plain.weights] == [w.name for w in dropped.weights]
    masks = [layer.name for layer in dropped.layers if isinstance(layer, models.SpatialDropout2D)]
    assert masks == [f"{stage}_dropout" for stage in models.stage_names(plain)]


def test_batch_norm_bias_and_normalization_are_torchvisions():
    for name in ("resnet50", "mobilenet_v2"):
        model = models.build(name)
        for layer in model.layers:
            if isinstance(layer, tf_keras.layers.BatchNormalization):
                assert (layer.epsilon, layer.momentum) == (1e-5, 0.9)
            elif isinstance(layer, tf_keras.layers.Conv2D):
                assert not layer.use_bias
        mean, std = models.normalization(model)
        np.testing.assert_allclose(mean, IMAGENET["mean"])
        np.testing.assert_allclose(std, IMAGENET["std"])
        gray = np.tile(np.float32(0.5), (1, 4, 4, 3))
        expected = (0.5 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
        np.testing.assert_allclose(model.get_layer("normalize")(gray)[0, 0, 0], expected, rtol=1e-4)


def test_a_bottleneck_strides_in_its_3x3():
    model = models.build("resnet50")
    strides = [model.get_layer(f"stage2_block1_{i}_conv").strides for i in (1, 2, 3)]
    assert strides == [(1, 1), (2, 2), (1, 1)]


def test_depthwise_kernels_are_drawn_by_their_own_fan_in():
    kernel = models.named_weights(models.build("mobilenet_v2"))["block17_depthwise_conv/depthwise_kernel"].numpy()
    assert np.abs(kernel).max() <= 1 / 3  # 3 x 3 = 9 inputs a channel
    assert abs((kernel**2).mean() * 9 - 1 / 3) < 5 / np.sqrt(kernel.size)
