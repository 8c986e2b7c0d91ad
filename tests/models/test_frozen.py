"""A frozen network beside the network it came from."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from conftest import long
from small_network import tiny
from tf_keras import layers

from reno_tf import models
from reno_tf.errors import UserError
from reno_tf.models import block_convolution, depthwise_convolution, frozen


def _randomize(model, seed=0):
    """BatchNorm statistics and biases as a trained network has them."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.shape.rank == 1:
            positive = weight.name.endswith(("gamma:0", "variance:0"))
            weight.assign(rng.uniform(0.5, 1.5, weight.shape) if positive else 0.2 * rng.normal(size=weight.shape))
    return model


def _operations(function, outputs, *shape):
    graph = tf.function(lambda images: function(images, outputs)).get_concrete_function(tf.TensorSpec(shape)).graph
    return [operation.type for operation in graph.get_operations()]


def _close(ours, theirs, tolerance=1e-4):
    theirs = np.asarray(theirs)
    assert np.max(np.abs(ours - theirs)) <= tolerance * np.sqrt(np.mean(theirs**2))


@pytest.mark.parametrize(
    "name", ["resnet18_cifar", "mobilenet_v2", *long("keras_mobilenetv3small", "keras_resnet50v2")]
)
@pytest.mark.parametrize("side", [*long(64), 75])
def test_features_are_the_networks_own(name, side):
    model = _randomize(models.build(name, dropout=0.1))
    images = np.random.default_rng(1).uniform(size=(2, side, side, 3)).astype(np.float32)
    expected = model(images, training=False)
    for output, features in models.freeze(model)(images, list(model.output)).items():
        _close(features, expected[output])
    for output, features in models.freeze(model, precision="bfloat16")(images, ["penultimate"]).items():
        assert features.dtype == tf.float32 and np.max(np.abs(features - expected[output])) > 1e-5
        _close(features, expected[output], tolerance=0.05)


def test_no_batch_norm_no_dropout_and_nothing_unasked_is_left(images):
    model = _randomize(tiny(num_classes=3, dropout=0.5))
    kinds = _operations(models.freeze(model), ["stage2"], 2, 16, 16, 3)
    assert kinds.count("Conv2D") == 4 and kinds.count("BiasAdd") == 4  # stem, 1 + 1, shortcut
    assert not {"FusedBatchNormV3", "MatMul", "Mean"} & set(kinds)
    assert "VarHandleOp" not in kinds and models.freeze(model)(images, ["stage2"]).keys() == {"stage2"}


def test_a_batch_norm_whose_convolution_is_read_elsewhere_stays():
    images = tf_keras.Input([8, 8, 3])
    convolved = layers.Conv2D(4, 3)(images)
    model = _randomize(tf_keras.Model(images, {"a": layers.BatchNormalization()(convolved), "b": convolved}))
    x = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    for output, features in models.freeze(model)(x, ["a", "b"]).items():
        _close(features, model(x)[output])


@pytest.mark.parametrize("make", [layers.Conv2D, layers.SeparableConv2D])
@pytest.mark.parametrize("options", [{"padding": "same"}, {"strides": 2}, {"dilation_rate": 2}, {"use_bias": False}])
def test_every_kind_of_convolution(make, options):
    images = tf_keras.Input([9, 9, 3])
    normed = layers.BatchNormalization()(make(4, 3, **options)(layers.DepthwiseConv2D(3, depth_multiplier=2)(images)))
    normed = layers.BatchNormalization(scale=False, center=False)(layers.DepthwiseConv2D(1)(normed))
    model = _randomize(tf_keras.Model(images, {"x": layers.Dense(2)(layers.Flatten()(normed))}))
    kinds = _operations(models.freeze(model), ["x"], 2, 9, 9, 3)
    assert "FusedBatchNormV3" not in kinds and "Mul" not in kinds
    x = np.random.default_rng(0).uniform(size=(2, 9, 9, 3)).astype(np.float32)
    _close(models.freeze(model)(x, ["x"])["x"], model(x)["x"])


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size", [(3, 3), (7, 7), (4, 5), (1, 2)])
@pytest.mark.parametrize("extent", [(16, 15), (9, 12)])
def test_blocks_give_the_strided_convolution(padding, size, extent):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, *extent, 3)).astype(np.float32)
    kernel = rng.normal(size=(*size, 3, 5)).astype(np.float32)
    blocks = block_convolution.convolve(
        tf.constant(images), block_convolution.blocked(kernel), size=size, padding=padding
    )
    np.testing.assert_allclose(blocks, tf.nn.conv2d(images, kernel, 2, padding), atol=1e-4)


@pytest.mark.parametrize("around", ["SAME", [[0, 1], [0, 1]], [[1, 1], [2, 2]], [[0, 0], [0, 0]]])
@pytest.mark.parametrize("window", [1, 2, 3, 5])
@pytest.mark.parametrize("extent", [(16, 15), (9, 12)])
def test_a_strided_depthwise_convolution_and_its_gradient_are_tensorflows(around, window, extent):
    rng = np.random.default_rng(0)
    x, kernel = (rng.normal(size=shape).astype(np.float32) for shape in ((2, *extent, 3), (window, window, 3, 1)))
    zeros = [depthwise_convolution.same_padding(side, window, 2) for side in extent] if around == "SAME" else around
    padding = around if around == "SAME" else [[0, 0], *zeros, [0, 0]]
    x = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours = depthwise_convolution.convolve(x, kernel, stride=2, around=zeros)
        theirs = tf.nn.depthwise_conv2d(x, kernel, [1, 2, 2, 1], padding)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    upstream = tf.constant(rng.normal(size=ours.shape).astype(np.float32))
    gradients = [tape.gradient(y, x, upstream) for y in (ours, theirs)]
    np.testing.assert_allclose(*gradients, atol=1e-4)


