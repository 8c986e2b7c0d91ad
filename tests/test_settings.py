"""From config and method to a checked set of numbers."""

import pytest

from configs.default import get_config
from reno_tf import settings
from reno_tf.errors import UserError
from reno_tf.methods import METHODS


def _resolve(method="renofeation", **changes):
    config = get_config()
    for key, value in changes.items():
        section, _, leaf = key.rpartition("__")
        setattr(config[section] if section else config, leaf, value)
    return settings.resolve(config, method)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_its_starts_recipe(name):
    resolved, recipe = _resolve(name), get_config().recipes[METHODS[name].start]
    assert resolved.optimizer.learning_rate == recipe.learning_rate
    assert resolved.optimizer.weight_decay == recipe.weight_decay
    assert resolved.steps.train == recipe.train * METHODS[name].step_factor
    assert (resolved.dropout, resolved.swa) == (METHODS[name].dropout, METHODS[name].swa)
    assert (resolved.attack.epsilon, resolved.attack.step_size, resolved.attack.steps) == (0.1, 0.01, 40)
    anchored = name == "l2sp"
    assert settings.build_method(resolved).weight_decay == (0 if anchored else recipe.weight_decay)


def test_a_value_given_wins_over_recipe_preset_and_method():
    resolved = _resolve("delta", optimizer__learning_rate=0.3, dropout=0.2, swa=True, attack__epsilon=0.05)
    assert resolved.optimizer.learning_rate == 0.3 and resolved.optimizer.momentum == 0.9
    assert resolved.dropout == 0.2 and resolved.swa is True and resolved.attack.epsilon == 0.05
    assert _resolve(dropout=0.0, swa=False).swa is False
    assert settings.build_method(_resolve("l2sp", anchor_weight=0.7)).anchor_weight == 0.7


def test_presets_bring_their_own_budget():
    assert _resolve(attack__preset="paper").attack.epsilon == 0.4
    assert _resolve(attack__preset="suite").attack.epsilon == 0.1
    assert settings.attack_names(_resolve(attack__preset="suite", attack__suite=("guide", "l2"))) == ("guide", "l2")
    assert settings.attack_names(_resolve(attack__preset="paper")) == ("paper",)


def test_nothing_is_left_open():
    def leaves(section):
        for value in section.values():
            yield from leaves(value) if isinstance(value, dict) else [value]

    values = list(leaves(_resolve(data__dir="somewhere", data__tfds_dir="elsewhere").to_dict()))
    assert None not in values and len(values) > 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attack__preset": "pixels"}, "unknown attack preset 'pixels'; choose one of: .*pixel, reference.*suite"),
        ({"data__name": "cats"}, "unknown data set 'cats'; choose one of: actions, armenian"),
        ({"model__backbone": "vgg"}, "unknown backbone 'vgg'; choose one of: .*resnet18_cifar"),
        ({"model__student": "vgg"}, "unknown backbone 'vgg'"),
        ({"model__taps": ("a",)}, "config.model.taps goes with the backbones keras_"),
        ({"model__batch_norm_momentum": 1.0}, "config.model.batch_norm_momentum must be in"),
        ({"model__tap": "between"}, "choose one of: after_dropout, before_dropout"),
        ({"distribution": "all"}, "unknown config.distribution 'all'; choose one of: mirrored, multi_worker, none"),
        ({"split": "train"}, "unknown config.split 'train'; choose one of: test, validation"),
        ({"split": "validation", "data__validation_per_class": 0}, "needs config.data.validation_per_class"),
        ({"attack__suite": ("pixels",)}, "unknown attack in config.attack.suite 'pixels'"),
        ({"attack__suite": ()}, "config.attack.suite needs an attack that counts: any but reference, l2, white_box"),
        ({"attack__suite": ("l2", "white_box")}, "config.attack.suite needs an attack that counts"),
        ({"attack__restarts": 0}, "config.attack.restarts must be at least 1, not 0"),
        ({"attack__cache_limit": -1.0}, "config.attack.cache_limit must be at least 0, not -1.0"),
        ({"attack__steps": -1}, "config.attack.steps must be at least 0, not -1"),
        ({"steps__train": -5}, "config.steps.train must be at least 1, not -5"),
        ({"interval": 7}, r"config.interval \(7\) must divide config.steps.train"),
        ({"dropout": 1.5}, r"config.dropout must be in \[0, 1\), not 1.5"),
        ({"optimizer__momentum": 1.0}, r"config.optimizer.momentum must be in \[0, 1\), not 1.0"),
        ({"steps__swa_period": 10**6}, "config.steps.swa_period must be from 1 to config.steps.swa"),
        ({"seed": -1}, "config.seed must be at least 0, not -1"),
    ],
)
def test_mistakes_name_the_key_and_the_choices(changes, message):
    with pytest.raises(UserError, match=message):
        _resolve(**changes)
