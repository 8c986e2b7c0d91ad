"""Where a model comes from, in every format: equal weights, moved ones, and those of another training."""

import ancestry
import numpy as np
import onnx
import pytest
from ancestry import FOLDED, FORMS, NUM_KERNELS, NUM_LAYERS

from reno_tf import audit
from reno_tf.audit import onnx_weights, public_part
from reno_tf.errors import UserError
from reno_tf.models import kernels, public_weights
from reno_tf.models.kernels import WeightArray

OTHERS = ("h5", "keras3", "int8", "onnx")  # in which another training's weights are kept


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield ancestry.register(patch, tmp_path_factory.mktemp("public"))


@pytest.fixture(scope="module")
def paths(public, tmp_path_factory):
    """A student in each format: with the public weights, and of another training."""
    folder = tmp_path_factory.mktemp("students")
    networks = {"same": public, "other": ancestry.drawn(2)}
    return {
        (who, form): ancestry.save(folder / who / form, form, network)
        for who, network in networks.items()
        for form in (FORMS if who == "same" else OTHERS)
    }


def _arrays(path):
    return audit.open_model(path).read_weights()


@pytest.mark.parametrize("form", FORMS)
def test_public_weights_are_recognised_in_every_format(paths, form):
    lineage = audit.trace(_arrays(paths["same", form]))
    found = lineage.comparison
    assert lineage.titles == ("Toy 1.0",) and found.network.name == "toy/shapes"
    assert found.folded == (form in FOLDED | {"frozen"}) and found.certain and found.related
    assert list(found.layers.values()) == [True] * (NUM_KERNELS if found.folded else NUM_LAYERS)
    assert found.public_stages == 3


@pytest.mark.parametrize("form", OTHERS)
def test_weights_of_another_training_are_not(paths, form):
    found = audit.trace(_arrays(paths["other", form])).comparison
    assert not any(found.layers.values()) and not found.related and found.public_stages == 0
    assert found.distance > 0.85


@pytest.mark.parametrize("form", ["h5", "keras3", "int8", "onnx"])
def test_digests_alone_recognise_them(paths, public, tmp_path, form):
    with pytest.MonkeyPatch.context() as patch:
        ancestry.register(patch, tmp_path)
        ancestry.forget_weights(tmp_path)
        same, other = (audit.trace(_arrays(paths[who, form])).comparison for who in ("same", "other"))
    assert same.related and same.distance < 0.3 and same.network.values is None
    assert not other.related and not any(other.layers.values())
    assert same.certain == (form not in FOLDED)
    assert set(same.layers.values()) == {form not in FOLDED}


@pytest.mark.parametrize("form", ["keras2", "tflite", "int8"])
def test_it_says_which_stages_moved_and_how_far(public, tmp_path, form):
    student = ancestry.moved(public, 0.2)
    found = audit.trace(_arrays(ancestry.save(tmp_path, form, student))).comparison
    assert found.related and found.public_stages == 1
    assert [name for name, equal in found.layers.items() if not equal] == ["point_conv", "last_conv"]
    # Noise of a fifth of the size, less the part of it that a scale of each channel takes up.
    distances = found.stage_distances()
    assert distances[1] < 0.01 and distances[3] == pytest.approx(0.2, abs=0.02)


def test_a_small_step_is_a_change_in_floats(public, tmp_path):
    """Numbers that 32 bits tell apart are not called equal, folded or not."""
    student = ancestry.moved(public, 1e-4)
    for form in ("keras2", "tflite", "onnx"):
        found = audit.trace(_arrays(ancestry.save(tmp_path / form, form, student))).comparison
        assert [name for name, equal in found.layers.items() if not equal] == ["point_conv", "last_conv"]


def test_other_statistics_are_seen_where_they_are_in_the_file(public, tmp_path):
    student = ancestry.moved(public, 0.0)
    norm = student.get_layer("deep_bn")
    norm.set_weights([*norm.get_weights()[:2], *(value + 0.01 for value in norm.get_weights()[2:])])
    found = audit.trace(_arrays(ancestry.save(tmp_path, "h5", student))).comparison
    assert [name for name, equal in found.layers.items() if not equal] == ["deep_bn"]
    assert found.public_stages == 1


def test_another_network_has_no_known_shapes(public):
    arrays = [WeightArray(f"{name}/kernel", np.ones((3, 3, 4, 4), np.float32)) for name in "abc"]
    assert audit.trace(arrays) == audit.Lineage((), None)
    assert audit.trace([]) == audit.Lineage((), None)


