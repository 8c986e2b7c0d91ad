"""From the rows of the paper's tables to runs of this project: one config each, once each."""

import dataclasses
import functools
import itertools

from ml_collections import ConfigDict

from reno_tf import settings
from reno_tf.commands.reproducing import recipe
from reno_tf.commands.reproducing.recipe import Recipe
from reno_tf.errors import UserError
from reno_tf.methods import METHODS
from reno_tf.reporting.metrics import WORST
from reno_tf.reproduction import trials
from reno_tf.reproduction.artefacts import ARTEFACTS, Artefact, Row, Scale

_TRIED = "finetune"  # The method whose grid chooses for all that take the choice.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Planned:
    """One run. name: its folder's below the sweep's; config: not resolved; data: the data set's name."""

    name: str
    method: str
    config: ConfigDict
    data: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """What configs/reproduce.py asks for. Raises UserError for a name or key that does not exist."""

    config: ConfigDict

    def __post_init__(self):
        for data in self.recipe.data:
            self.configure(data, {})
        for name, artefact in self.artefacts.items():
            if not self.data(artefact):
                raise UserError(f"config.reproduce.data has no data set of {name}: {', '.join(artefact.data)}")

    @functools.cached_property
    def recipe(self) -> Recipe:
        return recipe.read_recipe(self.config.reproduce)

    @property
    def artefacts(self) -> dict[str, Artefact]:
        return {name: self._artefact(name) for name in self.recipe.artefacts}

    @property
    def rows(self) -> list[Row]:
        """The rows of all artefacts, each run once; a row that a claim rests on has all its seeds."""
        rows = [row for artefact in self.artefacts.values() for row in artefact.rows]
        distinct = {}
        for row in sorted(rows, key=lambda row: (row.few, bool(row.data))):
            distinct.setdefault(row.runs, row)
        return list(distinct.values())

    def trials(self) -> list[tuple[dict, Planned]]:
        """(values of the grid, the run that tries them), on the validation split."""
        keys, columns = self.recipe.grid.keys(), self.recipe.grid.values()
        grid = [dict(zip(keys, values, strict=True)) for values in itertools.product(*columns)] if self._tuned() else ()
        pairs = []
        for data, values in itertools.product(self.recipe.data, grid):
            config = self.configure(data, values)
            config.model.backbone = self.recipe.networks[0][1]
            config.split = "validation"
            config.data.validation_per_class = self.recipe.held_out
            name = trials.trial_name(data, _TRIED, values)
            pairs.append((values, Planned(name=name, method=_TRIED, config=config, data=data)))
        return pairs

    def weights(self) -> list[tuple[float, Row]]:
        """(lambda, the row of Figure 4 that tries it), if DELTA's lambda is to be chosen."""
        wanted = self.recipe.choose_feature_weight and any(METHODS[name].needs_features for name in self._tuned())
        rows = self._artefact("figure4").rows if wanted else ()
        return [(dict(row.changes)["method.feature_weight"], row) for row in rows]

    def weight_trials(self, hyper_parameters: dict[str, dict]) -> list[tuple[dict, Planned]]:
        """(value of lambda, the run that tries it). hyper_parameters: data set -> what the grid has chosen."""
        rows = self.weights()
        return [
            ({"feature_weight": weight}, self.run(row, data, 0, values))
            for data, values in hyper_parameters.items()
            for weight, row in rows
        ]

    def seeds(self, row: Row) -> range:
        return range(self.recipe.few_seeds if row.few else self.recipe.seeds)

    def data(self, of: Row | Artefact) -> list[str]:
        """The data sets that a row or an artefact is made for."""
        return [data for data in self.recipe.data if not of.data or data in of.data]

    def run(self, row: Row, data: str, seed: int, hyper_parameters: dict) -> Planned:
        """`hyper_parameters`: recipe key -> value for this data set, for the methods that take the choice."""
        config = self.configure(data, hyper_parameters if row.method in self.recipe.tuned else {}, seed=seed)
        config.model.backbone = dict(self.recipe.networks)[row.network]
        config.update_from_flattened_dict(dict(row.changes))
        if seed < self.recipe.suite_seeds and not row.changes and row.network == self.recipe.networks[0][0]:
            config.attack.preset = "suite"
        return Planned(name=str(row.run(data, seed)), method=row.method, config=config, data=data)

    def configure(self, data: str, hyper_parameters: dict, *, seed: int = 0) -> ConfigDict:
        """The config of a data set's runs, with its hyper-parameters, {recipe key: value}."""
        config = self.config.copy_and_resolve_references().unlock()
        del config.reproduce
        config.lock()  # A mistake in the settings is refused; any coefficient may be added where they belong.
        for open_section in (config.method, *config.recipes.values()):
            open_section.unlock()
        try:
            config.update(self.recipe.settings.get(data, {}))
        except (KeyError, TypeError, ValueError) as mistake:
            raise UserError(f"config.reproduce.settings of {data}: {' '.join(str(mistake).split())[:300]}") from None
        config.seed, config.data.name = seed, data
        config.recipes.teacher.update(hyper_parameters)
        return config

    def feature_weight(self, data: str, hyper_parameters: dict) -> float:
        """DELTA's, of a data set with these hyper-parameters."""
        return settings.read(self.configure(data, hyper_parameters), "delta").method.feature_weight

    def _tuned(self):
        return {row.method for row in self.rows} & set(self.recipe.tuned)

    def _artefact(self, name):
        shared = {key: getattr(self.recipe, key) for key in ("shares", "feature_weights", "matched")}
        artefact = ARTEFACTS[name](Scale(networks=tuple(dict(self.recipe.networks)), **shared))
        tried = [metric for metric in artefact.metrics if metric != WORST or self.recipe.suite_seeds]
        return dataclasses.replace(artefact, metrics=tuple(tried))
