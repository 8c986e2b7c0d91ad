"""This package's templates to text; they may take macros from those of `reno_tf.reporting`."""

import jinja2

from reno_tf.reporting import rendering
from reno_tf.reproduction import verdicts


def load_template(template: str) -> jinja2.Template:
    """As `reno_tf.reporting.rendering.load_template` does."""
    return rendering.load_template(template, __package__, statistic=verdicts.statistic)


def render_template(template: str, **values) -> str:
    """The template of that name with `values` in it."""
    return load_template(template).render(**values).rstrip("\n") + "\n"
