"""What a model answers to clean images that it is fed in several ways, and what that tells."""

import itertools
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from reno_tf.audit import label_order, outputs
from reno_tf.audit.convention import Convention, Stated, Tied, Tried
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.ranges import RANGES
from reno_tf.audit.significance import (
    SURE,
    balanced,
    chance_of_worse,
    interval,
    surely_less,
    surely_more,
)
from reno_tf.errors import UserError

Way = tuple[str, str]  # (geometry, input range)

_BATCH = 50  # images
_WORSE = 0.01  # A way to feed the model is out when it is worse than the best with at most this chance of error.
# What is usual is so many times as probable as what is not. A difference that is not significant at 1 % is evidence of
# at most 8 to 1 (Sellke, Bayarri and Berger 2001: -1 / (e p log p)): the usual way wins unless it is worse than that.
_USUAL_ODDS = 10
_NO_EVIDENCE = 0.1  # By the same formula, a chance above this is evidence of at most 1.6 to 1.
_ALIKE = 0.01  # of the images; what a wrong choice between two ways may cost
_SEVERAL = 0.2  # of the images; a model that sees several classes in surely more gives several labels
_DRAWS = 8  # answers that are averaged where a model gives a different one each time


class Questions:
    """The answers so far: of each way, to the first images of an order that has as many of each class at any point.

    order: the output of each label, as stated or as the labels come.
    """

    def __init__(self, model: Foreign, views: dict, labels: np.ndarray, order: np.ndarray, stated: Stated, seed: int):
        self.model, self.views, self.labels = model, views, labels
        self.order, self.stated, self.seed = order, stated, seed
        self._scores: dict[Way, np.ndarray] = {}
        self._near = model.near
        self._derived: dict = {}  # What follows from the scores, until more is asked.
        self._places = _by_turns(labels, seed)

    @property
    def _may_rename(self) -> bool:
        return self.stated.label_order == "auto"

    def ask(self, ways: Iterable[Way], count: int) -> None:
        """Asks about the first `count` images what was not asked yet. A photo is read once for each geometry."""
        self._derived = {}
        asked = {way: self.num_asked(way) for way in ways}
        for start in range(min(asked.values()), min(count, len(self.labels)), _BATCH):
            places = self._places[start : min(start + _BATCH, count)]
            open_ways = sorted(way for way, done in asked.items() if done < start + len(places))
            for geometry, group in itertools.groupby(open_ways, key=lambda way: way[0]):
                images = self.views[geometry][places]
                for way in group:
                    self._add(way, self._answer(images[max(asked[way] - start, 0) :], way))

    def _add(self, way, scores):
        self._scores[way] = np.concatenate([self._scores[way], scores]) if way in self._scores else scores

    def _answer(self, images, way):
        scores, near = self.model.answer(RANGES[way[1]](images))
        self._near = max(self._near, near)
        return scores

    def num_asked(self, way: Way) -> int:
        """How many images it was asked about."""
        return len(self._scores.get(way, ()))

    def _labels_of(self, *ways):
        """The labels of the images that all these ways were asked about."""
        return self.labels[self._places[: min(map(self.num_asked, ways))]]

    def _predicted(self, way):
        return np.asarray(outputs.as_logits(tf.constant(self._scores[way]), self._kind())).argmax(1)

    def _kind(self):
        """From all answers, also those to images fed wrongly: a sigmoid stays in [0, 1] there, and logits do not."""
        if self.stated.outputs != "auto":
            return self.stated.outputs
        if "kind" in self._derived:
            return self._derived["kind"]
        scores = np.concatenate(list(self._scores.values()))
        finite = scores[np.isfinite(scores).all(1)]  # Fed wrongly, half precision may overflow.
        self._derived["kind"] = outputs.kind_of(finite if len(finite) else scores, self._near)
        return self._derived["kind"]

    def _right(self, way):
        """Whether each answer is right, as given and matched, bool [N] each."""
        if way not in self._derived:
            predicted, labels = self._predicted(way), self._labels_of(way)
            as_given = matched = self.order[labels] == predicted
            if self._may_rename:
                matched = label_order.cross_matched(predicted, labels, self.model.num_classes)
            self._derived[way] = as_given, matched
        return self._derived[way]

    def left(self, ways: list[Way], count: int) -> list[Way]:
        """Those of the ways that are left after so many images, the best first.

        They are not significantly worse than the best. Where that has the labels as they come, all must: swapped
        colours can look like swapped labels.
        """
        self.ask(ways, count)
        ranked = sorted(ways, key=self.rank, reverse=True)
        return [way for way in ranked if way == ranked[0] or self._worse(way, ranked[0]) >= _WORSE]

    def rank(self, way: Way) -> tuple[float, bool]:
        """The balanced accuracy that decides about the way; of equals, one with the labels as they come is first."""
        renamed = self._is_renamed(way)
        return balanced(self._right(way)[renamed], self._labels_of(way)), not renamed

    def _worse(self, way, best):
        """The chance that the way would be so far below the best, if it were as good."""
        which, labels = self._is_renamed(best), self._labels_of(way, best)
        right, of_best = (self._right(one)[which][: len(labels)] for one in (way, best))
        return chance_of_worse(right, of_best, labels, self.seed)

    def _is_renamed(self, way):
        """Whether the labels match the outputs significantly better in another order."""
        if ("renamed", way) not in self._derived:
            as_given, matched = self._right(way)
            chance = chance_of_worse(as_given, matched, self._labels_of(way), self.seed)
            self._derived["renamed", way] = self._may_rename and chance < _WORSE
        return self._derived["renamed", way]

    def check_one_label(self, way: Way) -> None:
        """Raises UserError if the model surely gives several labels to one image."""
        several = (self._scores[way] > 0.5).sum(1) > 1
        if self._kind() == "sigmoids" and surely_more(several, _SEVERAL):
            raise UserError(
                f"the model says yes to several classes of one image, in {several.sum()} of {len(several)} images: "
                "an audit needs a model that gives one label"
            )

    def check_chance(self, way: Way) -> None:
        """Raises UserError unless the best way is surely better than a guess, or than the most frequent class."""
        right, labels = self._right(way)[self._is_renamed(way)], self._labels_of(way)
        counts = np.unique(labels, return_counts=True)[1]
        chance = 1 / (len(counts) if len(counts) > 1 else self.model.num_classes)
        surely = interval(right, labels, SURE)
        if surely[0] <= chance and not surely_more(right, counts.max() / len(labels)):
            rate = f"{_percent(balanced(right, labels))} {_ends(surely)} with equal weight for each class"
            raise UserError(
                f"the model gets {right.sum()} of {len(right)} clean images right, no more than chance, in every way "
                f"that was tried: {rate}, by chance {_percent(chance)}; "
                "are these its classes? (config.audit.input_range, geometry, label_order)"
            )

    def costs_much(self, way: Way, chosen: Way, *, is_less_usual: bool) -> bool:
        """Whether the way may be as good as the chosen one, and choosing wrongly would change much.

        The change is the fraction of the images that get another answer, times the chance that the way is as good,
        which is smaller where it is less usual. It has to be surely more than `_ALIKE`: of few images, one answer is a
        large fraction.
        """
        chance = self._worse(way, chosen) / _odds(is_less_usual)
        return surely_more(self._differs(way, chosen), min(1, _ALIKE / chance))

    def costs_little(self, way: Way, chosen: Way, *, is_less_usual: bool) -> bool:
        """Whether that change is surely less, so that nothing more needs to be asked about the way.

        That the way was worse so far does not count. Where it was better, it may yet turn out to be right.
        """
        if self._worse(chosen, way) < _NO_EVIDENCE:
            return False
        return surely_less(self._differs(way, chosen), _ALIKE * _odds(is_less_usual))

    def refuse(self, way: Way, chosen: Way) -> None:
        """Raises the UserError of two ways between which there is no choice."""
        differs = self._differs(way, chosen)
        both = " or ".join(self._describe(one, self._is_renamed(chosen)) for one in (chosen, way))
        raise UserError(
            f"it is unclear how the model wants its images: {both}, which differ in {differs.sum()} of "
            f"{len(differs)} answers; set --config.audit.input_range=... and --config.audit.geometry=..."
        )

    def _differs(self, way, chosen):
        """Whether the two give an image another label, bool [N], of those that both were asked about."""
        count = len(self._labels_of(way, chosen))
        return self._labelled(way)[:count] != self._labelled(chosen)[:count]

    def _labelled(self, way):
        """The labels that the answers stand for, with the outputs in the way's own order."""
        return np.argsort(self._order_of(way))[self._predicted(way)]

    def _order_of(self, way):
        if not self._is_renamed(way):
            return self.order
        return label_order.match(self._predicted(way), self._labels_of(way), self.model.num_classes)

    def _describe(self, way, renamed):
        right, labels = self._right(way)[renamed], self._labels_of(way)
        order = " with the labels matched anew" if renamed else ""
        rate, ends = _percent(balanced(right, labels)), _ends(interval(right, labels))
        return f"{' '.join(filter(None, way))} ({rate} right {ends}{order})"

    def convention(self, way: Way, others: list[Way]) -> Convention:
        """That of the chosen way, and of those that are left beside it.

        Raises UserError if the answers are not finite.
        """
        if not np.isfinite(self._scores[way]).all():
            raise UserError("the model gives values that are not finite for clean images")
        order = self._order_of(way)
        return Convention(
            geometry=way[0],
            input_range=way[1],
            outputs=self._kind(),
            order=order,
            renamed=self._is_renamed(way),
            unmatched=label_order.unmatched(self._predicted(way), self._labels_of(way), order),
            draws=self._draws(way),
            tried=tuple(self._tried(other) for other in self._scores),
            tied=tuple(self._tied(other, way) for other in others),
        )

    def _tried(self, way):
        both, labels = self._right(way), self._labels_of(way)
        rates = [value for right in both for value in (balanced(right, labels), interval(right, labels))]
        return Tried(*way, len(labels), *rates)

    def _tied(self, way, chosen):
        renamed, labels = self._is_renamed(chosen), self._labels_of(way)
        right = self._right(way)[renamed]
        differing = float(self._differs(way, chosen).mean())
        return Tied(*way, balanced(right, labels), interval(right, labels), differing)

    def _draws(self, way):
        images = self.views[way[0]][self._places[:20]]
        first, again = (self._answer(images, way) for _ in range(2))
        return 1 if np.allclose(first, again, rtol=1e-3, atol=1e-4) else _DRAWS


def _odds(is_less_usual) -> int:
    """How many times as probable the chosen way is, before anything is asked."""
    return _USUAL_ODDS if is_less_usual else 1


def _by_turns(labels, seed) -> np.ndarray:
    """The images' places, ordered so that any number of the first has about as many of each class."""
    generator, turns = np.random.default_rng(seed), np.zeros(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turns[generator.permutation(members)] = np.arange(len(members))
    return np.lexsort((labels, turns))


def _percent(rate) -> str:
    return f"{100 * rate:.1f} %"


def _ends(interval) -> str:
    low, high = interval
    return f"[{100 * low:.1f}, {100 * high:.1f}]"
