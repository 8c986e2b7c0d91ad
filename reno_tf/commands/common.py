"""What several commands do alike: load the data, build the teacher, write the report."""

import contextlib
import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
import tf_keras
from absl import logging

from reno_tf import data, files, hardware, models, ownership, progress, records, reporting
from reno_tf.errors import UserError
from reno_tf.evaluation import Attacker, Measured, Network, cost, own_images, surrogate
from reno_tf.results import DatasetFacts, Results, TeacherFacts
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
    most = arguments.pop("max_pixels")
    arguments["progress"] = functools.partial(progress.bar, label="looking at images", unit="image")
    with data.limit_pixels(most):
        return data.load(**{**arguments, **changes})


@dataclasses.dataclass(frozen=True)
class Teacher:
    """The public network."""

    network: Network
    facts: TeacherFacts

    @property
    def model(self):
        return self.network.model


def build_teacher(networks: Networks) -> Teacher:
    """The public network of the settings."""
    _, digest = models.locate(networks.backbone, networks.weights)
    model = models.build(networks.backbone, weights=networks.weights, **networks.options)
    built = [list(networks.taps), networks.image_size]
    identity = files.digest(digest.encode(), json.dumps(built).encode()) if any(built) else digest
    return Teacher(Network(model, identity), TeacherFacts(f"{networks.backbone}/{networks.weights}", digest))


def request(settings: Settings, *further) -> str | None:
    """A digest of what a run is asked for, with `further` facts of its own, as JSON; see `files.results_of`.

    It needs neither images nor networks opened. None: the data set is not built yet.
    """
    chosen = settings.data
    images = data.fingerprint(
        chosen.name, folder=chosen.dir, data_dir=chosen.tfds_dir, skip_unreadable=chosen.skip_unreadable
    )
    _, teacher = models.locate(settings.networks.backbone, settings.networks.weights)
    asked = [settings.identity(), images, teacher, *further]
    return images and files.digest(json.dumps(asked, sort_keys=True).encode())


def inputs(dataset, teacher: Teacher) -> dict[str, str]:
    """Digests of what a run's config only names, for `files.claim`."""
    return {"the images": dataset.digest(), "the teacher's weights": teacher.network.digest}


def check_suite(settings: Settings, teacher, dataset) -> None:
    """Raises UserError, before hours are spent, for an attack or a size that the teacher or the data forbid."""
    wanted, (height, width) = settings.networks.image_size, dataset.test.images.shape[1:3]
    if wanted and (height, width) != (wanted, wanted):
        raise UserError(f"config.model.image_size={wanted}, but the images of {dataset.name} are {height}x{width}")
    # The other networks have the teacher's stages, and a head.
    for member in settings.suite().plan(dict.fromkeys(("teacher", "surrogate", "ensemble", "student"), teacher)):
        if member.entry.network == "teacher":
            member.attack.objective.on(teacher)
    if settings.surrogate and (settings.report.split == "validation" or not len(dataset.validation)):
        raise UserError(
            "the attacker's own student learns from the validation split: it needs config.split=test "
            "and config.data.validation_per_class of at least 1"
        )


def attacker_with(teacher: Network, settings: Settings, dataset) -> Attacker:
    """Someone who has the teacher, and images of the validation split, or without one some of those attacked."""
    has_own = len(dataset.validation) and settings.report.split == "test"
    own = dataset.validation if has_own else getattr(dataset, settings.report.split)
    images = own_images(own, settings.attack.own_images, seed=settings.attack.seed)
    return Attacker(networks={"teacher": teacher}, own_images=images)


def build_attacker(settings: Settings, dataset, teacher: Network, workdir: Path) -> Attacker:
    """Who attacks by these settings: with the teacher, and a student of their own if an attack wants one.

    The own student is not there if it learned nothing. `workdir` keeps it if there is no cache.
    """
    attacker = attacker_with(teacher, settings, dataset)
    if not settings.surrogate:
        return attacker
    identity = json.dumps(settings.surrogate.identity(of_training=True), sort_keys=True)
    folder = settings.attack.cache or workdir
    found = surrogate.train_once(settings.surrogate.job, dataset, teacher, identity=identity, folder=folder)
    attacker = dataclasses.replace(attacker, networks={"teacher": teacher, **found})
    why = surrogate.why_useless(found["surrogate"].model, dataset.train)
    if why:
        logging.warning("%s: the attacks through it are left out", why)
    return attacker.without(surrogate=why, ensemble=why) if why else attacker


def surrogate_passes(settings: Settings) -> dict[str, float]:
    """What `cost.tell` takes of the attacker's own student, if an attack wants one."""
    if not settings.surrogate:
        return {}
    job = settings.surrogate.job
    return {f"{job.steps} of the attacker's own student": cost.training_passes(job)}


def facts(settings: Settings, dataset, teacher: Teacher) -> dict:
    """The fields of the results that are known before anything is measured."""
    return {
        "seed": settings.seed,
        "split": settings.report.split,
        "dataset": records.from_json(DatasetFacts, dataset.facts()),
        "teacher": teacher.facts,
        "versions": hardware.versions(),
    }


def write_report(
    workdir: Path,
    results: Results,
    measured: Measured,
    settings: Settings,
    *,
    command: str,
    training: reporting.Training | None = None,
) -> dict:
    """The report and images.csv; results.json then says that all was written. Returns its content."""
    content = files.finite(records.to_json(results))
    files.write_text(workdir / "images.csv", measured.table)
    material = reporting.Material(
        results=content,
        config=settings.as_json(),
        curve=files.finite(records.to_json(measured.curve)),
        convergence=files.finite(measured.answers.convergence),
        examples=reporting.Examples.choose(measured.attacked, measured.answers, measured.class_names),
        command=command,
        training=training,
    )
    reporting.write(workdir, material)
    files.write_json(workdir / "results.json", content)
    ownership.remove(workdir / "suite", ownership.ANSWERS)
    print(f"{reporting.headline(content)}; report in {workdir / 'report.html'}")
    return content
