"""Templates to text, with the signs of Markdown and LaTeX escaped; pictures to bytes."""

import base64
import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import jinja2
import matplotlib
from matplotlib.figure import Figure
from PIL import Image

from reno_tf.data import leaks
from reno_tf.reporting import metrics, sentences

_METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}  # The same picture is the same bytes.
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
_MARKDOWN = str.maketrans(
    {character: f"\\{character}" for character in "\\`*[]|"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)


def plain(text: str) -> str:
    """The text for a picture, where "$" does not begin mathematics."""
    return text.replace("$", r"\$")


def tex(text: str) -> str:
    """The text as LaTeX shows it."""
    return text.translate(str.maketrans(_LATEX))


def markdown(content):
    """The content with its texts as Markdown shows them, on one line each: names of classes and files are data."""
    if isinstance(content, dict):
        return {key: markdown(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [markdown(value) for value in content]
    return " ".join(content.translate(_MARKDOWN).split()) if isinstance(content, str) else content


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text cells as a Markdown table."""
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def hash_source(script: str) -> str:
    """How a page's Content-Security-Policy names this inline script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def load_template(template: str, package: str = __package__, **filters) -> jinja2.Template:
    """The template of that name, of the package or else of this one; in HTML the values are escaped.

    filters: others that it uses.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in dict.fromkeys((package, __package__))]),
        autoescape=template.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    usual = (metrics.percent, metrics.percents, metrics.number, metrics.plural, metrics.attack_named)
    usual += (tex, markdown_table, hash_source)
    environment.filters |= {function.__name__: function for function in usual}
    environment.filters |= {
        "check": sentences.of_check,
        "lineage": sentences.of_lineage,
        "not_from": sentences.of_teacher,
        "leaks": leaks.sentence,
        **filters,
    }
    return environment.get_template(template)


def render_template(template: str, **values) -> str:
    """The template of that name with these values in it."""
    return load_template(template).render(**values).rstrip("\n") + "\n"


def subplots(rows: int = 1, columns: int = 1, *, size: tuple[float, float], **options):
    """A figure of that size, in inches, and its axes, with **options of `Figure.subplots`. Outside of pyplot."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def png(figure) -> bytes:
    """The figure."""
    return encode("", figure, ("png",))[".png"]


def encode(name: str, figure, kinds: tuple[str, ...] = ("png", "svg")) -> dict[str, bytes]:
    """{"<name>.png", "<name>.svg"} of the figure: bytes that depend only on name and figure."""
    buffers = {kind: io.BytesIO() for kind in kinds}
    with matplotlib.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # From a class's name in another script.
        for kind, buffer in buffers.items():
            figure.savefig(buffer, format=kind, dpi=130, metadata=_METADATA[kind])
    return {f"{name}.{kind}": buffer.getvalue() for kind, buffer in buffers.items()}


def webp(path: Path) -> bytes:
    """The picture as WebP: without loss where that is the smaller file. Raises OSError if it is not a picture."""
    with Image.open(path) as picture:
        flat = picture.convert("RGB")
    buffers = {io.BytesIO(): options for options in ({"lossless": True}, {"quality": 80})}
    for buffer, options in buffers.items():
        flat.save(buffer, "WEBP", **options)
    return min((buffer.getvalue() for buffer in buffers), key=len)


def inline(picture: bytes, kind: str) -> str:
    """The address of a picture that stands inside the page."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
