"""Pictures made small enough to stand inside a page."""

import io
from pathlib import Path

from PIL import Image


def webp(path: Path) -> bytes:
    """The picture as WebP: without loss where that is the smaller file. Raises OSError if it is none."""
    with Image.open(path) as picture:
        flat = picture.convert("RGB")
    return min((_encoded(flat, lossless=True), _encoded(flat, quality=80)), key=len)


def _encoded(picture, **options):
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", **options)
    return buffer.getvalue()
