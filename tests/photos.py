"""Photos for the tests: smooth random pictures of any size, encoded, and Pillow's view of them."""

import io

import numpy as np
from PIL import Image


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (height // 16 + 2, width // 16 + 2, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def swatch(number: int, mode: str = "RGB") -> Image.Image:
    """A small picture of one colour, another for each number; JPEG hardly changes it."""
    shade = np.random.default_rng(number).integers(0, 256, (1, 1, 3), np.uint8)
    return Image.fromarray(shade).resize((12 + number % 5, 9)).convert(mode)


def encode(image: Image.Image, form: str = "JPEG", **options) -> bytes:
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def write(root, files):
    """Writes below `root`, which it returns. files: path -> content, or a number to be encoded by the path's suffix."""
    kinds = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP", ".gif": "GIF"}
    for number, (name, content) in enumerate(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(swatch(number), kinds[path.suffix.lower()]) if content is None else content)
    return root


def pixels(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))


def torchvision_test_view(encoded: bytes, size: int) -> np.ndarray:
    """Resize(size * 256 / 224) and CenterCrop(size) in Pillow's own arithmetic."""
    image = Image.fromarray(pixels(encoded))
    width, height = image.size
    shorter = round(size * 256 / 224)
    if width < height:
        image = image.resize((shorter, int(shorter * height / width)), Image.Resampling.BILINEAR)
    else:
        image = image.resize((int(shorter * width / height), shorter), Image.Resampling.BILINEAR)
    left, top = (round((side - size) / 2) for side in image.size)
    return np.asarray(image.crop((left, top, left + size, top + size)))


def view(encoded: bytes, size: int, geometry: str) -> np.ndarray:
    """The whole image squashed, its centre cropped after its shorter side became `size`, or all of it between black."""
    image = Image.fromarray(pixels(encoded))
    if geometry == "squash":
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    side = min(image.size) if geometry == "crop" else max(image.size)
    image = image.resize([max(size * own // side, 1) for own in image.size], Image.Resampling.BILINEAR)
    left, top = (round((own - size) / 2) for own in image.size)
    return np.asarray(image.crop((left, top, left + size, top + size)))  # Pillow's crop is black outside of the image.
