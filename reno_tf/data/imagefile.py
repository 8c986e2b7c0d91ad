"""Image files of any kind, as bytes that TensorFlow reads to the pixels that Pillow sees."""

import contextlib
import io
import warnings

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps, UnidentifiedImageError

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")


class ImageError(Exception):
    """Says in a few words why a file is not a readable image."""


def normalize(content: bytes) -> bytes:
    """The image as a JPEG or PNG that TensorFlow and Pillow read to the same pixels, whatever the file's name said.

    A grey or RGB JPEG that `tf.io.decode_jpeg(..., dct_method="INTEGER_ACCURATE")` reads as Pillow
    does is returned as it is. Anything else becomes a lossless RGB PNG: upright by its EXIF data, the
    first frame, on white where it is transparent, of 16-bit grey the high byte, and of a JPEG with
    damage that only Pillow passes over what Pillow sees.

    Raises:
      ImageError: not a whole image of at most `PIL.Image.MAX_IMAGE_PIXELS` pixels.
    """
    pixels, plain_jpeg = _decode(content)
    if plain_jpeg and _tensorflow_reads(content, pixels):
        return content
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    return png.getvalue()


def _decode(content):
    """Returns uint8 [H, W, 3] and whether it came from a grey or RGB JPEG."""
    if not content:
        raise ImageError("empty file")
    try:
        # More than MAX_IMAGE_PIXELS is a warning, twice as many an error; here both are too many.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                image.load()
                # MPO: the format of JPEGs with a second picture behind the first.
                plain = image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L")
                # It turns the pixels, then fails where it cannot write damaged EXIF data anew.
                with contextlib.suppress(Exception):
                    ImageOps.exif_transpose(image, in_place=True)
                return np.asarray(_rgb(image)), plain
    except UnidentifiedImageError:
        raise ImageError("not a JPEG, PNG, WebP, BMP or GIF image") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageError(f"more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except Exception as error:  # A damaged file makes Pillow's readers raise almost anything.
        raise ImageError(" ".join(str(error).split()) or type(error).__name__) from None


def _rgb(image):
    if image.mode.startswith("I;16"):  # Pillow would clip it at 255.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _tensorflow_reads(jpeg, expected):
    try:
        return np.array_equal(tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE"), expected)
    except tf.errors.InvalidArgumentError:
        return False
