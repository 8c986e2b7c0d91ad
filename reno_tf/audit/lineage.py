"""Where a model comes from: which network it is, and which of its weights are published ones."""

import collections
import dataclasses
import statistics
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from reno_tf.models import kernels
from reno_tf.models.kernels import WeightArray
from reno_tf.models.public_weights import PublicNetwork, PublicUnit, Unit, architectures, public_networks, units

_ALIKE = 0.5  # of the kernels' shapes, those of both networks as a part of those of either; below, it is another one
_UNRELATED = 0.8  # relative distance, the median over the kernels; networks that were trained apart are above


@dataclasses.dataclass(frozen=True)
class Pair:
    """A unit of the public network, and the model's that takes its place; None if it has none.

    distance: relative, up to a scale for each output channel; None for vectors, and where there is no counterpart.
    """

    public: PublicUnit
    unit: Unit | None
    equal: bool
    distance: float | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A model beside a public network.

    folded: whether the model has no BatchNorm, and the public network has: then kernels alone are compared. certain:
    whether it can be said which layers are equal. Not so where the file is converted, and the public weights are not at
    hand: digests of its content are then other ones, and sketches tell only that it is near.
    """

    network: PublicNetwork
    pairs: tuple[Pair, ...]
    folded: bool
    certain: bool

    @property
    def layers(self) -> dict[str, bool]:
        """{layer of the public network that is compared: whether all its weights are the public ones}."""
        equal = {}
        for pair in self._compared:
            equal[pair.public.layer] = equal.get(pair.public.layer, True) and pair.equal
        return equal

    @property
    def _compared(self) -> list[Pair]:
        return [pair for pair in self.pairs if pair.public.is_kernel or not self.folded or pair.equal]

    @property
    def distance(self) -> float:
        """The median over the kernels; 1 where the model has none of that shape."""
        return statistics.median(1.0 if pair.distance is None else pair.distance for pair in self._kernels())

    @property
    def related(self) -> bool:
        """Whether the model's weights began as these public ones, as far as their distance tells."""
        return self.distance < _UNRELATED

    def _kernels(self, stage=None):
        return [pair for pair in self.pairs if pair.public.is_kernel and stage in (None, pair.public.stage)]

    def stage_distances(self) -> dict[int, float | None]:
        """{stage: the root of the mean square over its kernels}; None if no kernel belongs to it."""
        distances = {}
        for stage in range(1, self.network.num_stages + 1):
            squares = [1.0 if pair.distance is None else pair.distance**2 for pair in self._kernels(stage)]
            distances[stage] = float(np.sqrt(np.mean(squares))) if squares else None
        return distances

    def equal_of_stage(self, stage: int) -> tuple[int, int]:
        """(layers that are the public ones, all layers) that this stage is the first to need."""
        names = {pair.public.layer for pair in self._compared if pair.public.stage == stage}
        equal = [self.layers[name] for name in names]
        return sum(equal), len(equal)

    @property
    def public_stages(self) -> int:
        """How many stages, from the first, consist of public weights alone."""
        for stage in range(1, self.network.num_stages + 1):
            equal, total = self.equal_of_stage(stage)
            if equal < total:
                return stage - 1
        return self.network.num_stages


@dataclasses.dataclass(frozen=True)
class Lineage:
    """titles: the known networks that have the model's shapes; none for an unknown one.

    comparison: with the nearest published weights of these, None if none are known. names: of the networks.
    """

    titles: tuple[str, ...]
    comparison: Comparison | None
    names: tuple[str, ...] = ()


def trace(arrays: Sequence[WeightArray]) -> Lineage:
    """Finds the network, by the shapes of its kernels, and then the published weights that are nearest to it."""
    of_model = units(arrays)
    names, titles = _nearest_architectures(of_model)
    comparisons = [compare_units(of_model, network) for network in public_networks(names)]
    nearest = min(comparisons, key=lambda one: one.distance, default=None)
    if nearest and nearest.related:  # Two forms of one network may have the same shapes.
        titles = tuple(known.title for known in architectures() if known.name == nearest.network.backbone)
    return Lineage(titles, nearest, tuple(names))


