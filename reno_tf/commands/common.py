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

from reno_tf import attacks, data, files, hardware, models, ownership, progress, records, reporting
from reno_tf.errors import UserError
from reno_tf.evaluation import Attacker, Measured, Network, cost, own_images, surrogate
from reno_tf.results import DatasetFacts, Results, TeacherFacts
from reno_tf.settings import FORMAT, Data, Networks, Settings, read_data, read_networks

_TWINS = 3  # of the ensemble of twins


def seed_everything(seed: int) -> None:
    """Every op deterministic; what still draws from a global generator draws from `seed`."""
    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def enough_memory(key: str, images: int, *, advice: str = "") -> Iterator[None]:
    """Raises UserError where memory does not suffice for batches of that many `images`, config.`key`.

    advice: where smaller batches would make another run.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError):
        less = f"try --config.{key}={images // 2}" if images > 1 else "nothing smaller is left to try"
        raise UserError(f"out of memory with config.{key}={images}; {advice or less}") from None


def load_data(data_settings: Data, **changes) -> data.Dataset:
    """The data set of the settings; `changes`: arguments of `reno_tf.data.load` to add or replace."""
    arguments = dataclasses.asdict(data_settings)
    arguments |= {"folder": arguments.pop("dir"), "data_dir": arguments.pop("tfds_dir")}
    most = arguments.pop("max_pixels")
    arguments["progress"] = functools.partial(progress.bar, label="looking at images", unit="image")
    with data.limit_pixels(most):
        return data.load(**{**arguments, **changes})


@dataclasses.dataclass(frozen=True)
class Teacher:
    """The public network. is_of_student: whether its weights were taken out of an audited model."""

    network: Network
    record: TeacherFacts
    is_of_student: bool = False

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


def request_digest(config, *further, has_teacher: bool = True) -> str | None:
    """A digest of what a run is asked for, the whole config and `further` facts, as JSON; see `files.results_of`.

    has_teacher: whether there is a teacher's file, and it is not one of these facts.
    It needs neither images nor networks opened. Of two digests that differ the run may still be the same: then only
    `files.claim` finds out. None: the data set is not built yet.
    """
    data_settings, networks = read_data(config), read_networks(config)
    images = data.fingerprint(
        data_settings.name,
        folder=data_settings.dir,
        data_dir=data_settings.tfds_dir,
        skip_unreadable=data_settings.skip_unreadable,
    )
    teacher = models.locate(networks.backbone, networks.weights)[1] if has_teacher else None
    asked = [FORMAT, config.to_dict(), images, teacher, *further]
    return images and files.digest(json.dumps(asked, sort_keys=True).encode())


def tell_finished(workdir: Path) -> None:
    print(f"{workdir} is finished already; --overwrite starts it anew")


def inputs(dataset, teacher: Teacher) -> dict[str, str]:
    """Digests of what a run's config only names, for `files.claim`."""
    return {"the images": dataset.digest(), "the teacher's weights": teacher.network.digest}


def check_suite(settings: Settings, teacher, dataset) -> None:
    """Raises UserError, before hours are spent, for an attack or a size that the teacher or the data forbid."""
    wanted, (height, width) = settings.networks.image_size, dataset.test.images.shape[1:3]
    if wanted and (height, width) != (wanted, wanted):
        raise UserError(f"config.model.image_size={wanted}, but the images of {dataset.name} are {height}x{width}")
    side = teacher.input.shape[1]  # of a network of KerasHub, which may take one size alone
    if side not in (None, height) or side not in (None, width):
        theirs = f"those of {dataset.name} are {height}x{width}"
        raise UserError(f"the public network takes images of {side}x{side} pixels, {theirs}")
    # The other networks have the teacher's stages, and a head.
    for member in settings.suite().plan(dict.fromkeys(attacks.NETWORKS, teacher)):
        if member.entry.network == "teacher":
            member.attack.objective.on(teacher)
    learns = settings.surrogate or settings.sibling
    if learns and (settings.report.split == "validation" or not len(dataset.validation)):
        raise UserError(
            "the attacker's own student learns from the validation split: it needs config.split=test "
            "and config.data.validation_per_class of at least 1"
        )


