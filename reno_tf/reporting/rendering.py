"""Templates to text."""

import base64

import jinja2

from reno_tf.reporting import escaping, numbers, verdicts


def load(template: str) -> jinja2.Template:
    """The template of that name; in HTML whatever its facts hold is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reno_tf.reporting"),
        autoescape=template.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (numbers.percent, numbers.percents, numbers.number, numbers.statistic, verdicts.rule)
    filters += (escaping.tex, escaping.markdown_table)
    environment.filters |= {function.__name__: function for function in filters}
    return environment.get_template(template)


def render(template: str, **facts) -> str:
    """The template of that name with `facts` in it."""
    return load(template).render(**facts).rstrip("\n") + "\n"


def inline(picture: bytes, kind: str) -> str:
    """The address of a picture that stands inside the page."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
