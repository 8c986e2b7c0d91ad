"""The config, read once into frozen dataclasses. What stands below knows these, not ml_collections."""

from reno_tf.settings.reading import read, read_data, read_networks, read_pretrain, read_watch, recipe_keys, restore
from reno_tf.settings.types import (
    DISTRIBUTIONS,
    FORMAT,
    Attack,
    Data,
    Networks,
    Pretrain,
    Report,
    Settings,
    Training,
    Watch,
    identity_key,
)
