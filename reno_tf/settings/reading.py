"""From the config object to settings; the only reader of it, except for what makes configs."""

import dataclasses
import math

from reno_tf.attacks import ATTACKS, AttackRef
from reno_tf.errors import UserError, choose, suggest
from reno_tf.evaluation.suite import HEADLINE, QUICK_BUDGET, SUITES, WHOLE
from reno_tf.methods import METHODS, STARTS, Method, Schedule
from reno_tf.settings.fields import checked, filled, has_neutral, restored, typed
from reno_tf.settings.types import (
    FORMAT,
    Attack,
    Data,
    Networks,
    Pretrain,
    Report,
    Settings,
    Training,
    Watch,
)

# field of Schedule -> (section of the config, key)
_SCHEDULE = {
    "learning_rate": ("optimizer", "learning_rate"),
    "momentum": ("optimizer", "momentum"),
    "swa_learning_rate": ("optimizer", "swa_learning_rate"),
    "steps": ("steps", "train"),
    "swa_steps": ("steps", "swa"),
    "swa_period": ("steps", "swa_period"),
}


def read(
    config, method_name: str = "renofeation", *, preset: str = "pixel", dataset=None, copied: bool = True
) -> Settings:
    """The settings of a run; what the config leaves open is as the method and the attack declare it.

    `preset` is the attack if the config names none. `dataset`: once it is loaded, config.steps.passes lengthens the
    training by its size. `copied`: whether it is known how the student is made, so that an attacker can copy it. Raises
    UserError that names the key and what is allowed.
    """
    num_images = {"train": len(dataset.train), "validation": len(dataset.validation)} if dataset else {}
    coefficients = config.method.to_dict()
    settings = _read(config, method_name, preset, coefficients, num_images.get("train"))
    networks, students = settings.suite().networks, {}
    if networks & {"surrogate", "ensemble"}:
        # The attacker does not know the defender's coefficients. An ensemble is drawn around an average.
        its_config = _averaging(config) if "ensemble" in networks else config
        count = num_images.get("validation")
        students["surrogate"] = _read(its_config, settings.attack.surrogate, preset, {}, count)
    if copied and "sibling" in networks:
        students["sibling"] = _read(config, method_name, preset, coefficients, num_images.get("validation"))
    if copied and networks & {"twin", "twins"}:
        students["twin"] = settings
    return dataclasses.replace(settings, **students)


def _averaging(config):
    config = config.copy_and_resolve_references()
    config.swa = True
    return config


def restore(content) -> Settings:
    """The settings of a run, from the content of its config.json. Raises UserError if it is something else."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"config.json is not of format {FORMAT}: another version wrote it")
    parts = {"data": Data, "networks": Networks, "training": Training, "attack": Attack, "report": Report}
    try:
        method = METHODS[choose("method", content["method"]["name"], METHODS)]
        written, fields = content["method"], [field for field in dataclasses.fields(method) if field.init]
        coefficients = {
            field.name: typed(field.type, written[field.name], f"method.{field.name}")
            for field in fields
            if field.name in written or not has_neutral(field)
        }
        read = {name: restored(section, content[name], name) for name, section in parts.items()}
        seed = checked(Settings, "seed", content["seed"], "config.json")
        return Settings(seed=seed, method=method(**coefficients), schedule=Schedule(**content["schedule"]), **read)
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"config.json does not hold a run's settings: {error}") from None


def read_data(config) -> Data:
    return filled(Data, config.data, "config.data")


def read_networks(config) -> Networks:
    model = config.model.to_dict()
    return filled(Networks, model | {"student": model["student"] or model["backbone"]}, "config.model")


def read_pretrain(config) -> Pretrain:
    return filled(Pretrain, config.pretrain, "config.pretrain")


def read_watch(config) -> Watch:
    return filled(Watch, config.watch, "config.watch")


def _read(config, method_name, preset, coefficients, num_images) -> Settings:
    method = METHODS[choose("method", method_name, METHODS)]
    start = _start(method, coefficients)
    recipe = _recipe(config, start)
    dropout = method.dropout if config.dropout is None else config.dropout
    attack = _attack(config, preset)
    curve = {f"curve_{key}": value for key, value in config.curve.items()}
    settings = Settings(
        seed=checked(Settings, "seed", config.seed, "config"),
        data=read_data(config),
        networks=read_networks(config),
        method=_method(method, start, recipe, coefficients),
        schedule=_schedule(config, method, start, recipe, num_images),
        training=filled(Training, {**config, "dropout": dropout}, "config", partial=True),
        attack=attack,
        report=filled(Report, {"split": config.split, **curve}, "config"),
        has_recipe=bool(recipe),
    )
    if settings.report.split == "validation" and not settings.data.validation_per_class:
        raise UserError("config.split=validation needs config.data.validation_per_class of at least 1, not 0")
    if settings.training.batch_size < method.least_batch:
        least = f"at least {method.least_batch}, not {settings.training.batch_size}"
        raise UserError(f"{method.name} needs config.batch_size of {least}")
    for phase in settings.method.phases(settings.schedule):
        phase.interval(settings.training.interval)
    return settings


def recipe_keys() -> list[str]:
    """What a task may change for all methods of a start: keys of optimizer and steps, and any method's coefficients."""
    coefficients = [field.name for method in METHODS.values() for field in dataclasses.fields(method)]
    keys = dict.fromkeys([*(key for _, key in _SCHEDULE.values()), "passes", *coefficients])
    return [key for key in keys if key != "start"]  # It decides which recipe is taken.


