"""The model that --mode=audit is given: opened, fed as it wants, and identified."""

import dataclasses
import functools
import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from reno_tf import audit as foreign
from reno_tf import data, files, models
from reno_tf.commands import common, lineage
from reno_tf.errors import UserError
from reno_tf.evaluation import Network, Pictures, gradients
from reno_tf.models import public_weights
from reno_tf.reporting import metrics
from reno_tf.settings import Settings

_PROBES = 100  # images; the answers to them identify a model that came without a file
_PREPARING = {"Rescaling", "Normalization"}  # layers
_OVERRULED = ("size", "shots", "fraction")  # keys of config.data, for which an audit has values of its own


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model that is audited, how it is fed and read, and the data set as it sees it.

    attacked: the images of the run's split that the suite attacks. path: the file's or folder's, or what a model that
    is open already calls itself. sha256: of all that it consists of. why_no_gradient: None if attacks can go through.
    """

    opened: foreign.Foreign
    convention: foreign.Convention
    model: foreign.Student
    dataset: data.Dataset
    attacked: data.Split
    path: str
    sha256: str
    why_no_gradient: str | None

    @property
    def name(self) -> str:
        return Path(self.path).name

    def facts(self) -> dict:
        """What the model said of itself, for results.json."""
        convention = self.convention
        return {
            "format": self.opened.format,
            "geometry": convention.geometry,
            "input_range": convention.input_range,
            "outputs": convention.outputs,
            "draws": convention.draws,
            "asked": [dataclasses.asdict(way) for way in convention.tried],
            "tied": [dataclasses.asdict(way) for way in convention.tied],
            "label_order": convention.order.tolist(),
            "label_order_was_matched": convention.renamed,
            "unmatched": [self.dataset.class_names[label] for label in convention.unmatched],
            "has_gradient": not self.why_no_gradient,
        }

    @property
    def network(self) -> Network:
        """Attacks on it depend on the model and on how it is fed."""
        return Network(self.model, files.digest(self.sha256.encode(), json.dumps(self.facts()).encode()))

    def lines(self) -> Iterator[str]:
        """What was found, as lines to print."""
        convention, names = self.convention, self.dataset.class_names
        seen = f"photos by {convention.geometry!r}, " if convention.geometry else ""
        yield (
            f"{self.opened.format}; fed {seen}in the range {convention.input_range}; it gives {convention.outputs}; "
            f"{metrics.percent(*convention.accuracy)} of {convention.chosen.asked} training images right, with equal "
            "weight for each class"
        )
        if convention.tied:
            others = [
                f"{' '.join(filter(None, (way.geometry, way.input_range)))} ({metrics.percent(way.accuracy)} right, "
                f"{metrics.percent(way.differing)} of the answers are others)"
                for way in convention.tied
            ]
            yield f"the images do not tell this way from others, which are less usual or worse: {_first(others, 5)}"
        if convention.renamed:
            moved = [f"{names[label]!r} is output {at}" for label, at in enumerate(convention.order) if label != at]
            yield f"its outputs are in another order than the labels: {_first(moved)}"
        if convention.unmatched:
            yield f"most images of {_first([repr(names[label]) for label in convention.unmatched])} get another answer"
        if convention.draws > 1:
            yield f"it gives a different answer each time; {convention.draws} are averaged"


@dataclasses.dataclass(frozen=True)
class Request:
    """What an audit is asked for. config: as the user gave it; said: the keys of it that they gave themselves."""

    student: str | foreign.Foreign
    config: ConfigDict
    said: Collection[str]

    @functools.cached_property
    def sha256(self) -> str | None:
        """Of the model's file or folder; None for a model that is open already."""
        return None if isinstance(self.student, foreign.Foreign) else foreign.digest_model(self.student)

    @property
    def follows_lineage(self) -> bool:
        """Whether the public network is the one that the model's lineage names."""
        return lineage.names_the_backbone(self.config.model, self.said)

    def digest(self) -> str | None:
        """Of all that is asked for, without opening anything; None where there is none yet."""
        if isinstance(self.student, foreign.Foreign) or not Path(self.student).exists():
            return None
        overruled, weights = [key for key in _OVERRULED if f"data.{key}" in self.said], self.config.model.weights
        further = [public_weights.digest_of_known(weights)] if self.follows_lineage else []
        has_teacher = not self.follows_lineage and weights != lineage.STUDENT
        return common.request_digest(self.config, overruled, self.sha256, *further, has_teacher=has_teacher)


def _first(texts, count=20) -> str:
    return f"{', '.join(texts[:count])}{', ...' * (len(texts) > count)}"


def path_of(student: str | foreign.Foreign) -> str:
    """The path that was given, or what a model that is open already calls itself."""
    return student.format if isinstance(student, foreign.Foreign) else student


def open_model(student: str | foreign.Foreign, *, trust: bool, scores: str | None) -> foreign.Foreign:
    """The model in a file or folder, or the one that is open already, which takes no options."""
    if not isinstance(student, foreign.Foreign):
        return foreign.open_model(student, trust=trust, scores=scores)
    for name, value in {"--trust": trust, "config.audit.scores": scores}.items():
        if value:
            raise UserError(f"{name} goes with the path of a model, not with one that is open already")
    return student


