"""What configs/reproduce.py asks for, checked before anything is done."""

import dataclasses

from ml_collections import ConfigDict

from reno_tf import settings
from reno_tf.data import DATASETS
from reno_tf.errors import UserError, choose
from reno_tf.methods import METHODS
from reno_tf.models import BACKBONES
from reno_tf.reproduction.artefacts import ARTEFACTS, NETWORKS, Matched
from reno_tf.settings.fields import bounded, filled, typed

_WHERE = "config.reproduce"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """`config.reproduce`; configs/reproduce.py says what each key is for."""

    scale: str
    artefacts: tuple[str, ...]
    networks: tuple[tuple[str, ...], ...]  # pairs of the paper's name and a backbone
    data: tuple[str, ...]
    settings: dict  # data set -> what differs from the config
    notes: tuple[str, ...]
    shares: dict  # label -> part of the training images
    feature_weights: tuple[float, ...]
    choose_feature_weight: bool
    matched: Matched
    suite_seeds: int = bounded(least=0)
    tuned: tuple[str, ...]
    grid: dict  # recipe key -> values
    held_out: int = bounded(least=0)
    seeds: int = bounded(least=1)
    few_seeds: int = bounded(least=1)
    cpus: int = bounded(least=1)
    gpus: float = bounded(least=0)

    def __post_init__(self):
        for key in ("artefacts", "data", "networks", "shares", "feature_weights"):
            if not getattr(self, key):
                raise UserError(f"{_WHERE}.{key} must not be empty")
        for key in ("artefacts", "data", "feature_weights"):
            values = getattr(self, key)
            if twice := [value for value in values if values.count(value) > 1]:
                raise UserError(f"{_WHERE}.{key} has {twice[0]} twice")
        if odd := [pair for pair in self.networks if len(pair) != 2]:
            raise UserError(f"each of {_WHERE}.networks must be a name of the paper's and a backbone, not {odd[0]}")
        for label, share in self.shares.items():
            typed(float, share, f"{_WHERE}.shares.{label}")
        for key, values in self.grid.items():
            typed(tuple[float, ...], values, f"{_WHERE}.grid.{key}")
        checks = {
            "artefacts": (self.artefacts, ARTEFACTS),
            "data": (self.data, DATASETS),
            "settings": (self.settings, DATASETS),
            "tuned": (self.tuned, METHODS),
            "grid": (self.grid, settings.recipe_keys()),
            "networks": ([name for name, _ in self.networks], NETWORKS),
            "matched.data": (self.matched.data, DATASETS),
        }
        for key, (names, allowed) in checks.items():
            for name in names:
                choose(f"name in {_WHERE}.{key}", name, allowed)
        for _, backbone in self.networks:
            choose(f"backbone in {_WHERE}.networks", backbone, BACKBONES)


def read_recipe(section: ConfigDict) -> Recipe:
    """Raises UserError for a key or name that does not exist, and for a value of another type or beyond its bounds."""
    values = section.to_dict()
    if lacking := [field.name for field in dataclasses.fields(Recipe) if field.name not in values]:
        raise UserError(f"{_WHERE} lacks {lacking[0]}")
    matched, where = values["matched"], f"{_WHERE}.matched"
    values["matched"] = filled(Matched, vars(Matched()) | typed(dict, matched, where), where)
    return filled(Recipe, values, _WHERE)
