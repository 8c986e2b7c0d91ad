"""What tells a robust student from a broken attack: success over epsilon, the objective over the steps."""

import functools

import numpy as np

from reno_tf import attacks, progress
from reno_tf.evaluation import attacking
from reno_tf.evaluation import rates as evaluation
from reno_tf.settings import attack_names


def craft(config, entry: attacking.Entry, images, *, content: str) -> np.ndarray:
    """The entry's adversarial set, from the cache if it lies there. `content`: hash of the images."""
    return attacks.craft_once(
        entry.attack,
        images,
        teacher=entry.through,
        folder=config.attack.cache,
        content=content,
        limit=config.attack.cache_limit * 1e9,
        batch_size=config.attack.batch_size,
        progress=functools.partial(progress.bar, label=f"crafting {entry.name}", unit="batch"),
    )


def epsilon_curve(config, known: attacking.Known, split, results) -> list[dict]:
    """Success of the first attack, and of noise, at 0 and at multiples of epsilon, each with its interval.

    At epsilon 0 the random start is the image itself: a success there would be the measurement's own.
    """
    few = split.take(np.arange(min(config.curve.images, len(split))))
    content = few.digest()
    points = [{"epsilon": config.attack.epsilon, "num_images": len(split), **_rates(results)}]
    for factor in (0.0, *config.curve.factors):
        entry = attacking.build(config, attack_names(config)[0], known, **_changes(config, factor))[0]
        rates = evaluation.attack_success(
            known.models["student"][0],
            entry.attack,
            few,
            craft=lambda _, images, entry=entry, **__: craft(config, entry, images, content=content),
        )
        points.append({"epsilon": factor * config.attack.epsilon, "num_images": len(few), **_rates(rates)})
    return sorted(points, key=lambda point: point["epsilon"])


def _changes(config, factor):
    attack, epsilon = config.attack, factor * config.attack.epsilon
    # Where the steps would bind, not the ball, they grow with it.
    binds = epsilon > attack.steps * attack.step_size
    return {"epsilon": epsilon} | ({"step_size": factor * attack.step_size} if binds else {})


def convergence(config, entry: attacking.Entry, images) -> list[float]:
    """The objective's mean over the first batch, before each step and after the last."""
    batch = images[: config.attack.batch_size]
    return attacks.trace_once(entry.attack, batch, teacher=entry.through, folder=config.attack.cache)


def _rates(results):
    return {key: value for key, value in results.items() if "success_rate" in key or key == "num_attacked"}