def _alike(a, b):
    """But for bfloat16's rounding, which also switches a ReLU or two."""
    assert np.linalg.norm(a - b) <= 0.3 * np.linalg.norm(b)


_STRIDED = (  # Zeros by hand or by the layer itself, even and odd.
    [layers.ZeroPadding2D(1), layers.DepthwiseConv2D(3, strides=2)],
    [layers.ZeroPadding2D(((0, 1), (1, 2))), layers.DepthwiseConv2D(5, strides=2, use_bias=False)],
    [layers.DepthwiseConv2D(3, strides=2, padding="same")],
    [layers.SeparableConv2D(4, 3, strides=2, padding="same")],
)


@pytest.mark.parametrize("stack", _STRIDED)
def test_no_strided_depthwise_convolution_has_tensorflows_slow_gradient_in_bfloat16(stack):
    x = images = tf_keras.Input([16, 15, 3])
    for layer in (layers.Conv2D(4, 3), *stack, layers.BatchNormalization(), layers.ReLU(6.0)):
        x = layer(x)
    model = _randomize(tf_keras.Model(images, {"x": x}))
    x = tf.constant(np.random.default_rng(0).uniform(size=(2, 16, 15, 3)).astype(np.float32))
    gradients = []
    for precision in ("float32", "bfloat16"):
        network = models.freeze(model, precision=precision)

        @tf.function(autograph=False)
        def gradient(x, network=network):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = network(x, ["x"])["x"]
            return y, tape.gradient(y, x)

        features, of_features = gradient(x)
        _alike(features, model(x)["x"])
        gradients.append(of_features)
        kinds = [operation.type for operation in gradient.get_concrete_function(x).graph.get_operations()]
        assert ("DepthwiseConv2dNativeBackpropInput" in kinds) == (precision == "float32")
    _alike(*gradients)


@pytest.mark.parametrize(
    "name", ["resnet18_cifar", *long("mobilenet_v2_cifar", "keras_mobilenetv2", "keras_mobilenetv3small")]
)
def test_every_stage_has_a_gradient_in_bfloat16(name):
    """For the images, and the penultimate features have one for the stage."""
    model = models.build(name)
    outputs, network = list(model.output), models.freeze(model, precision="bfloat16")

    def gradients(images):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(images)
            features = network(images, outputs)
        for output in outputs:
            assert tape.gradient(features[output], images).dtype == tf.float32
            assert tape.gradient(features["penultimate"], features[output]).shape == features[output].shape

    tf.function(gradients, autograph=False).get_concrete_function(tf.TensorSpec([2, 64, 64, 3]))


def test_what_is_no_functional_model_is_called_as_it_is():
    doubled = lambda images: {"penultimate": 2 * images}  # noqa: E731
    assert models.freeze(doubled)(3, ["penultimate"]) == {"penultimate": 6}

    class Own(tf_keras.Model):
        def call(self, images, training=None):
            return {"penultimate": images + (1.0 if training else 0.0)}

    np.testing.assert_array_equal(models.freeze(Own())(tf.ones([1]), ["penultimate"])["penultimate"], [1.0])


def test_wrong_features_are_refused(monkeypatch):
    exact = frozen.frozen_layers._affine
    monkeypatch.setattr(frozen.frozen_layers, "_affine", lambda norm: (1.001 * exact(norm)[0], exact(norm)[1]))
    with pytest.raises(UserError, match="cannot be frozen: its folded stage1 features are off by"):
        models.freeze(_randomize(tiny()))


def test_a_model_is_folded_once_for_its_weights(images, monkeypatch):
    model, built = _randomize(tiny()), []
    make = frozen._Frozen.__init__
    monkeypatch.setattr(frozen._Frozen, "__init__", lambda self, model: built.append(1) or make(self, model))
    first, again, low = models.freeze(model), models.freeze(model), models.freeze(model, precision="bfloat16")
    assert again is first and low._operations is first._operations and len(built) == 1
    before = first(images, ["penultimate"])["penultimate"].numpy()
    _randomize(model, seed=5)
    changed = models.freeze(model)
    assert len(built) == 2
    np.testing.assert_array_equal(first(images, ["penultimate"])["penultimate"], before)
    _close(changed(images, ["penultimate"])["penultimate"], model(images)["penultimate"])


def test_a_frozen_form_does_not_keep_its_model_alive():
    model = _randomize(tiny())
    models.freeze(model)
    known = weakref.ref(model)
    del model
    gc.collect()
    assert known() is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [*long(("keras_efficientnetb0", "float32")), ("mobilenet_v2", "bfloat16"), ("resnet18", "bfloat16")],
)
def test_auto_is_what_is_faster_for_the_network(name, expected, monkeypatch):
    monkeypatch.setattr(models.frozen.hardware, "has_bfloat16", lambda: True)
    model = models.build(name)
    assert models.resolve_precision(model, "auto") == expected
    assert models.resolve_precision(model, "bfloat16") == "bfloat16"
    monkeypatch.setattr(models.frozen.hardware, "has_bfloat16", lambda: False)
    assert models.resolve_precision(model, "auto") == "float32"
    assert models.resolve_precision(lambda images: {}, "bfloat16") == "float32"