def attacker_with(teacher: Network, settings: Settings, dataset) -> Attacker:
    """An attacker who has the teacher, and images of the validation split, or without one some of those attacked."""
    has_own = len(dataset.validation) and settings.report.split == "test"
    split = dataset.validation if has_own else getattr(dataset, settings.report.split)
    images = own_images(split, settings.attack.own_images, seed=settings.attack.seed)
    return Attacker(networks={"teacher": teacher}, own_images=images)


def build_attacker(settings: Settings, dataset, teacher: Network, workdir: Path) -> Attacker:
    """The attacker of these settings: has the teacher, and the students of their own that an attack wants.

    A student that learned nothing is left out. `workdir` keeps them if there is no cache.
    """
    attacker, empty = attacker_with(teacher, settings, dataset), dataset.validation.take([])

    def train(student: Settings, images, *, augment, number=0, samples=0):
        attackers = data.Dataset(dataset.name, dataset.class_names, images, empty, empty, augment)
        identity = json.dumps(student.identity(of_training=True), sort_keys=True)
        folder = settings.attack.cache or workdir
        with enough_memory("batch_size", student.training.batch_size, advice="free memory, and repeat the command"):
            return surrogate.train_once(
                student.job, attackers, teacher, identity=identity, folder=folder, number=number, samples=samples
            )

    networks = {"teacher": teacher}
    if settings.surrogate:
        first, *others = train(settings.surrogate, dataset.validation, augment=None, samples=surrogate.SAMPLES)
        networks |= {"surrogate": first} | ({"ensemble": surrogate.together([first, *others])} if others else {})
    if settings.sibling:
        networks["sibling"] = train(settings.sibling, dataset.validation, augment=dataset.augment)[0]
    if settings.twin:
        numbers = range(_num_twins(settings))
        twins = [train(settings.twin, dataset.train, augment=dataset.augment, number=number)[0] for number in numbers]
        networks |= {"twin": twins[0], "twins": surrogate.together(twins)}
    useless = {}
    for name, dependent in {"surrogate": ("surrogate", "ensemble"), "sibling": ("sibling",)}.items():
        if name in networks and (why := surrogate.why_useless(networks[name].model, dataset.train)):
            logging.warning("%s: the attacks through it are left out", why)
            useless |= dict.fromkeys(dependent, why)
    return dataclasses.replace(attacker, networks=networks).without(**useless)


def surrogate_passes(settings: Settings) -> dict[str, float]:
    """What `cost.tell` takes of the attacker's own students, if an attack wants some."""
    passes = {}
    if settings.surrogate:
        job = settings.surrogate.job
        passes[f"{job.steps} of the attacker's own student"] = cost.training_passes(job)
    if settings.sibling:
        passes["the attacker's copy of the defence"] = cost.training_passes(settings.sibling.job)
    if settings.twin:
        passes["its twins"] = _num_twins(settings) * cost.training_passes(settings.twin.job)
    return passes


def _num_twins(settings) -> int:
    return _TWINS if "twins" in settings.suite().networks else 1


def run_facts(settings: Settings, dataset, teacher: Teacher) -> dict:
    """The fields of the results that are known before anything is measured."""
    return {
        "seed": settings.seed,
        "split": settings.report.split,
        "dataset": records.from_json(DatasetFacts, dataset.facts()),
        "teacher": teacher.record,
        "versions": hardware.versions(),
    }


def write_report(
    workdir: Path,
    results: Results,
    measured: Measured,
    settings: Settings,
    *,
    command: str,
    training: reporting.TrainingRecord | None = None,
) -> dict:
    """Writes the report and images.csv, then results.json, which says that all is there. Returns its content."""
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
    reporting.write_report_files(workdir, material)
    files.write_json(workdir / "results.json", content)
    ownership.remove(workdir / "suite", ownership.ANSWERS)
    print(f"{reporting.headline(content)}; report in {workdir / 'report.html'}")
    return content
