"""bfloat16 where the hardware has it, in attacks and in training; a batch over several devices."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from small_network import tiny

import reno_tf
from reno_tf import attacks, data, hardware, methods, models
from reno_tf.errors import UserError
from reno_tf.training import averaging as swa
from reno_tf.training import optimizers


@pytest.mark.parametrize(
    ("flags", "resolved"),
    [({"avx2", "avx512_bf16"}, "bfloat16"), ({"amx_bf16"}, "bfloat16"), ({"avx2", "avx512f"}, "float32")],
)
def test_auto_follows_the_processor(monkeypatch, flags, resolved):
    monkeypatch.setattr(hardware, "cpu_flags", lambda: flags)
    assert hardware.resolve_precision("auto") == resolved
    assert hardware.versions()["device"].endswith(" with bfloat16") == (resolved == "bfloat16")
    assert attacks.penultimate_pgd(tiny()).parameters["precision"] == resolved
    assert attacks.PGD().on(tiny(), precision="float32").parameters["precision"] == "float32"


@pytest.mark.parametrize(("capability", "resolved"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")])
def test_auto_follows_the_gpu(monkeypatch, capability, resolved):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"] if kind == "GPU" else [])
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert hardware.resolve_precision("auto") == resolved


@pytest.mark.parametrize(
    ("backbone", "flags", "gpu", "mixed"),
    [
        ("resnet18_cifar", {"amx_bf16"}, False, True),
        ("resnet18_cifar", {"avx2"}, False, False),
        ("mobilenet_v2_cifar", {"amx_bf16"}, False, False),  # depthwise
        ("mobilenet_v2_cifar", {"avx2"}, True, True),
    ],
)
def test_training_is_mixed_where_that_is_faster(monkeypatch, backbone, flags, gpu, mixed):
    monkeypatch.setattr(hardware, "cpu_flags", lambda: flags)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"] if gpu and kind == "GPU" else [])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": (9, 0)})
    model = models.build(backbone, num_classes=2, precision="auto")
    assert models.is_mixed(model) == mixed
    assert {weight.dtype for weight in model.weights} == {tf.float32}
    assert model(np.zeros([1, 32, 32, 3], np.float32))["logits"].dtype == tf.float32


def test_float16_is_refused():
    with pytest.raises(UserError, match="unknown precision 'float16'; .*choose one of: auto, bfloat16, float32"):
        attacks.penultimate_pgd(tiny(), precision="float16")
    with pytest.raises(
        UserError, match="unknown precision 'mixed_float16'; .*choose one of: auto, float32, mixed_bfloat16"
    ):
        tiny(precision="mixed_float16")


@pytest.mark.long
def test_bfloat16_attacks_as_well_as_float32():
    """Through the shipped teacher: it drives the neuron as far, though single images may turn out otherwise."""
    teacher = models.build("resnet18_cifar", weights="glyphs")
    images = data.load("digits", seed=0, shots=4, validation_per_class=0).test.take(range(100)).floats()[:]
    reached = {}
    for precision in ("float32", "bfloat16"):
        attack = attacks.penultimate_pgd(teacher, steps=4, step_size=0.02, epsilon=0.05, precision=precision)
        reached[precision] = _driven(teacher, attacks.craft(attack, images))
    clean = _driven(teacher, images)
    assert reached["float32"] > 3 * clean > 0
    assert reached["bfloat16"] - clean == pytest.approx(reached["float32"] - clean, rel=0.02)


def _driven(teacher, images):
    """The mean of the neuron that the attack makes large."""
    return float(np.mean(teacher(images, training=False)["penultimate"][:, 0]))


def test_the_last_partial_batch_is_not_traced_again(images):
    attack = attacks.penultimate_pgd(tiny(), steps=2, precision="bfloat16")
    attacks.craft(attack, images, batch_size=4)
    assert attack._compiled.experimental_get_tracing_count() == 1


_ON_DEVICES = """
import json
import numpy as np
import reno_tf
import tensorflow as tf
from small_network import tiny

one = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [one, one])
images = np.random.default_rng(0).uniform(size=(7, 16, 16, 3)).astype(np.float32)
attack = reno_tf.attacks.penultimate_pgd(tiny(), steps=3, precision="float32")
crafted = reno_tf.attacks.craft(attack, images, batch_size=5)
arguments = map(tf.constant, (images, images, np.zeros((7, 2), np.int32)))
graph = attack._attack_all.get_concrete_function(attack._limits(images), *arguments).graph
calls = {node.device.split("/")[-1] for node in graph.as_graph_def().node if "PartitionedCall" in node.op}
print(json.dumps([crafted.tolist(), sorted(calls)]))
"""


@pytest.mark.long
def test_two_devices_give_what_one_gives():
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", _ON_DEVICES], cwd=here, capture_output=True, text=True, check=True)
    two, calls = json.loads(done.stdout.splitlines()[-1])
    assert calls == ["device:CPU:0", "device:CPU:1"]
    images = np.random.default_rng(0).uniform(size=(7, 16, 16, 3)).astype(np.float32)
    one = attacks.craft(attacks.penultimate_pgd(tiny(), steps=3, precision="float32"), images, batch_size=5)
    np.testing.assert_allclose(two, one, atol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("method", [methods.Renofeation, methods.DeltaAdversarial])
def test_mixed_training_stays_near_float32(method, images, labels):
    losses, students = {}, {}
    for precision in ("float32", "mixed_bfloat16"):
        students[precision] = student = tiny(num_classes=3, seed=2, dropout=0.1, precision=precision)
        model = reno_tf.Transfer(student, tiny(seed=1), method())
        model.compile(optimizer=swa.wrap(optimizers.SGD(0.001, 0.9), period=1))
        losses[precision] = [model.train_on_batch(images, labels, return_dict=True)["loss"] for _ in range(4)]
    np.testing.assert_allclose(losses["mixed_bfloat16"][:2], losses["float32"][:2], rtol=0.05)
    np.testing.assert_allclose(losses["mixed_bfloat16"], losses["float32"], rtol=0.15)  # Roundings add up.
    assert losses["mixed_bfloat16"] != losses["float32"]
    exact, mixed = (models.named_weights(students[precision]) for precision in ("float32", "mixed_bfloat16"))
    assert list(exact) == list(mixed) and all(weight.dtype == tf.float32 for weight in mixed.values())


def test_a_mixed_model_becomes_a_float32_one(images):
    mixed, exact = (tiny(num_classes=3, precision=precision) for precision in ("mixed_bfloat16", "float32"))
    assert models.is_mixed(mixed) and not models.is_mixed(exact)
    outputs = mixed(images, training=False)
    assert outputs["stage1"].dtype == tf.bfloat16
    assert outputs["penultimate"].dtype == outputs["logits"].dtype == tf.float32
    assert tf.keras.mixed_precision.global_policy().name == "float32"
    models.as_float32(mixed)
    assert not models.is_mixed(mixed)
    for name, expected in exact(images, training=False).items():
        np.testing.assert_array_equal(mixed(images, training=False)[name], expected)
