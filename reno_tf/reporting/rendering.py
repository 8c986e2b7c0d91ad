"""Templates to text."""

import base64

import jinja2

from reno_tf.reporting.numbers import number, percent, percents


def render(template: str, **facts) -> str:
    """The template of that name with `facts` in it; in HTML whatever they hold is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reno_tf.reporting"),
        autoescape=template.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "percents": percents, "number": number}
    return environment.get_template(template).render(**facts) + "\n"


def inline(picture: bytes, kind: str) -> str:
    """The address of a picture that stands inside the page."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
