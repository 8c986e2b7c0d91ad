"""Pictures as bytes: matplotlib's figures, and pictures made small enough to stand inside a page."""

import io
from pathlib import Path

import matplotlib
from PIL import Image

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

_METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}  # The same picture is the same bytes.


def png(figure) -> bytes:
    """The figure, which is closed."""
    return _encode(figure, "png")[0]


def png_and_svg(name: str, figure) -> dict[str, bytes]:
    """{"<name>.png", "<name>.svg"} of the figure, which is closed: bytes that name and figure alone decide."""
    with matplotlib.rc_context({"svg.hashsalt": name}):
        return dict(zip((f"{name}.png", f"{name}.svg"), _encode(figure, "png", "svg"), strict=True))


def webp(path: Path) -> bytes:
    """The picture as WebP: without loss where that is the smaller file. Raises OSError if it is none."""
    with Image.open(path) as picture:
        flat = picture.convert("RGB")
    buffers = {io.BytesIO(): options for options in ({"lossless": True}, {"quality": 80})}
    for buffer, options in buffers.items():
        flat.save(buffer, "WEBP", **options)
    return min((buffer.getvalue() for buffer in buffers), key=len)


def _encode(figure, *kinds):
    buffers = [io.BytesIO() for _ in kinds]
    for buffer, kind in zip(buffers, kinds, strict=True):
        figure.savefig(buffer, format=kind, dpi=130, metadata=_METADATA[kind])
    plt.close(figure)
    return [buffer.getvalue() for buffer in buffers]