def test_a_constant_or_empty_kernel_is_nobodys(public):
    arrays = [
        WeightArray(unit.layer, np.zeros_like(value[0]), step=1.0)
        for unit in public_weights.public_networks(["toy"])[0].units
        for value in [public_weights.public_networks(["toy"])[0].values[unit.layer, unit.shape]]
    ]
    found = audit.compare(arrays, public_weights.public_networks(["toy"])[0])
    assert not any(found.layers.get(name) for name in ("stem_conv", "deep_conv", "point_conv", "last_conv"))


@pytest.mark.parametrize("shape", [(3, 3, 16, 24), (3, 3, 16, 1), (48, 32)])
def test_a_sketch_survives_a_fold_and_rounding_and_tells_others_apart(shape):
    generator = np.random.default_rng(0)
    kernel, other = generator.normal(size=(2, *shape)).astype(np.float32)
    columns = kernels.as_columns(kernel)
    scales = generator.uniform(0.1, 3, columns.shape[1]) * generator.choice([-1, 1], columns.shape[1])
    folded = (columns * scales).astype(np.float32)
    step = np.abs(folded).max(0) / 127
    rounded = np.round(folded / step) * step
    first = kernels.sketch(kernel)
    assert first == kernels.sketch(folded.reshape(shape))
    assert kernels.differing_bits(first, kernels.sketch(rounded.reshape(shape))) <= 4
    assert kernels.differing_bits(first, kernels.sketch(other)) > 12
    array = WeightArray("k", rounded.reshape(shape), step=np.broadcast_to(step, columns.shape).reshape(shape))
    assert kernels.fit(array, kernel).within_storage
    assert not kernels.fit(array, other).within_storage and kernels.fit(array, other).distance > 0.8
    assert not kernels.fit(WeightArray("k", rounded.reshape(shape)), kernel).within_storage


def test_a_sketch_and_a_digest_never_change():
    """They are written down in lineage.json."""
    kernel = np.arange(-30, 78, dtype=np.float32).reshape(3, 3, 3, 4)
    assert (f"{kernels.sketch(kernel):016x}", kernels.digest(kernel)) == ("205f2ae22c8431c2", "c8b942c52c7df556")


def test_a_quantised_kernel_of_onnx_is_read_with_its_step(public, tmp_path):
    """As ONNX Runtime's own tools quantise: whole numbers, a scale for each output channel, then Conv."""
    network = public_weights.public_networks(["toy"])[0]
    (kernel,) = network.values["last_conv", "3x3x16x24"]
    stored = kernel.transpose(3, 2, 0, 1)
    scale = (np.abs(stored).max((1, 2, 3)) / 127).astype(np.float32)
    tensors = {
        "whole": np.round(stored / scale[:, None, None, None]).astype(np.int8),
        "scale": scale,
        "zero": np.zeros(24, np.int8),
    }
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["whole", "scale", "zero"], ["kernel"], axis=0),
        onnx.helper.make_node("Conv", ["images", "kernel"], ["features"]),
    ]
    constants = [onnx.numpy_helper.from_array(values, name) for name, values in tensors.items()]
    path = tmp_path / "m.onnx"
    path.write_bytes(
        onnx.helper.make_model(onnx.helper.make_graph(nodes, "toy", [], [], constants)).SerializeToString()
    )
    (array,) = onnx_weights.read_onnx(str(path))
    np.testing.assert_allclose(array.values, kernel, atol=scale.max() / 2 * 1.001)
    assert kernels.same_values(array, kernel) and kernels.fit(array, kernel).within_storage
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match="m.onnx is damaged"):
        onnx_weights.read_onnx(str(path))


def test_numbers_that_are_not_finite_are_nobodys(public):
    network = public_weights.public_networks(["toy"])[0]
    arrays = [WeightArray(f"{layer}/x", np.full_like(value[0], np.nan)) for (layer, _), value in network.values.items()]
    found = audit.compare(arrays, network)
    assert found.distance == 1.0 and not any(found.layers.values()) and found.public_stages == 0


def test_one_kernel_in_all_its_axes_is_one():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 1, 5)).astype(np.float32)
    turned = kernel.transpose(0, 1, 3, 2)
    matrix = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    for first, second in ((kernel, turned), (matrix, matrix.reshape(1, 1, 6, 5))):
        assert kernels.shape_name(first) == kernels.shape_name(second)
        assert kernels.digest(first) == kernels.digest(second) and kernels.sketch(first) == kernels.sketch(second)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "frozen"])
