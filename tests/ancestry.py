"""A small network with public weights of its own, and students that were made from it, in every format."""

import contextlib
import io

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
import tf_keras
from tf_keras import layers

from reno_tf import files, models
from reno_tf.models import public_weights, weights
from reno_tf.models.backbone import Backbone
from reno_tf.models.layers import conv_norm, normalize

SIDE = 16
FORMS = ("keras2", "h5", "keras3", "savedmodel", "frozen", "tflite", "float16", "int8", "onnx")
FOLDED = {"tflite", "float16", "int8", "onnx"}
_MEAN_STD = {"mean": (0.5,) * 3, "std": (0.5,) * 3}


def _layers(images, stages):
    x = conv_norm(normalize(images, **_MEAN_STD), 8, 3, 2, "stem")
    x = stages(layers.ReLU(name="stem_relu")(x))
    x = layers.ReLU(name="deep_relu")(conv_norm(x, None, 3, 1, "deep"))
    x = stages(layers.ReLU(name="point_relu")(conv_norm(x, 16, 1, 1, "point")))
    return stages(layers.ReLU(name="last_relu")(conv_norm(x, 24, 3, 2, "last")))


TOY = Backbone(_layers)
NUM_LAYERS, NUM_KERNELS = 8, 4


def register(patch, folder):
    """The backbone "toy" with the public weights "shapes", and a folder pretrained/ that has both."""
    patch.setitem(models.BACKBONES, "toy", TOY)
    patch.setattr(weights, "PRETRAINED", folder)
    network = drawn(1)
    weights.keep("toy", "shapes", models.save(network), {"url": None, "licence": None, "source_sha256": None})
    described = public_weights.describe(network, "shapes")
    kernels = public_weights.kernel_counts(described.units)
    public_weights.write({"architectures": {"toy": {"title": "Toy 1.0", "kernels": kernels}}, "weights": {}})
    public_weights.keep(described)
    return network


def forget_weights(folder):
    """The digests stay, the file goes."""
    manifest = weights.manifest()
    manifest["toy"]["shapes"] |= {"sha256": None, "command": "python main.py", "url": "its author"}
    files.write_json(folder / "manifest.json", manifest)
    (folder / "toy_shapes.safetensors").unlink()


def drawn(seed):
    """The backbone as a training of its own leaves it: no two have a weight in common. Some scales are negative."""
    network, generator = TOY.build("toy", image_size=SIDE), np.random.default_rng(seed)
    for layer in network.layers:
        values = [generator.normal(size=value.shape) for value in layer.get_weights()]
        if isinstance(layer, layers.BatchNormalization):
            values[0], values[3] = values[0] + 0.1 * np.sign(values[0]), 0.5 + values[3] ** 2
        layer.set_weights(values)
    return network


def moved(network, part, layer_names=("point_conv", "last_conv")):
    """Another one whose kernels of these layers are changed by noise of this part of their size."""
    other, generator = TOY.build("toy", image_size=SIDE), np.random.default_rng(7)
    other.set_weights(network.get_weights())
    for name in layer_names:
        (kernel,) = other.get_layer(name).get_weights()
        other.get_layer(name).set_weights([kernel + part * kernel.std() * generator.normal(size=kernel.shape)])
    return other


def student(network):
    """images 0 to 255 -> three probabilities, the network inside."""
    images = tf_keras.Input((SIDE, SIDE, 3))
    features = network(layers.Rescaling(1 / 255)(images))["penultimate"]
    model = tf_keras.Model(images, layers.Dense(3, activation="softmax")(features))
    head = np.random.default_rng(3).normal(size=(24, 3))
    model.layers[-1].set_weights([head, np.zeros(3)])
    return model


def _renamed(network):
    """The same in Keras 3, flat, its layers without their names."""
    images = x = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(x)
    for name, convolution in {
        "stem": keras.layers.Conv2D(8, 3, 2, "same", use_bias=False),
        "deep": keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        "point": keras.layers.Conv2D(16, 1, use_bias=False),
        "last": keras.layers.Conv2D(24, 3, 2, "same", use_bias=False),
    }.items():
        norm = keras.layers.BatchNormalization(epsilon=1e-5)
        x = keras.layers.ReLU()(norm(convolution(x)))
        convolution.set_weights(network.get_layer(f"{name}_conv").get_weights())
        norm.set_weights(network.get_layer(f"{name}_bn").get_weights())
    return keras.Model(images, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


def save(folder, form, network) -> str:
    """The path of a student in that format."""
    folder.mkdir(parents=True, exist_ok=True)
    if form in ("keras2", "h5"):
        path = folder / {"keras2": "m.keras", "h5": "m.h5"}[form]
        student(network).save(path)
    elif form == "keras3":
        path = folder / "m.keras"
        _renamed(network).save(path)
    elif form in ("savedmodel", "frozen"):
        path = folder / "m"
        _save_graph(student(network), path, frozen=form == "frozen")
    elif form == "onnx":
        path = folder / "m.onnx"
        _to_onnx(student(network), path)
    else:
        path = folder / "m.tflite"
        path.write_bytes(_to_tflite(student(network), form))
    return str(path)


def _function(model):
    return tf.function(lambda images: {"scores": model(images)}, [tf.TensorSpec([None, SIDE, SIDE, 3], name="images")])


def _save_graph(model, path, *, frozen):
    module = tf.Module()
    module.read = _function(model)
    if not frozen:
        module.model = model
    else:
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        constant = convert_variables_to_constants_v2(module.read.get_concrete_function())
        module = tf.Module()
        module.read = tf.function(
            lambda images: {"scores": constant(images)[0]}, [tf.TensorSpec([None, SIDE, SIDE, 3])]
        )
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.read})


def _to_tflite(model, form):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([_function(model).get_concrete_function()], model)
    if form != "tflite":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form == "int8":
        generator = np.random.default_rng(0)
        images = [generator.uniform(0, 255, (1, SIDE, SIDE, 3)).astype(np.float32) for _ in range(4)]
        converter.representative_dataset = lambda: ([image] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return converter.convert()


def _to_onnx(model, path):
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(_function(model).get_concrete_function())
    converted, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[frozen.inputs[0].name],
        output_names=[frozen.outputs[0].name],
        opset=17,
    )
    path.write_bytes(converted.SerializeToString())
