"""How a model wants to be fed and read, detected by asking it about clean images."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

from reno_tf.audit import outputs
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.ranges import RANGES, is_red_first, name_of, nearest_to_limits
from reno_tf.errors import UserError, choose

_ROUNDS = (2, 10, 50)  # images of each class that are asked about, and at least:
_LEAST = (100, 500, 2500)
_WORSE = 0.01  # A way to feed the model is out when it is worse than the best with at most this chance of error.
# What is usual is so many times as probable as what is not. A difference that is not significant at 1 % is evidence of
# at most 8 to 1 (Sellke, Bayarri and Berger 2001: -1 / (e p log p)): the usual way wins unless it is worse than that.
_USUAL_ODDS = 10
_LIKELY = 3  # ranges that are tried in every geometry: the public network's own, if it is left, and the best
_USUAL_GEOMETRY = "squash"  # what Keras's `image_dataset_from_directory` and `load_img` do
_ALIKE = 0.01  # of the images; what a wrong choice between two ways may cost
_ERROR = 0.01  # the chance that "more than this fraction of the images" is said wrongly
_NAMED_ERROR = 0.05  # The same where a class is only named, and nothing is refused.
_SURE = 2.5  # standard deviations by which a model has to be better than chance
_SEVERAL = 0.2  # of the images; a model that sees several classes in surely more gives several labels
_SHOWN = 100  # images that tell whether all are grey
_DRAWS = 8  # answers that are averaged where a model gives a different one each time
_FLIPS = 2000  # of a permutation test


@dataclasses.dataclass(frozen=True)
class Tried:
    """One way to feed the model, and how that went on the images that it was asked about.

    accuracy: balanced, the mean over the classes of the fraction that is right; with the labels as they come, and with
    the labels matched to the outputs (each half of the images by the matching of the other half).
    """

    geometry: str
    input_range: str
    asked: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    matched: float
    matched_ci95: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Tied:
    """A way to feed the model that fits as well as the one that is taken, which is the more usual one.

    accuracy: balanced, with the labels in the order that is used. differing: the fraction of the answers.
    """

    geometry: str
    input_range: str
    accuracy: float
    accuracy_ci95: tuple[float, float]
    differing: float


@dataclasses.dataclass(frozen=True)
class Convention:
    """How a model is to be fed and read."""

    geometry: str  # how a photo becomes its input: a key of `reno_tf.data.transforms.GEOMETRIES`, "" without photos
    input_range: str  # a key of `RANGES`
    outputs: str  # what its scores are: a key of `outputs.KINDS`
    order: np.ndarray  # int [classes], the output that stands for each label
    renamed: bool  # whether that order was found by matching
    unmatched: tuple[int, ...]  # labels for which surely most images get another answer
    draws: int  # answers to an image that are averaged; more than one where they differ
    tried: tuple[Tried, ...]
    tied: tuple[Tied, ...] = ()  # the best first

    @property
    def chosen(self) -> Tried:
        return next(way for way in self.tried if (way.geometry, way.input_range) == (self.geometry, self.input_range))

    @property
    def accuracy(self) -> tuple[float, tuple[float, float]]:
        """Balanced, of the chosen way with the labels in the order that is used, and its 95 % interval."""
        way = self.chosen
        return (way.matched, way.matched_ci95) if self.renamed else (way.accuracy, way.accuracy_ci95)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stated:
    """What the user says about a model; "auto" is detected.

    input_range: a key of `RANGES`. geometry: of `reno_tf.data.transforms.GEOMETRIES`. outputs: of `outputs.KINDS`.
    label_order: "given": output i is label i; or the output of each label, as "2,0,1". "auto": as given, unless
    matching outputs and labels anew is significantly better on images that it was not matched on.
    """

    input_range: str = "auto"
    geometry: str = "auto"
    outputs: str = "auto"
    label_order: str = "auto"


def detect(
    model: Foreign, views: dict, labels, stated: Stated = Stated(), *, seed: int = 0, public: Callable | None = None
) -> Convention:
    """Finds how to feed the model and how to read it, by asking it about clean images.

    Every range is asked about a few images of each class; then the likeliest of those that are not significantly worse
    than the best in every geometry; and so on with what is left and more images. Ways are compared image by image (a
    permutation test of the balanced accuracy's difference), until what is left would change little, or nothing is left
    to ask. Of those that are left the most usual is taken: in the
    public network's own range, then squashed, then red first; of equally usual ones the best. Another may be right,
    too, and would give different answers: if that might change much, nothing is taken.

    Args:
      views: {geometry: images, float32 [N, H, W, 3] in [0, 1]}, the same images in each; none is attacked later.
      labels: int [N].
      public: the public network's own preprocessing, of images [B, H, W, 3] in [0, 1]; None where it is not known.

    Raises UserError if the model does no better than chance in every way, if two ways cannot be told apart, as by
    images of one label, if outputs are not finite, or if the label order is invalid.
    """
    order = _order(stated.label_order, model.num_classes)
    geometries = _geometries(views, stated)
    first = _USUAL_GEOMETRY if _USUAL_GEOMETRY in geometries else geometries[0]
    ranges = _ranges(model, stated, is_grey=_is_grey(views[first][:_SHOWN]))
    _refuse_one_label(labels, ranges, geometries)
    if stated.outputs != "auto":
        choose("config.audit.outputs", stated.outputs, outputs.KINDS)
    asking = _Asking(model, views, np.asarray(labels), order, stated, seed)
    counts = [max(each * model.num_classes, least) for each, least in zip(_ROUNDS, _LEAST, strict=True)]
    ways, own = [(first, name) for name in ranges], None
    for number, count in enumerate(counts):
        ways = asking.left(ways, count)
        if public and len(ways) > 1:
            own, public = name_of(public), None
        likely = sorted((name for geometry, name in ways if geometry == first), key=lambda name: name != own)[:_LIKELY]
        ways = asking.left(ways + asking.new((view, name) for view in geometries for name in likely), count)
        usual = {way: _usual(way, own) for way in ways}
        chosen = max(ways, key=usual.get)  # Of equals the first, which is the best.
        if number and not asking.too_different(chosen, usual):  # The order of the labels needs the second round too.
            break
    asking.check_chance(ways[0])
    asking.check_one_label(ways[0])
    asking.check_apart(chosen, usual)
    return asking.convention(chosen, [way for way in ways if way != chosen])


def _refuse_one_label(labels, ranges, geometries):
    """Such images tell no way from one in which the model always gives that label."""
    if len(np.unique(labels)) == 1 and len(ranges) * len(geometries) > 1:
        raise UserError(
            "images of one label do not tell how the model wants them: "
            "set --config.audit.input_range=... and --config.audit.geometry=..."
        )


def _usual(way, own_range) -> tuple[bool, bool, bool]:
    """How usual a way is, to be compared."""
    geometry, name = way
    return name == own_range, geometry == _USUAL_GEOMETRY, is_red_first(name)


def _ranges(model, stated, *, is_grey) -> list[str]:
    """Those that the model may want; of grey images, which have no order of colours, one of each."""
    if stated.input_range != "auto":
        return [choose("config.audit.input_range", stated.input_range, RANGES)]
    names = ["0..255", "bgr:0..255"] if model.integers else list(RANGES)
    names = nearest_to_limits(*model.limits) if model.limits and not model.integers else names
    return [name for name in names if not (is_grey and name.startswith("bgr:"))]


def _is_grey(images) -> bool:
    return bool(np.all(images == images[..., :1]))


def _geometries(views, stated) -> list[str]:
    if stated.geometry == "auto":
        return list(views)
    if "" in views:
        raise UserError("config.audit.geometry goes with photos; these images have one size")
    return [choose("config.audit.geometry", stated.geometry, views)]


@dataclasses.dataclass
class _Asking:
    """The answers so far: way -> scores of the first images of `_places`."""

    model: Foreign
    views: dict
    labels: np.ndarray
    order: np.ndarray  # as stated, or as the labels come
    stated: Stated
    seed: int

    def __post_init__(self):
        self._scores, self._near = {}, self.model.near
        self._derived = {}  # What follows from the scores, until more is asked.
        self._places = _by_turns(self.labels, self.seed)

    @property
    def _may_rename(self) -> bool:
        return self.stated.label_order == "auto"

    def ask(self, ways, count):
        self._derived = {}
        for way in ways:
            had = self._scores.get(way, [])
            done = sum(map(len, had))
            for start in range(done, min(count, len(self.labels)), 100):
                places = np.sort(self._places[start : min(start + 100, count)])
                had.append(self._answers(way, places))
            self._scores[way] = had

    def _answers(self, way, places):
        """Scores, in the order of the images' numbers within a batch; `_labels_of` has the labels in the same order."""
        geometry, name = way
        scores, near = self.model.answer(RANGES[name](self.views[geometry][places]))
        self._near = max(self._near, near)
        return scores

    def _labels_of(self, way):
        labels, start = [], 0
        for batch in self._scores[way]:
            labels.append(self.labels[np.sort(self._places[start : start + len(batch)])])
            start += len(batch)
        return np.concatenate(labels)

    def _predicted(self, way):
        scores = np.concatenate(self._scores[way])
        return np.asarray(outputs.as_logits(tf.constant(scores), self._kind())).argmax(1)

    def _kind(self):
        """From all answers, also those to images fed wrongly: a sigmoid stays in [0, 1] there, and logits do not."""
        if self.stated.outputs != "auto":
            return self.stated.outputs
        if "kind" in self._derived:
            return self._derived["kind"]
        scores = np.concatenate([batch for batches in self._scores.values() for batch in batches])
        finite = scores[np.isfinite(scores).all(1)]  # Fed wrongly, half precision may overflow.
        self._derived["kind"] = outputs.kind_of(finite if len(finite) else scores, self._near)
        return self._derived["kind"]

    def _right(self, way):
        """Whether each answer is right, as given and matched, bool [N] each."""
        if way not in self._derived:
            predicted, labels = self._predicted(way), self._labels_of(way)
            as_given = matched = self.order[labels] == predicted
            if self._may_rename:
                matched = _cross_matched(predicted, labels, self.model.num_classes)
            self._derived[way] = as_given, matched
        return self._derived[way]

    def left(self, ways, count):
        """Those of the ways that are left after so many images, the best first."""
        self.ask(ways, count)
        return self.survivors(ways)

    def new(self, ways):
        """Those that were not asked about yet."""
        return [way for way in ways if way not in self._scores]

    def survivors(self, ways):
        """The ways that are not significantly worse than the best, which comes first.

        Where the best has the labels as they come, all must: swapped colours can look like swapped labels.
        """
        ranked = sorted(ways, key=self._rank, reverse=True)
        return [way for way in ranked if way == ranked[0] or self._worse(way, ranked[0]) >= _WORSE]

    def _rank(self, way):
        """The balanced accuracy that decides about the way; of equals, one with the labels as they come is first."""
        renamed = self._is_renamed(way)
        return balanced(self._right(way)[renamed], self._labels_of(way)), not renamed

    def _worse(self, way, best):
        """The chance that the way would be so far below the best, if it were as good."""
        which = self._is_renamed(best)
        return _worse(self._right(way)[which], self._right(best)[which], self._labels_of(best), self.seed)

    def _is_renamed(self, way):
        """Whether the labels match the outputs significantly better in another order."""
        if ("renamed", way) not in self._derived:
            as_given, matched = self._right(way)
            chance = _worse(as_given, matched, self._labels_of(way), self.seed)
            self._derived["renamed", way] = self._may_rename and chance < _WORSE
        return self._derived["renamed", way]

    def check_one_label(self, way):
        several = (np.concatenate(self._scores[way]) > 0.5).sum(1) > 1
        if self._kind() == "sigmoids" and _surely_more(several, _SEVERAL):
            raise UserError(
                f"the model says yes to several classes of one image, in {several.sum()} of {len(several)} images: "
                "an audit needs a model that gives one label"
            )

    def check_chance(self, way):
        """Raises UserError unless the best way is surely better than a guess, or than the most frequent class."""
        right, labels = self._right(way)[self._is_renamed(way)], self._labels_of(way)
        counts = np.unique(labels, return_counts=True)[1]
        chance = 1 / (len(counts) if len(counts) > 1 else self.model.num_classes)
        surely = interval(right, labels, _SURE)
        if surely[0] <= chance and not _surely_more(right, counts.max() / len(labels)):
            rate = f"{_percent(balanced(right, labels))} {_ends(surely)} with equal weight for each class"
            raise UserError(
                f"the model gets {right.sum()} of {len(right)} clean images right, no more than chance, in every way "
                f"that was tried: {rate}, by chance {_percent(chance)}; "
                "are these its classes? (config.audit.input_range, geometry, label_order)"
            )

    def too_different(self, chosen, usual):
        """The ways that may be as good as the chosen one, where choosing wrongly would change much.

        The change is the fraction of the images that get another answer, times the chance that the other way is as
        good, which is smaller where it is less usual. It has to be surely more than `_ALIKE`: of few images, one answer
        is a large fraction. usual: of each way that is left.
        """
        different = []
        for way in usual:
            chance = self._worse(way, chosen) / (_USUAL_ODDS if usual[way] < usual[chosen] else 1)
            if way != chosen and _surely_more(self._differs(way, chosen), min(1, _ALIKE / chance)):
                different.append(way)
        return different

    def check_apart(self, chosen, usual):
        """Raises UserError if a way is left that is `too_different`."""
        for way in self.too_different(chosen, usual)[:1]:
            differs = self._differs(way, chosen)
            both = " or ".join(self._describe(one, self._is_renamed(chosen)) for one in (chosen, way))
            raise UserError(
                f"it is unclear how the model wants its images: {both}, which differ in {differs.sum()} of "
                f"{len(differs)} answers; set --config.audit.input_range=... and --config.audit.geometry=..."
            )

    def _differs(self, way, chosen):
        """Whether the two give an image another label, bool [N]."""
        return self._labelled(way) != self._labelled(chosen)

    def _labelled(self, way):
        """The labels that the answers stand for, with the outputs in the way's own order."""
        return np.argsort(self._order_of(way))[self._predicted(way)]

    def _order_of(self, way):
        if not self._is_renamed(way):
            return self.order
        return _match(self._predicted(way), self._labels_of(way), self.model.num_classes)

    def _describe(self, way, renamed):
        right, labels = self._right(way)[renamed], self._labels_of(way)
        order = " with the labels matched anew" if renamed else ""
        rate, ends = _percent(balanced(right, labels)), _ends(interval(right, labels))
        return f"{' '.join(filter(None, way))} ({rate} right {ends}{order})"

    def _tried(self, way):
        both, labels = self._right(way), self._labels_of(way)
        rates = [value for right in both for value in (balanced(right, labels), interval(right, labels))]
        return Tried(*way, len(labels), *rates)

    def _tied(self, way, chosen):
        renamed, labels = self._is_renamed(chosen), self._labels_of(way)
        right = self._right(way)[renamed]
        differing = float(self._differs(way, chosen).mean())
        return Tied(*way, balanced(right, labels), interval(right, labels), differing)

    def convention(self, way, others):
        """That of the chosen way, and of those that are left beside it."""
        if not np.isfinite(np.concatenate(self._scores[way])).all():
            raise UserError("the model gives values that are not finite for clean images")
        order = self._order_of(way)
        tried = tuple(self._tried(other) for other in self._scores)
        tied = tuple(self._tied(other, way) for other in others)
        unmatched = _unmatched(self._predicted(way), self._labels_of(way), order)
        renamed, draws = self._is_renamed(way), self._draws(way)
        return Convention(*way, self._kind(), order, renamed, unmatched, draws, tried, tied)

    def _draws(self, way):
        places = np.sort(self._places[:20])
        first, again = (self._answers(way, places) for _ in range(2))
        return 1 if np.allclose(first, again, rtol=1e-3, atol=1e-4) else _DRAWS


def balanced(right, labels) -> float:
    """Mean over the classes of the fraction of its images that is right."""
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def interval(right, labels, z=1.96) -> tuple[float, float]:
    """Wilson's interval of the balanced accuracy, `z` standard deviations wide, for as many images as it rests on."""
    counts = np.unique(labels, return_counts=True)[1]
    rate, size = balanced(right, labels), len(counts) ** 2 / np.sum(1 / counts)
    middle, width = rate + z**2 / (2 * size), z * math.sqrt(rate * (1 - rate) / size + z**2 / (4 * size**2))
    low, high = (float(np.clip((middle + sign * width) / (1 + z**2 / size), 0, 1)) for sign in (-1, 1))
    return low, high


def _by_turns(labels, seed) -> np.ndarray:
    """The images' places, ordered so that any number of the first has about as many of each class."""
    generator, turns = np.random.default_rng(seed), np.zeros(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turns[generator.permutation(members)] = np.arange(len(members))
    return np.lexsort((labels, turns))


def _worse(right, best, labels, seed) -> float:
    """The chance that `right` would be so far below `best`, bool [N] each, if both were equally good."""
    counts = np.bincount(labels)
    difference = (best.astype(float) - right) / counts[labels]
    difference = difference[difference != 0]
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(_FLIPS, len(difference)))
    flipped = (signs * np.abs(difference)).sum(1)
    return float((1 + np.sum(flipped >= difference.sum() - 1e-12)) / (1 + _FLIPS))


def _order(order, num_classes) -> np.ndarray:
    if order in ("auto", "given"):
        return np.arange(num_classes)
    named = order.split(",")
    if sorted(named) != sorted(map(str, range(num_classes))):
        raise UserError(
            f'unknown label order {order!r}; choose one of: auto, given, or the output of each label, as "2,0,1": '
            f"each from 0 to {num_classes - 1} once"
        )
    return np.array(named, int)


def _cross_matched(predicted, labels, num_classes):
    """Whether each answer is right by the matching of the other half of the images."""
    right, first = np.zeros(len(labels), bool), _halves(labels)
    for half in (first, ~first):
        right[half] = _match(predicted[~half], labels[~half], num_classes)[labels[half]] == predicted[half]
    return right


def _halves(labels):
    """Every second image of each class, bool [N]."""
    turns = np.zeros(len(labels), int)
    for label in np.unique(labels):
        members = labels == label
        turns[members] = np.arange(members.sum())
    return turns % 2 == 0


def _match(predicted, labels, num_classes) -> np.ndarray:
    """The output that is matched to each label, so that most predictions are right; as given where that is no worse."""
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (labels, predicted), 1 / np.bincount(labels, minlength=num_classes)[labels])
    return linear_sum_assignment(counts + 1e-6 * np.eye(num_classes), maximize=True)[1]


def _unmatched(predicted, labels, order) -> tuple[int, ...]:
    return tuple(
        int(label)
        for label in np.unique(labels)
        if _surely_more(predicted[labels == label] != order[label], 0.5, error=_NAMED_ERROR)
    )


def _surely_more(hits, limit: float, *, error=_ERROR) -> bool:
    """Whether surely more than this fraction of all images are hits, from N drawn ones, bool [N]; a few never are."""
    return binomtest(int(hits.sum()), len(hits), limit, alternative="greater").pvalue < error


def _percent(rate) -> str:
    return f"{100 * rate:.1f} %"


def _ends(interval) -> str:
    low, high = interval
    return f"[{100 * low:.1f}, {100 * high:.1f}]"
