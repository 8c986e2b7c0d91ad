"""What tells a robust student from a broken attack: success over epsilon, the objective over the steps."""

from reno_tf import attacks
from reno_tf.evaluation import rates
from reno_tf.evaluation.suite import Target


def epsilon_curve(crafter, craft, target: Target, factors) -> list[dict]:
    """Success of an attack, and of noise, at multiples of its epsilon, each with its interval.

    At epsilon 0 the random start is the image itself: a success there would be the measurement's own.

    Args:
      craft: (crafter, target) -> adversarial images. factors: times the crafter's epsilon.
    """
    points, clean = [], rates.predict(target.student, target.images)
    for factor in factors:
        smaller = crafter.within(crafter.budget.scaled(factor))
        attacked = rates.predict(target.student, craft(smaller, target))
        noise = rates.predict(target.student, attacks.Noisy(smaller, target.images))
        counts = rates.success_rates(target.split.labels, clean, attacked, noise)
        points.append(curve_point(smaller.budget.epsilon, len(target.split), counts))
    return points


def curve_point(epsilon: float, num_images: int, counts: dict) -> dict:
    """A row of curve.json."""
    success = {key: value for key, value in counts.items() if "success_rate" in key or key == "num_attacked"}
    return {"epsilon": epsilon, "num_images": num_images, **success}


def convergence(crafter, target: Target, *, folder: str, digest: str, batch_size: int) -> list[float]:
    """The objective's mean over the first batch, before each step and after the last."""
    return attacks.trace_once(crafter, target.images[:batch_size], teacher=digest, folder=folder)


def exposure(crafter, craft, target: Target, factors) -> dict:
    """{epsilon: the student's answers to the attack's images, int64 [N]} at multiples of its epsilon."""
    budgets = [crafter.budget.scaled(factor) for factor in factors]
    return {budget.epsilon: rates.predict(target.student, craft(crafter.within(budget), target)) for budget in budgets}
