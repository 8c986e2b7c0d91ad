"""What the finished runs of a sweep say: the input of the tables, the figures and the claims."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from reno_tf import files, records
from reno_tf.errors import UserError
from reno_tf.reporting.metrics import CORE, WORST
from reno_tf.reproduction.artefacts import Artefact, Row
from reno_tf.reproduction.result_types import MissingRun, Outcome, OutcomeRow
from reno_tf.results import METRICS, Results, numbers


def read_run_results(workdir: Path) -> dict:
    """What is kept of a finished run's results.json. Raises UserError if it is damaged or of another version.

    "suite": {attack: success rate} where the whole suite was tried; else the worst case is that of the core alone.
    "right": which of the images the student gets right when they are clean, see `right_images`.
    """
    content = files.read_json(workdir / "results.json")
    try:
        results = records.from_json(Results, content)
    except (KeyError, TypeError) as error:
        raise UserError(f"{workdir / 'results.json'} lacks {error}: another version wrote it") from None
    whole = results.core_worst_case_success_rate is not None
    values = numbers(content)
    values |= {CORE: values[CORE if whole else WORST], WORST: values[WORST] if whole else None}
    suite = {row.name: row.attack_success_rate.rate for row in results.suite} if whole else {}
    return {**values, "versions": results.versions, "suite": suite, "right": _right(workdir / "images.csv")}


def right_images(kept: dict) -> np.ndarray:
    """bool [N], for each attacked image, of what `read_run_results` keeps."""
    packed = np.frombuffer(bytes.fromhex(kept["right"]["bits"]), np.uint8)
    return np.unpackbits(packed, count=kept["right"]["images"]).astype(bool)


def _right(table: Path) -> dict:
    try:
        with table.open(newline="") as file:
            bits = [row["clean"] == row["label"] for row in csv.DictReader(file)]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise UserError(f"{table} cannot be read: {error}") from None
    return {"images": len(bits), "bits": np.packbits(bits).tobytes().hex()}


def write_all(path: Path, run_results: Mapping[str, dict]) -> None:
    """Writes what is kept of each run, a line each."""
    files.write_text(path, "".join(json.dumps({"run": run, **run_results[run]}) + "\n" for run in sorted(run_results)))


def read_all(path: Path) -> dict[str, dict]:
    """What `write_all` wrote, by run; nothing if there is no such file. Raises UserError if it is damaged."""
    if not path.is_file():
        return {}
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return {line.pop("run"): line for line in lines}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{path} is damaged; remove it, and runs without a folder are done again: {error}") from None


def artefact_outcome(
    name: str,
    artefact: Artefact,
    run_results: Mapping[str, dict],
    *,
    data: list[str],
    seeds: Callable[[Row], Iterable[int]],
    missing: Mapping[str, str],
) -> Outcome:
    """The outcome of the runs in `run_results`, to which the sweep adds what it knows.

    run_results: run -> what `read_run_results` gives, missing: run -> why; data: the artefact's data sets, seeds: those
    of a row.
    """
    absent, versions, rows = [], set(), []
    for row in artefact.rows:
        cells = {}
        for data_set in data:
            names = {seed: str(row.run(data_set, seed)) for seed in seeds(row)}
            there = {seed: run_results[run] for seed, run in names.items() if run in run_results and run not in missing}
            absent += [run for seed, run in names.items() if seed not in there]
            versions |= {json.dumps(results["versions"], sort_keys=True) for results in there.values()}
            columns = {key: [results.get(key) for results in there.values()] for key in METRICS}
            cells[data_set] = {"seeds": list(there), "runs": [names[seed] for seed in there], **columns}
        rows.append(OutcomeRow(**vars(row), cells=cells))
    return Outcome(
        artefact=name,
        title=artefact.title,
        metrics=artefact.metrics,
        datasets=tuple(data),
        rows=tuple(rows),
        missing=tuple(MissingRun(run, missing.get(run, "not done")) for run in absent),
        made_with=_machines(versions) if versions else None,
    )


def _machines(versions) -> str:
    machines = [json.loads(machine).items() for machine in sorted(versions)]
    return "; ".join(", ".join(f"{key} {value}" for key, value in one if value) for one in machines)