def test_the_backbone_comes_out_of_every_format(paths, public, form):
    network = ancestry.TOY.build("toy", image_size=ancestry.SIDE)
    name = audit.take_backbone(_arrays(paths["same", form]), network, origin=form)
    assert name == ("shapes" if form not in FOLDED else None)
    images = np.random.default_rng(0).uniform(size=(4, ancestry.SIDE, ancestry.SIDE, 3)).astype(np.float32)
    expected, given = public(images), network(images)
    for stage, features in expected.items():
        size = float(np.sqrt(np.mean(np.square(features))))
        tolerance = {"int8": 0.05, "float16": 5e-3}.get(form, 1e-4)
        np.testing.assert_allclose(given[stage], features, atol=tolerance * 6 * size, err_msg=stage)


def test_unknown_weights_come_out_by_the_names_of_their_layers(paths):
    """Those of Keras 3 are called otherwise."""
    network = ancestry.TOY.build("toy", image_size=ancestry.SIDE)
    for form in ("h5", "onnx"):
        assert audit.take_backbone(_arrays(paths["other", form]), network, origin=form) is None
        images = np.random.default_rng(0).uniform(size=(2, ancestry.SIDE, ancestry.SIDE, 3)).astype(np.float32)
        expected = ancestry.drawn(2)(images)["penultimate"]
        np.testing.assert_allclose(network(images)["penultimate"], expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(UserError, match="keeps the BatchNorm behind stem_conv in a form that is not read"):
        audit.take_backbone(_arrays(paths["same", "frozen"]), network, origin="m")
    with pytest.raises(UserError, match="m.keras has no layer stem_conv of the shape 3x3x3x8, as toy has"):
        audit.take_backbone(_arrays(paths["other", "keras3"]), network, origin="m.keras")


@pytest.mark.parametrize("form", ["h5", "onnx"])
def test_the_public_part_is_a_teacher_as_far_as_it_goes(public, tmp_path, form):
    arrays = _arrays(ancestry.save(tmp_path, form, ancestry.moved(public, 0.2, ("last_conv",))))
    network = ancestry.TOY.build("toy", image_size=ancestry.SIDE)
    teacher = public_part.public_teacher(network, arrays, audit.trace(arrays).comparison)
    images = np.random.default_rng(0).uniform(size=(2, ancestry.SIDE, ancestry.SIDE, 3)).astype(np.float32)
    expected, given = public(images), teacher(images)
    assert list(given) == ["stage1", "stage2", "penultimate"]
    for stage in ("stage1", "stage2"):
        np.testing.assert_allclose(given[stage], expected[stage], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(given["penultimate"], np.mean(expected["stage2"], (1, 2)), rtol=1e-3, atol=1e-3)


def test_nothing_public_is_no_teacher(paths):
    arrays = _arrays(paths["other", "h5"])
    network = ancestry.TOY.build("toy", image_size=ancestry.SIDE)
    with pytest.raises(UserError, match="no stage of the student consists of public weights alone"):
        public_part.public_teacher(network, arrays, audit.trace(arrays).comparison)


@pytest.mark.parametrize("per_channel", [False, True])
def test_dynamic_quantisation_leaves_kernels_and_biases_their_size(tmp_path, per_channel):
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime import quantization

    generator = np.random.default_rng(0)
    values = {"kernel": (8, 3, 3, 3), "bias": (8,), "matrix": (8, 5)}
    values = {name: generator.normal(size=shape).astype(np.float32) for name, shape in values.items()}
    nodes = [
        helper.make_node("Conv", ["images", "kernel", "bias"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["scores"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in {"images": [None, 3, 8, 8], "scores": [None, 5]}.items()
    ]
    stored = [numpy_helper.from_array(array, name) for name, array in values.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    eight = str(tmp_path / "8.onnx")
    options = {"weight_type": quantization.QuantType.QUInt8, "per_channel": per_channel}
    quantization.quantize_dynamic(tmp_path / "m.onnx", eight, **options)
    kernel, bias, matrix = onnx_weights.read_onnx(eight)
    assert kernels.same_values(kernel, values["kernel"].transpose(2, 3, 1, 0))
    assert kernels.same_values(matrix, values["matrix"]) and kernels.same_values(bias, values["bias"])
    assert not kernels.same_values(matrix, 1.1 * values["matrix"])