def compare(arrays: Sequence[WeightArray], network: PublicNetwork) -> Comparison:
    """The model with these weights beside a public network."""
    return compare_units(units(arrays), network)


def _nearest_architectures(of_model) -> tuple[list[str], tuple[str, ...]]:
    """(names, titles) of the known networks whose shapes are the nearest, if those are near."""
    own = collections.Counter(unit.shape for unit in of_model if unit.is_kernel)
    likeness = [(_likeness(own, collections.Counter(known.kernels)), known) for known in architectures()]
    best = max((value for value, _ in likeness), default=0)
    if best < _ALIKE:
        return [], ()
    nearest = [known for value, known in likeness if value == best]
    return [known.name for known in nearest], tuple(dict.fromkeys(known.title for known in nearest))


def _likeness(first, second) -> float:
    return (first & second).total() / max((first | second).total(), 1)


def compare_units(of_model: Sequence[Unit], network: PublicNetwork) -> Comparison:
    """See `compare`."""
    norms = {unit.shape for unit in network.units if unit.shape.count("+") == 3}
    folded = bool(norms) and not any(unit.shape in norms for unit in of_model)
    by_shape = collections.defaultdict(list)
    for unit in of_model:
        by_shape[unit.shape].append(unit)
    pairs = {}
    for shape in dict.fromkeys(unit.shape for unit in network.units):
        wanted = [unit for unit in network.units if unit.shape == shape]
        if wanted[0].is_kernel:
            matched = _match_kernels(wanted, by_shape[shape], network.values, folded)
        else:
            matched = _match_vectors(wanted, by_shape[shape], network.values)
        pairs |= {(pair.public.layer, shape): pair for pair in matched}
    ordered = tuple(pairs[unit.layer, unit.shape] for unit in network.units)
    converted = folded or any(pair.public.is_kernel and pair.unit and pair.unit.is_rounded for pair in ordered)
    return Comparison(network, ordered, folded, network.values is not None or not converted)


def _match_kernels(wanted, units_of_shape, values, folded) -> list[Pair]:
    """Each public kernel with the model's that is nearest to it, no two with the same."""
    costs = np.array(
        [
            [
                -1 if unit.digest == public.digest else kernels.differing_bits(unit.sketch, public.sketch)
                for unit in units_of_shape
            ]
            for public in wanted
        ]
    ).reshape(len(wanted), len(units_of_shape))
    chosen = dict(zip(*linear_sum_assignment(costs), strict=True))
    return [
        _pair_kernels(public, units_of_shape[chosen[row]], values, folded)
        if row in chosen
        else Pair(public, None, False, None)
        for row, public in enumerate(wanted)
    ]


def _pair_kernels(public, unit, values, folded) -> Pair:
    if unit.digest == public.digest:
        return Pair(public, unit, True, 0.0)
    (array,) = unit.arrays
    if values is None:
        bits = kernels.differing_bits(unit.sketch, public.sketch)
        return Pair(public, unit, False, kernels.distance_of_sketches(bits))
    (there,) = values[public.layer, public.shape]
    fit = kernels.fit(array, there)
    equal = fit.within_storage if folded else kernels.same_values(array, there)
    return Pair(public, unit, equal, fit.distance)


def _match_vectors(wanted, units_of_shape, values) -> list[Pair]:
    digests = {unit.digest: unit for unit in units_of_shape}
    return [
        Pair(public, unit, unit is not None, None)
        for public in wanted
        for unit in [digests.get(public.digest) or _same_vectors(public, units_of_shape, values)]
    ]


def _same_vectors(public, units_of_shape, values) -> Unit | None:
    if values is None:
        return None
    there = values[public.layer, public.shape]
    for unit in units_of_shape:
        if all(kernels.same_values(array, value) for array, value in zip(unit.arrays, there, strict=True)):
            return unit
    return None
