"""What several commands do alike: load the data, build the teacher, write the report."""

import contextlib
import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras
from absl import logging

from reno_tf import data, files, hardware, models, ownership, progress, reporting
from reno_tf.errors import UserError
from reno_tf.evaluation import surrogate
from reno_tf.evaluation.measure import Measured
from reno_tf.settings import Data, Networks, Settings


def seed_everything(seed: int) -> None:
    """Every op deterministic; what still draws from a global generator draws from `seed`."""
    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def enough_memory(key: str, images: int) -> Iterator[None]:
    """Raises UserError where memory does not suffice for batches of so many `images`, config.`key`."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError):
        less = f"try --config.{key}={images // 2}" if images > 1 else "nothing smaller is left to try"
        raise UserError(f"out of memory with config.{key}={images}; {less}") from None


def load_data(chosen: Data, **changes) -> data.Dataset:
    """The data set of the settings; `changes` are further arguments of `reno_tf.data.load`, or other ones."""
    arguments = dataclasses.asdict(chosen)
    arguments |= {"folder": arguments.pop("dir"), "data_dir": arguments.pop("tfds_dir")}
    data.limit_pixels(arguments.pop("max_pixels"))
    arguments["progress"] = functools.partial(progress.bar, label="looking at images", unit="image")
    return data.load(**{**arguments, **changes})


@dataclasses.dataclass(frozen=True)
class Teacher:
    """The public network."""

    model: Any
    facts: dict  # name and SHA-256, for results.json
    identity: str  # a hash of its weights, and of what else its features depend on


def build_teacher(networks: Networks) -> Teacher:
    """The public network of the settings."""
    _, digest = models.locate(networks.backbone, networks.weights)
    model = models.build(networks.backbone, weights=networks.weights, **networks.options)
    built = [list(networks.taps), networks.image_size]
    identity = files.digest(digest.encode(), json.dumps(built).encode()) if any(built) else digest
    return Teacher(model, {"name": f"{networks.backbone}/{networks.weights}", "sha256": digest}, identity)


def inputs(dataset, teacher: Teacher) -> dict[str, str]:
    """Digests of what a run's config only names, for `files.claim`."""
    return {"the images": dataset.digest(), "the teacher's weights": teacher.identity}


def leave_out(chosen: Settings, networks: set[str], why: str) -> tuple[Settings, list[dict]]:
    """The settings without the attacks through these networks, and a row {"name", "why"} for each of them.

    Raises UserError if one is the headline's.
    """
    names = chosen.attack.through(networks)
    if chosen.attack.members[0] in names:
        raise UserError(f"the attack {chosen.attack.members[0]} cannot be the headline's: {why}")
    return chosen.without(networks), [{"name": name, "why": why} for name in names]


def attackers_networks(chosen: Settings, dataset, teacher: tuple, workdir: Path) -> tuple[dict, Settings, list[dict]]:
    """What the attacks go through: {"teacher", and if an attack wants them "surrogate", "ensemble": (model, SHA-256)}.

    Returns it with the settings and what they had to leave out, rows {"name", "why"}: the attacks through the
    attacker's own student, if that learned nothing. `teacher`: (model, SHA-256). `workdir` keeps it if there is no
    cache.
    """
    networks = {"teacher": teacher}
    if not chosen.surrogate:
        return networks, chosen, []
    networks |= surrogate.train_once(chosen.surrogate, chosen.attack.cache or workdir, dataset, teacher)
    if why := surrogate.why_useless(networks["surrogate"][0], dataset.train):
        lacking = {"surrogate", "ensemble"}
        left_out = [
            {"name": name, "why": why} for name in chosen.attack.through(lacking) if name != chosen.attack.preset
        ]
        logging.warning("%s: the attacks through it are left out", why)
        return networks, chosen.without(lacking), left_out
    return networks, chosen, []


def facts(chosen: Settings, dataset, teacher: Teacher) -> dict:
    """The part of results.json that is known before anything is measured."""
    known = {"dataset": dataset.facts(), "teacher": teacher.facts, "versions": hardware.versions()}
    return {"seed": chosen.seed, "split": chosen.report.split, **known}


def write_report(workdir: Path, results: dict, measured: Measured, target, dataset, chosen: Settings, **options):
    """The report, with **options of `reporting.write`, and images.csv; results.json then says that all was written."""
    results = files.finite(results)
    options |= {"config": chosen.as_json(), "curve": files.finite(measured.curve)}
    options["convergence"] = files.finite(measured.convergence)
    examples = reporting.Examples.choose(target.split, measured.shown, dataset.class_names, **measured.answers)
    files.write_text(workdir / "images.csv", measured.table)
    reporting.write(workdir, results=results, examples=examples, **options)
    files.write_json(workdir / "results.json", results)
    ownership.remove(workdir / "suite", ownership.ANSWERS)
    print(f"{reporting.headline(results)}; report in {workdir / 'report.html'}")
