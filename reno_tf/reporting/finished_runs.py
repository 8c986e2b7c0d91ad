"""Finished runs, read back from their folders, and those that belong together."""

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from reno_tf import files
from reno_tf.naming import RunRef
from reno_tf.reporting.metrics import ASR, CLEAN, CORE, FEATURES, NOISE, WORST
from reno_tf.reporting.reading import inside

RATES = (WORST, CLEAN, ASR, NOISE)  # The worst case first: it is the number to look at.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """folder: relative to the page. variant: the part of its name that follows the method.

    attack_name: of the attack whose success is the ASR; epsilon: its budget; tried: how many attacks the worst case
    is of, or None where the file does not say.

    data: the data set, with the split where that is not the test. settings: equal where only the seed differs.
    measured: the rates and distances of results.json with each rate's "..._ci95", and "train_seconds"; None where
    there is none. curve: rows of curve.json. versions: what made it. report: whether there is a report.html.
    """

    folder: str
    method: str
    variant: str
    network: str
    data: str
    seed: int
    attack_name: str
    epsilon: float
    tried: int | None
    settings: str
    measured: Mapping[str, float | list | None]
    curve: list[Mapping]
    versions: Mapping[str, str]
    report: bool

    @property
    def name(self) -> str:
        return self.method + self.variant

    @property
    def attack(self) -> str:
        return f"{self.attack_name}, ε = {self.epsilon:.3g}"


def read_run(path: Path, folder: Path) -> Run:
    """The run whose results.json is `path`; `folder`: what its name is relative to.

    Raises UserError for a damaged file, AttributeError, KeyError, TypeError or ValueError for one of another version.
    """
    results, workdir = files.read_json(path), path.parent
    config = files.read_json(workdir / "config.json") or {}
    networks = config.get("networks") or config.get("model") or {}  # "model" is the older form.
    network = networks.get("student") or networks.get("backbone") or results["teacher"]["name"].partition("/")[0]
    method, seed = str(results["method"]), int(results["seed"])
    data, split = str(results["dataset"]["name"]), results.get("split", "test")
    return Run(
        method=method,
        network=network,
        seed=seed,
        folder=inside(workdir, folder),
        variant=_variant(workdir.name, method=method, seed=seed),
        data=data if split == "test" else f"{data} ({split})",
        attack_name=_attack_name(results),
        epsilon=_checked(float(results["attack"]["epsilon"])),
        tried=len(results["worst_case"]["attacks"]) if "worst_case" in results else None,
        settings=json.dumps(_identity(config), sort_keys=True) if config else str(workdir),
        measured=_measured(results),
        curve=[
            {
                "epsilon": _checked(float(point["epsilon"])),
                **{key: _checked(point[key], high=1) for key in (ASR, NOISE)},
                CORE: _checked(point.get(CORE), high=1),  # Of older runs there is none.
            }
            for point in files.read_json(workdir / "curve.json") or []
        ],
        versions=dict(results.get("versions", {})),
        report=(workdir / "report.html").is_file(),
    )


def _identity(config) -> dict:
    """What runs share that differ only in their seed; before format 4 that was all but where images were stored."""
    attack = {key: value for key, value in config.get("attack", {}).items() if key not in ("cache", "cache_limit")}
    return config.get("identity", config | {"attack": attack}) | {"seed": None}


def _variant(folder: str, *, method: str, seed: int) -> str:
    """What follows the method in the name of a run's folder: "+swa" of "delta+swa-resnet18-digits-0"."""
    try:
        named = RunRef.parse(folder)
    except ValueError:  # Someone's own name.
        return ""
    return named.variant if (named.method, named.seed) == (method, seed) else ""


def series(runs: Iterable[Run]) -> list[list[Run]]:
    """The runs of each setting, one for each seed, by seed; of two runs with the same setting and seed the first."""
    groups = {}
    for run in runs:
        groups.setdefault((run.data, run.network, run.name, run.settings), {}).setdefault(run.seed, run)
    return [[group[seed] for seed in sorted(group)] for group in groups.values()]


def exemplary(runs: Iterable[Run], *, limit: int = 10) -> list[Run]:
    """The plain run of the lowest seed of each method, on the data set and network that most methods share."""
    places = {}
    for run in sorted(runs, key=lambda run: run.seed):
        if not run.variant:
            places.setdefault((run.data, run.network), {}).setdefault(run.method, run)
    return list(max(places.values(), key=len, default={}).values())[:limit]


def _attack_name(results) -> str:
    preset = results["attack"]["preset"]
    if preset == "quick":  # With fewer gradients than the attack of that name.
        return preset
    return results["attack"].get("name") or ("suite" if results.get("suite") else preset)


def _measured(results):
    measured = {key: _checked(results[key], high=1) for key in (CLEAN, ASR, NOISE)}
    measured[WORST] = _checked(results.get(WORST), high=1)  # Runs from before format 3 have none.
    if measured[CLEAN] is None:
        raise ValueError(f"no {CLEAN}")
    for key in (f"{rate}_ci95" for rate in RATES):
        low, high = results.get(key) or (None, None)
        measured[key] = None if low is None else [_checked(low, high=1), _checked(high, high=1)]
    seconds = results.get("seconds", {}).get("train")
    return measured | {FEATURES: _checked(results.get(FEATURES)), "train_seconds": _checked(seconds)}


def _checked(value, *, high: float = sys.float_info.max):
    if value is not None and not 0 <= value <= high:
        raise ValueError(f"{value} where a number from 0 to {high:g} should be")
    return value
