"""Image files of any kind, as bytes that TensorFlow and Pillow decode to the same pixels."""

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps, UnidentifiedImageError

from reno_tf import archives

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")


@contextlib.contextmanager
def limit_pixels(most: int) -> Iterator[None]:
    """Inside, an image with more pixels than that, width times height, is refused before it is decoded.

    The limit is Pillow's, of the whole process; the previous one holds again afterwards.
    """
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, most
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


class ImageError(Exception):
    """The reason why a file is not a readable image, in one short line."""


def normalize(content: bytes) -> bytes:
    """The image as a JPEG or PNG that TensorFlow and Pillow decode to the same pixels.

    The content tells the format, not the file's name. A grey or RGB JPEG is returned as it is if
    `tf.io.decode_jpeg(..., dct_method="INTEGER_ACCURATE")` gives Pillow's pixels. Any other image
    becomes a lossless RGB PNG of Pillow's pixels: upright by its EXIF data, the first frame of an
    animation, white where it is transparent, the high byte of 16-bit grey.

    Raises ImageError: no complete image of at most `PIL.Image.MAX_IMAGE_PIXELS` pixels.
    """
    pixels, is_plain_jpeg = _decode(content)
    with contextlib.suppress(tf.errors.InvalidArgumentError):  # TensorFlow refuses some files that Pillow reads.
        if is_plain_jpeg:
            decoded = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
            if np.array_equal(decoded, pixels):
                return content
    return png(pixels)


def png(pixels: np.ndarray) -> bytes:
    """uint8 [H, W, 3] as a PNG, at a lower level than Pillow's own: a little larger, and written much faster."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", compress_level=3)
    return content.getvalue()


def _decode(content):
    """Returns uint8 [H, W, 3] and whether it came from a grey or RGB JPEG."""
    if not content:
        raise ImageError("empty file")
    if reason := archives.stand_in(content[:100]):
        raise ImageError(reason.removeprefix("is "))
    try:
        # Pillow warns above MAX_IMAGE_PIXELS, and fails above twice as many; here both are too many.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                image.load()
                # MPO is a JPEG with a second picture behind the first.
                is_plain_jpeg = image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L")
                # It turns the pixels first, and then fails if it cannot rewrite damaged EXIF data.
                with contextlib.suppress(Exception):
                    ImageOps.exif_transpose(image, in_place=True)
                return np.asarray(_rgb(image)), is_plain_jpeg
    except UnidentifiedImageError:
        raise ImageError("not a JPEG, PNG, WebP, BMP or GIF image") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageError(f"more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except Exception as error:  # A damaged file makes Pillow's readers raise almost anything.
        raise ImageError(" ".join(str(error).split()) or type(error).__name__) from None


def _rgb(image):
    if image.mode.startswith("I;16"):  # Pillow's own conversion clips at 255.
        grey = np.asarray(image)
        clear = grey == image.info["transparency"] if "transparency" in image.info else False
        return Image.fromarray(np.where(clear, 255, grey >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
