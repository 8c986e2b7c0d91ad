"""Finds how a model wants to be fed and read, by asking it about clean images."""

from collections.abc import Callable

import numpy as np

from reno_tf.audit import label_order, outputs
from reno_tf.audit.convention import Convention, Stated
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.questions import Questions, Way
from reno_tf.audit.ranges import RANGES, is_red_first, name_of, nearest_to_limits
from reno_tf.errors import UserError, choose

# (images of each class, at least so many in all) that a way is asked about after each round.
_ROUNDS = ((2, 50), (2, 100), (10, 200), (10, 500), (50, 2500))
_ORDERED = 2  # the first round after which the order of the labels is told
_SMALL_CHANGES = 3  # the first round after which it suffices that a wrong choice is not known to change much
_LIKELY = 3  # ranges that are tried in every geometry: the public network's own, if it is left, and the best
_USUAL_GEOMETRY = "squash"  # what Keras's `image_dataset_from_directory` and `load_img` do
_NOTHING_STATED = Stated()
_SHOWN = 100  # images that tell whether all are grey


def detect(
    model: Foreign,
    views: dict,
    labels,
    stated: Stated = _NOTHING_STATED,
    *,
    seed: int = 0,
    public: Callable | None = None,
) -> Convention:
    """Finds how to feed the model and how to read it, by asking it about clean images.

    Every range is asked about a few images of each class; then the likeliest of those that are not significantly worse
    than the best in every geometry; and so on with more images. Ways are compared image by image (a permutation test
    of the balanced accuracy's difference). Of those that are left the most usual is taken: in the public network's own
    range, then squashed, then red first; of equally usual ones the best. A way that surely changes little beside it is
    not asked further. Another may be right, too, and would give different answers: if that might change much when all
    is asked, nothing is taken.

    Args:
      views: {geometry: images, float32 [N, H, W, 3] in [0, 1]}, the same images in each; none is attacked later.
      labels: int [N].
      public: the public network's own preprocessing, of images [B, H, W, 3] in [0, 1]; None where it is not known.

    Raises UserError if the model does no better than chance in every way, if two ways cannot be told apart, as by
    images of one label, if outputs are not finite, or if the label order is invalid.
    """
    order = label_order.parse(stated.label_order, model.num_classes)
    geometries = _geometries(views, stated)
    first = _USUAL_GEOMETRY if _USUAL_GEOMETRY in geometries else geometries[0]
    ranges = _ranges(model, stated, is_grey=_is_grey(views[first][:_SHOWN]))
    _refuse_one_label(labels, ranges, geometries)
    if stated.outputs != "auto":
        choose("config.audit.outputs", stated.outputs, outputs.KINDS)
    questions = Questions(model, views, np.asarray(labels), order, stated, seed)
    search = _Search(questions, first, ranges, geometries, public)
    for number, (each, least) in enumerate(_ROUNDS):
        search.ask(max(each * model.num_classes, least))
        if search.is_over(number):
            break
    return search.convention()


class _Search:
    """The ways that are left: those that are asked on, the best first, and those that are settled.

    A way is settled while a wrong choice between it and the chosen one would surely cost little.
    """

    def __init__(self, questions: Questions, first: str, ranges: list[str], geometries: list[str], public):
        self._questions, self._first, self._geometries = questions, first, geometries
        self._public, self._own = public, None
        self._running: list[Way] = [(first, name) for name in ranges]
        self._settled: list[Way] = []
        self._in_all_geometries: list[str] = []  # ranges

    def ask(self, count: int) -> None:
        """A round: those that are asked on, then the likeliest ranges in every geometry."""
        self._ask(self._running, count)
        new = [(geometry, name) for geometry in self._geometries for name in self._likely()]
        self._ask(self._running + [way for way in new if not self._questions.num_asked(way)], count)
        self._settle()

    def _ask(self, ways, count):
        chosen = self._chosen
        self._running = self._questions.left(ways, count)
        if chosen not in self._running and self._settled:  # They were settled beside one that is out.
            revived, self._settled = self._running + self._settled, []
            self._running = self._questions.left(revived, count)
        if self._public and len(self._running) > 1:
            self._own, self._public = name_of(self._public), None

    def _likely(self):
        """Ranges: the public network's own, those that were tried in every geometry already, and the best."""
        left = sorted(self._running + self._settled, key=self._questions.rank, reverse=True)
        names = [name for geometry, name in left if geometry == self._first]
        names.sort(key=lambda name: (name != self._own, name not in self._in_all_geometries))
        self._in_all_geometries = names[:_LIKELY]
        return self._in_all_geometries

    def _settle(self):
        chosen = self._chosen
        for way in [way for way in self._running if way != chosen]:
            if self._questions.costs_little(way, chosen, is_less_usual=self._is_less_usual(way)):
                self._running.remove(way)
                self._settled.append(way)

    @property
    def _chosen(self) -> Way:
        """The most usual; of equals the first, which is the best."""
        return max(self._running, key=self._usual)

    def _usual(self, way) -> tuple[bool, bool, bool]:
        """How usual a way is, to be compared."""
        geometry, name = way
        return name == self._own, geometry == _USUAL_GEOMETRY, is_red_first(name)

    def _is_less_usual(self, way):
        return self._usual(way) < self._usual(self._chosen)

    def _costly(self) -> list[Way]:
        """The ways that may be as good as the chosen one, where a wrong choice would surely change much."""
        chosen = self._chosen
        return [
            way
            for way in self._running
            if way != chosen and self._questions.costs_much(way, chosen, is_less_usual=self._is_less_usual(way))
        ]

    def is_over(self, number: int) -> bool:
        """Whether nothing needs to be asked after the round of this number."""
        if number >= _SMALL_CHANGES:
            return not self._costly()
        return number >= _ORDERED and self._running == [self._chosen]

    def convention(self) -> Convention:
        """That of the chosen way. Raises UserError if there is none to choose."""
        questions, chosen = self._questions, self._chosen
        questions.check_chance(self._running[0])
        questions.check_one_label(self._running[0])
        for way in self._costly():
            questions.refuse(way, chosen)
        left = sorted(self._running + self._settled, key=questions.rank, reverse=True)
        return questions.convention(chosen, [way for way in left if way != chosen])


def _refuse_one_label(labels, ranges, geometries):
    """Such images tell no way from one in which the model always gives that label."""
    if len(np.unique(labels)) == 1 and len(ranges) * len(geometries) > 1:
        raise UserError(
            "images of one label do not tell how the model wants them: "
            "set --config.audit.input_range=... and --config.audit.geometry=..."
        )


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
