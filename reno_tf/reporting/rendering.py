"""Templates to text."""

import jinja2


def percent(value: float | None, interval: list | None = None) -> str:
    """0.1234 -> "12.3 %"; a rate over nothing is "undefined"."""
    if value is None:
        return "undefined"
    return f"{100 * value:.1f} %" + (f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]" if interval else "")


def render(template: str, **facts) -> str:
    """The template of that name with `facts` in it; in HTML whatever they hold is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reno_tf.reporting"),
        autoescape=template.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    return environment.get_template(template).render(**facts) + "\n"
