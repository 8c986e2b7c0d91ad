"""This package's templates to text; they may take macros from those of `reno_tf.reporting`."""

import jinja2

from reno_tf.reporting import rendering
from reno_tf.reproduction import verdicts


def load(template: str) -> jinja2.Template:
    """As `reno_tf.reporting.rendering.load` does."""
    return rendering.load(template, __package__, statistic=verdicts.statistic, rule=verdicts.rule)


def render(template: str, **facts) -> str:
    """The template of that name with `facts` in it."""
    return load(template).render(**facts).rstrip("\n") + "\n"
