"""A finished run: written to its folder, and read back from there."""

import json
import re
import sys
from pathlib import Path

from reno_tf import files
from reno_tf.reporting.summary import Run

_RATES = ("clean_accuracy", "attack_success_rate", "noise_success_rate")
_MACHINE = {"cache", "cache_limit"}  # Keys of config.attack that change no number.


def read(path: Path, folder: Path) -> Run:
    """The run whose results.json is `path`; `folder`: what its name is relative to.

    Raises:
      UserError: a file is damaged. AttributeError, KeyError, TypeError, ValueError: one is of another version.
    """
    results, workdir = files.read_json(path), path.parent
    config = files.read_json(workdir / "config.json") or {}
    model, name = config.get("model", {}), str(results["dataset"]["name"])
    network = model.get("student") or model.get("backbone") or results["teacher"]["name"].partition("/")[0]
    facts = {"method": str(results["method"]), "network": network, "seed": int(results["seed"])}
    split = results.get("split", "test")
    return Run(
        **facts,
        folder=inside(workdir, folder),
        variant=variant(workdir.name, data=name, **facts),
        data=name if split == "test" else f"{name} ({split})",
        attack=_attack(results),
        settings=_settings(config) if config else str(workdir),
        measured=_measured(results),
        curve=[_point(point) for point in files.read_json(workdir / "curve.json") or []],
        versions=dict(results.get("versions", {})),
        report=(workdir / "report.html").is_file(),
    )


def variant(folder: str, *, method: str, network: str, data: str, seed: int) -> str:
    """What a run's folder says beside the method: "+swa" of "delta+swa-resnet18-digits-0"."""
    rest = rf"(?P<variant>([+@].*?)?)(-{re.escape(network)}|-[a-z]\w*)?-{re.escape(data)}-{seed}"
    found = re.fullmatch(re.escape(method) + rest, folder)
    return found["variant"] if found else ""


def _measured(results):
    measured = {key: _number(results[key], high=1) for key in _RATES}
    if measured["clean_accuracy"] is None:
        raise ValueError("no clean_accuracy")
    for key in _RATES:
        low, high = results.get(f"{key}_ci95") or (None, None)
        measured[f"{key}_ci95"] = None if low is None else [_number(low, high=1), _number(high, high=1)]
    measured["feature_distance"] = _number(results.get("feature_distance"))
    return measured | {"train_seconds": _number(results.get("seconds", {}).get("train"))}


def _number(value, *, high: float = sys.float_info.max):
    if value is not None and not 0 <= value <= high:
        raise ValueError(f"{value} where a number from 0 to {high:g} should be")
    return value


def _point(point):
    rates = {key: _number(point[key], high=1) for key in _RATES[1:]}
    return {"epsilon": _number(float(point["epsilon"])), **rates}


def _attack(results) -> str:
    attack = results["attack"]
    return f"{'suite' if results.get('suite') else attack['preset']}, ε = {attack['epsilon']:.3g}"


def _settings(config) -> str:
    """Equal for runs whose configs differ only in the seed and in what changes no number."""
    attack = {key: value for key, value in config.get("attack", {}).items() if key not in _MACHINE}
    settings = {key: value for key, value in config.items() if key != "seed"} | {"attack": attack}
    return json.dumps(settings, sort_keys=True)


def inside(path, folder) -> str:
    """The path from the folder; what is no UTF-8 in it becomes a question mark."""
    return path.relative_to(folder).as_posix().encode(errors="replace").decode()
