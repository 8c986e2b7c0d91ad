"""Whatever stands in a config, a manifest, a run's results or a folder of images: an outcome, or one line."""

import copy
import json
import string
import unicodedata

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

import modes
from configs import default, reproduce
from reno_tf import data, models, settings
from reno_tf.commands.reproducing import planning
from reno_tf.data.folder import list_splits
from reno_tf.errors import UserError
from reno_tf.models import weights
from reno_tf.reporting import finished_runs

_FEW = limits(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def _keys(config, prefix=""):
    for key, value in config.items():
        yield from _keys(value, f"{prefix}{key}.") if hasattr(value, "items") and value else [prefix + key]


_KEYS = sorted(set(_keys(default.get_config())) - {"method", "recipes.teacher", "recipes.random"})
_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["suite", "pixel", "disruption stage9", "solar", "tfds:", "folder", "mixed_bfloat16", "../x", "\0"]
    ),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=3).map(tuple),
)


def _one_line(error):
    assert str(error).strip() and "\n" not in str(error)


@_FEW
@given(changes=st.dictionaries(st.sampled_from(_KEYS), _VALUES, min_size=1, max_size=3), method=st.text(max_size=3))
@example(changes={"optimizer.learning_rate": float("nan")}, method="delta")
@example(changes={"steps.train": 10**30}, method="renofeation")
def test_any_value_of_any_key(changes, method):
    config = default.get_config()
    _change(config, changes)
    for name in ("renofeation", "delta", method):
        try:
            json.dumps(settings.read(config, name).as_json(), allow_nan=False)
        except UserError as error:
            _one_line(error)


def _change(config, changes):
    """Puts the values in, whatever their types."""
    config.unlock()
    for key, value in changes.items():
        *sections, leaf = key.split(".")
        owner = config
        for section in sections:
            owner = owner[section]
        with owner.ignore_type():
            owner[leaf] = value


_RECIPE = reproduce.get_config().reproduce
_PARTS = st.sampled_from(["digits", "resnet18", "resnet18_cifar", "delta", "table7_matched", "momentum", 0.5, 2])
_RECIPES = st.one_of(_VALUES, st.lists(st.one_of(_PARTS, st.tuples(_PARTS, _PARTS)), max_size=3).map(tuple))


@_FEW
@given(changes=st.dictionaries(st.sampled_from(sorted(_keys(_RECIPE))), _RECIPES, min_size=1, max_size=2))
@example(changes={"feature_weights": ("a",)})
@example(changes={"matched": 3})
@example(changes={"grid.momentum": (2.0,)})
@example(changes={"matched.data": ("solar",)})
def test_any_value_of_any_key_of_a_reproduction(changes):
    config = reproduce.get_config()
    _change(config.reproduce, changes)
    try:
        plan = planning.Plan(config)
        planned = [one for _, one in plan.trials()]
        planned += [plan.run(row, data, 0, {}) for row in plan.rows for data in plan.data(row)]
        for one in planned[:1] + planned[-1:]:
            settings.read(one.config, one.method)
    except UserError as error:
        _one_line(error)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)


def _changed(content, places, values):
    """A copy with some of its parts replaced or left out."""
    content = copy.deepcopy(content)
    for place, value in zip(places, values, strict=True):
        paths = list(_paths(content))
        if not paths:
            return content
        parent, key = paths[place % len(paths)]
        if value == "leave out" and isinstance(parent, dict):
            del parent[key]
        else:
            parent[key] = value
    return content


def _paths(content):
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(items):
        yield content, key
        yield from _paths(value)


_PLACES = st.lists(st.integers(0, 10**6), min_size=1, max_size=3)


@st.composite
def _changes(draw):
    places = draw(_PLACES)
    return places, [draw(st.one_of(st.just("leave out"), _JSON)) for _ in places]


_RESULTS = {
    "method": "delta",
    "seed": 0,
    "split": "test",
    "dataset": {"name": "digits"},
    "teacher": {"name": "resnet18_cifar/glyphs"},
    "attack": {"preset": "pixel", "name": "pixel", "epsilon": 0.1},
    "clean_accuracy": 0.9,
    "attack_success_rate": 0.5,
    "attack_success_rate_ci95": [0.4, 0.6],
    "noise_success_rate": 0.01,
    "feature_distance": 0.1,
    "seconds": {"train": 3.0},
    "versions": {"tensorflow": "2.21.0"},
}
_CURVE = [{"epsilon": 0.0, "attack_success_rate": 0.0, "noise_success_rate": 0.0}]


@pytest.mark.long
@_FEW
@given(results=_changes(), config=_changes(), curve=_changes())
def test_any_results_are_a_row_or_left_out_with_a_reason(results, config, curve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name in ("good", "fuzzed"):
        (folder / name).mkdir()
        parts = {"results": _RESULTS, "config": settings.read(default.get_config(), "delta").as_json(), "curve": _CURVE}
        if name == "fuzzed":
            parts = {
                stem: _changed(parts[stem], *change)
                for stem, change in {"results": results, "config": config, "curve": curve}.items()
            }
        for stem, content in parts.items():
            (folder / name / f"{stem}.json").write_text(json.dumps(content))
    modes.start("report", default.get_config(), command="", workdir=str(folder))
    assert (folder / "index.html").stat().st_size > 1000
    try:
        finished_runs.read_run(folder / "fuzzed" / "results.json", folder)
    except UserError as error:
        _one_line(error)
    except (AttributeError, KeyError, TypeError, ValueError):
        pass  # What its docstring names.


@_FEW
@given(change=_changes(), cut=st.one_of(st.none(), st.integers(0, 400)))
def test_any_manifest(change, cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    text = json.dumps(_changed(weights.manifest(), *change))
    (folder / "manifest.json").write_text(text if cut is None else text[:cut])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "PRETRAINED", folder)
        for backbone in ("resnet18_cifar", "resnet18"):  # One has a file, which is not there, one a command.
            with pytest.raises(UserError) as refused:
                models.locate(backbone, "glyphs" if backbone == "resnet18_cifar" else "imagenet")
            _one_line(refused.value)


_NAMES = st.one_of(
    st.sampled_from(["train", "test", "a", "b", "A", "é", "e\u0301", " c", ".d", "x.jpg", "y.PNG", "z.heic", "n"]),
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=8),
)
_TREES = st.lists(st.lists(_NAMES, min_size=1, max_size=4), max_size=12)


@_FEW
@given(tree=_TREES)
def test_any_folder_of_images(tree, tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for path in tree:
        if {".", ".."} & set(path):
            continue
        try:
            root.joinpath(*path[:-1]).mkdir(parents=True, exist_ok=True)
            root.joinpath(*path).write_bytes(b"")
        except OSError:
            continue  # One part is a file already, or the file system refuses the name.
    try:
        splits = list_splits(root)
    except UserError as error:
        _one_line(error)
        return
    assert splits["train"].keys() == splits["test"].keys() and len(splits["train"]) >= 2
    files = [file for split in splits.values() for images in split.values() for file in images]
    assert len(set(files)) == len(files) and all((root / file).is_file() for file in files)
    assert len({unicodedata.normalize("NFC", name).casefold() for name in splits["train"]}) == len(splits["train"])


@pytest.mark.long
@_FEW
@given(name=st.text(string.printable, max_size=8), shots=st.integers(-3, 10**9), fraction=st.floats())
def test_any_arguments_of_load(name, shots, fraction):
    try:
        dataset = data.load(name if name.strip() else "digits", shots=shots, fraction=fraction)
    except UserError as error:
        _one_line(error)
    else:
        assert len(dataset.train)
