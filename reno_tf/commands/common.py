"""What several commands do alike: load the data, build the teacher, write the report."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras

from reno_tf import data, files, hardware, models, progress, reporting
from reno_tf.evaluation.measure import Measured
from reno_tf.evaluation.suite import Target
from reno_tf.settings import Data, Networks, Settings


def seed_everything(seed: int) -> None:
    """Every op deterministic; what still draws from a global generator draws from `seed`."""
    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def load_data(chosen: Data, **changes) -> data.Dataset:
    """The data set of the settings; `changes` are further arguments of `reno_tf.data.load`, or other ones."""
    arguments = dataclasses.asdict(chosen)
    arguments |= {"folder": arguments.pop("dir"), "data_dir": arguments.pop("tfds_dir")}
    arguments["progress"] = functools.partial(progress.bar, label="looking at images", unit="image")
    return data.load(**{**arguments, **changes})


@dataclasses.dataclass(frozen=True)
class Teacher:
    """facts: name and SHA-256, for results.json. identity: what adversarial sets know it by."""

    model: Any
    facts: dict
    identity: str


def build_teacher(networks: Networks) -> Teacher:
    """The public network. Its identity is its weights, and what else its features depend on."""
    _, digest = models.locate(networks.backbone, networks.weights)
    model = models.build(networks.backbone, weights=networks.weights, **networks.options)
    built = [list(networks.taps), networks.image_size]
    identity = files.digest(digest.encode(), json.dumps(built).encode()) if any(built) else digest
    return Teacher(model, {"name": f"{networks.backbone}/{networks.weights}", "sha256": digest}, identity)


def facts(chosen: Settings, dataset, teacher: Teacher) -> dict:
    """The part of results.json that is known before anything is measured."""
    return {
        "seed": chosen.seed,
        "split": chosen.report.split,
        "dataset": dataset.facts(),
        "teacher": teacher.facts,
        "versions": hardware.versions(),
    }


def write_report(
    workdir: Path,
    results: dict,
    measured: Measured,
    target: Target,
    dataset,
    chosen: Settings,
    *,
    history: list[dict],
    seen: tuple | None,
    command: str,
) -> None:
    """The report, and results.json as the last file: its presence says that all was written.

    Args:
      history, seen, command: as `reporting.write` takes them.
    """
    reporting.write(
        workdir,
        results=results,
        config=chosen.as_json(),
        history=history,
        curve=measured.curve,
        convergence=measured.convergence,
        examples=reporting.Examples.choose(target.split, measured.shown, dataset.class_names, **measured.answers),
        seen=seen,
        command=command,
    )
    files.write_json(workdir / "results.json", results)
    print(f"{reporting.headline(results)}; report in {workdir / 'report.html'}")
