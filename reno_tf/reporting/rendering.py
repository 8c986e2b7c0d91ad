"""Templates to text, and text that Markdown and LaTeX would take for signs of their own."""

import base64
from collections.abc import Sequence

import jinja2

from reno_tf.reporting import metrics

_LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "λ": r"$\lambda$",
    "ε": r"$\varepsilon$",
}


def tex(text: str) -> str:
    """The text as LaTeX shows it."""
    return text.translate(str.maketrans(_LATEX))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text cells as a Markdown table."""
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def load(template: str) -> jinja2.Template:
    """The template of that name; in HTML whatever its facts hold is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reno_tf.reporting"),
        autoescape=template.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (metrics.percent, metrics.percents, metrics.number, metrics.statistic, metrics.rule, tex, markdown_table)
    environment.filters |= {function.__name__: function for function in filters}
    return environment.get_template(template)


def render(template: str, **facts) -> str:
    """The template of that name with `facts` in it."""
    return load(template).render(**facts).rstrip("\n") + "\n"


def inline(picture: bytes, kind: str) -> str:
    """The address of a picture that stands inside the page."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