def _start(method, coefficients) -> str:
    """Where the method starts: as it declares, or as config.method has it where that is a coefficient."""
    if "start" not in coefficients or "start" not in {field.name for field in dataclasses.fields(method)}:
        return method.start
    return choose("config.method.start", typed(str, coefficients["start"], "config.method.start"), STARTS)


def _recipe(config, start) -> dict:
    for name, recipe in config.recipes.items():
        for key in recipe:
            choose(f"key in config.recipes.{name}", key, recipe_keys())
    return config.recipes[start].to_dict()


def _method(method, start, recipe, coefficients) -> Method:
    """The method with the coefficients of the recipe, as far as it has them, and of `config.method`."""
    taken = {field.name: field for field in dataclasses.fields(method) if field.init}
    if unknown := [key for key in coefficients if key not in taken]:
        raise UserError(f"{method.name} has no coefficient {unknown[0]} (config.method); {suggest(unknown[0], taken)}")
    changes = {}
    for where, values in {f"config.recipes.{start}": recipe, "config.method": coefficients}.items():
        offered = {key: value for key, value in values.items() if key in taken}
        changes |= {key: typed(taken[key].type, value, f"{where}.{key}") for key, value in offered.items()}
    return method(**changes)


def _schedule(config, method, start, recipe, num_images) -> Schedule:
    """The method's own, with what the recipe and the config change; of `num_images` training images, or None."""
    kinds = {field.name: field.type for field in dataclasses.fields(Schedule)}
    changes = {
        field: typed(kinds[field], recipe[key], f"config.recipes.{start}.{key}")
        for field, (_, key) in _SCHEDULE.items()
        if key in recipe
    }
    schedule = dataclasses.replace(method.schedule, **changes)
    if num_images and (passes := _passes(config, recipe)):
        steps = math.ceil(passes * num_images / config.batch_size / config.interval) * config.interval
        schedule = dataclasses.replace(schedule, steps=max(steps, schedule.steps))
    schedule = dataclasses.replace(schedule, steps=method.step_factor * schedule.steps)
    asked = {f"config.{section}.{key}": (field, config[section][key]) for field, (section, key) in _SCHEDULE.items()}
    asked["config.swa"] = ("swa", config.swa)
    asked = {field: typed(kinds[field], value, key) for key, (field, value) in asked.items() if value is not None}
    return _checked_schedule(dataclasses.replace(schedule, **asked))


def _passes(config, recipe) -> float:
    """Over the training images; 0: the steps do not depend on them."""
    value, key = recipe.get("passes"), "config.recipes.*.passes"
    if config.steps.passes is not None:
        value, key = config.steps.passes, "config.steps.passes"
    passes = typed(float | None, value, key) or 0
    if passes < 0:
        raise UserError(f"{key} must be at least 0, not {passes}")
    return passes


def _checked_schedule(schedule):
    if schedule.steps < 1:
        raise UserError(f"config.steps.train must be at least 1, not {schedule.steps}")
    typed(int, schedule.steps, "config.steps.train, for so many config.steps.passes,")
    for field in ("learning_rate", "swa_learning_rate"):
        if (value := getattr(schedule, field)) is not None and not value >= 0:
            raise UserError(f"config.optimizer.{field} must be at least 0, not {value}")
    if not 0 <= schedule.momentum < 1:
        raise UserError(f"config.optimizer.momentum must be in [0, 1), not {schedule.momentum}")
    if schedule.swa and not 1 <= schedule.swa_period <= schedule.swa_steps:
        allowed = f"from 1 to config.steps.swa ({schedule.swa_steps})"
        raise UserError(f"config.steps.swa_period must be {allowed}, not {schedule.swa_period}")
    return schedule


def _attack(config, preset) -> Attack:
    values = config.attack.to_dict()
    presets = (*ATTACKS, *(SUITES.keys() - {"core"}))
    values["preset"] = choose("attack preset", values["preset"] or preset, presets)
    budget = QUICK_BUDGET if values["preset"] == "quick" else _headline(values).entry.budget
    open_values = {key: value for key, value in vars(budget).items() if values[key] is None}
    if "step_size" in open_values and isinstance(values["epsilon"], int | float):
        # Longer than epsilon, steps would leap from corner to corner of the ball: a weak attack.
        open_values["step_size"] = values["epsilon"] / (budget.epsilon / budget.step_size)
    return filled(Attack, values | open_values, "config.attack")


def _headline(values) -> AttackRef:
    """The first attack of a suite, or the one that is named."""
    if values["preset"] == "adaptive":
        return HEADLINE
    if values["preset"] != "suite":
        return AttackRef(values["preset"])
    return WHOLE[0] if values["suite"] is None else AttackRef.parse(next(iter(values["suite"]), str(HEADLINE)))