def load_data_for(settings: Settings, opened: foreign.Foreign, label_order: str) -> data.Dataset:
    """The data set of the settings. Its classes are the model's outputs where `label_order` gives several labels one.

    Raises UserError if the model takes other images, or has other classes.
    """
    dataset = common.load_data(settings.data, seed=settings.seed)
    if _names_outputs(label_order):
        dataset = _by_outputs(dataset, opened, _outputs(label_order, opened, dataset))
    shape, name = dataset.test.images.shape[1:3], settings.data.name
    if any(wanted not in (None, side) for wanted, side in zip((opened.height, opened.width), shape, strict=True)):
        there = f"those of {name} are {shape[0]}x{shape[1]}, always square"
        raise UserError(f"the model takes images of {opened.height}x{opened.width} pixels; {there}")
    num_classes = len(dataset.class_names)
    if opened.num_outputs == 1 and num_classes > 2:
        one = "the model gives one number for an image, so it tells two classes apart, or none, as a regression does"
        raise UserError(f"{one}; {name} has {num_classes} classes")
    if opened.num_classes != num_classes:
        order = "say the output of each by --config.audit.label_order, such as 2,0,2"
        raise UserError(f"the model tells {opened.num_classes} classes apart, {name} has {num_classes}; {order}")
    return dataset


def _names_outputs(label_order) -> bool:
    return label_order not in ("auto", "given")


def _outputs(label_order, opened, dataset) -> np.ndarray:
    """The output of each label, int [labels]; labels may share one, and an output may have no label."""
    named, last = label_order.split(","), opened.num_classes - 1
    if len(named) != len(dataset.class_names) or not set(named) <= set(map(str, range(last + 1))):
        each = f"each of the {len(dataset.class_names)} labels, 0 to {last}"
        raise UserError(f"config.audit.label_order={label_order!r} must be auto, given, or the output of {each}")
    return np.array(named, int)


def _by_outputs(dataset, opened, outputs) -> data.Dataset:
    """The data set as it is, if each label has an output of its own, and each output a label."""
    if _is_order(outputs, opened):
        return dataset
    labels = [np.flatnonzero(outputs == output) for output in range(opened.num_classes)]
    names = [", ".join(dataset.class_names[label] for label in those) for those in labels]
    note = "its classes are the model's outputs, as config.audit.label_order says"
    names = [name or f"output {output}" for output, name in enumerate(names)]
    return dataclasses.replace(dataset.relabelled(outputs, names), note="; ".join(filter(None, [dataset.note, note])))


def _is_order(outputs, opened) -> bool:
    return sorted(outputs) == list(range(opened.num_classes))


def examine(request: Request, opened: foreign.Foreign, dataset: data.Dataset, settings, ways) -> Subject:
    """Asks the model how it wants its images. ways: the section config.audit, of what the user knows already."""
    public = _usual_preprocessing(opened, settings.networks)
    convention = _ask(opened, dataset, ways, public, seed=settings.seed)
    dataset = dataset.seen(convention.geometry) if convention.geometry else dataset
    model = foreign.Student(opened, convention)
    attacked = settings.suite().attacked(getattr(dataset, settings.report.split))
    return Subject(
        opened=opened,
        convention=convention,
        model=model,
        dataset=dataset,
        attacked=attacked,
        path=path_of(request.student),
        sha256=request.sha256 or digest_of_answers(opened, model, attacked),
        why_no_gradient=why_no_gradient(opened, model, attacked),
    )


def _usual_preprocessing(opened, networks) -> Callable:
    """What images are usually turned into before the model: what Keras's loaders give where it prepares them itself."""
    prepares = not _PREPARING.isdisjoint(opened.layers)
    if prepares:
        return lambda images: 255 * images
    return functools.partial(models.preprocess, networks.backbone, weights=networks.weights)


def _ask(opened, dataset, ways, public, *, seed) -> foreign.Convention:
    train = dataset.train
    foreign.refuse_misfit(ways.outputs, opened.num_outputs)
    views = {"": train.floats()}
    if isinstance(train.images, data.Photos):
        views = {geometry: train.seen(geometry).floats() for geometry in data.GEOMETRIES}
    order = ways.label_order
    if _names_outputs(order) and not _is_order([int(output) for output in order.split(",")], opened):
        order = "given"  # The labels are the outputs' (`_by_outputs`).
    stated = foreign.Stated(
        input_range=ways.input_range, geometry=ways.geometry, outputs=ways.outputs, label_order=order
    )
    return foreign.detect(opened, views, train.labels, stated, seed=seed, public=public)


def digest_of_answers(opened: foreign.Foreign, model: foreign.Student, attacked) -> str:
    """SHA-256 that identifies a model that came without a file, by its answers."""
    images = attacked.take(np.arange(min(_PROBES, len(attacked)))).floats()[:]
    return files.digest(opened.format.encode(), np.asarray(model(images)["logits"]).tobytes())


def why_no_gradient(opened: foreign.Foreign, model: foreign.Student, attacked) -> str | None:
    """Why attacks cannot go through the model; None if they can."""
    if opened.can_only_be_asked:
        return "the model can only be asked"
    return gradients.why_none(model, attacked.take([0]).floats()[:])


def refuse_without_effect(config_data, said: Collection[str], dataset: data.Dataset) -> None:
    """Raises UserError for a key of config.data that the user gave, where an audit has another value."""
    height, width = dataset.test.images.shape[1:3]
    size = (height, f"the model takes, or the data set has, images of {height}x{width}")
    everything = "an audit has all training images"
    for key, (value, why) in zip(_OVERRULED, (size, (0, everything), (1.0, everything)), strict=True):
        if f"data.{key}" in said and config_data[key] != value:
            raise UserError(f"config.data.{key}={config_data[key]} would have no effect: {why}")


def has_images(folder: Path, wanted: int | None, results: dict) -> bool:
    """Whether so many adversarial images of each attack that the finished audit made lie in `folder`."""
    pictures, by_others = Pictures(folder, wanted or 0), results["worst_case"]["num_images"]
    num_images = {row["name"]: by_others for row in results["suite"] if row["attack"]}
    num_images[results["attack"]["name"]] = sum(row["num_images"] for row in results["per_class"])
    return all(png.is_file() for name, count in num_images.items() for png in pictures.files(name, count))
