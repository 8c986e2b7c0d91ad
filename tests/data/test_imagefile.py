"""Every kind of image file, read by TensorFlow to the pixels that Pillow gives."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageFile, ImageOps

from reno_tf.data.imagefile import ImageError, limit_pixels, normalize


def _scene(mode="RGB", size=(53, 38)):
    """Smooth colours with noise, odd in both sizes, so that subsampled chroma shows."""
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(0, 256, (5, 7, 4), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    noisy = np.clip(np.asarray(rough, np.int64) + rng.integers(-9, 10, (size[1], size[0], 4)), 0, 255).astype(np.uint8)
    image = Image.fromarray(noisy)
    return image if mode == "RGBA" else Image.fromarray(noisy[..., :3]).convert(mode)


def _file(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _read(content):
    return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE").numpy()


def _pillow(content):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))


def _oriented(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


_KEPT = {
    f"{mode} {'progressive' if progressive else 'baseline'} {subsampling}": _file(
        _scene(mode), "JPEG", quality=85, progressive=progressive, subsampling=subsampling
    )
    for mode in ("RGB", "L")
    for progressive in (False, True)
    for subsampling in ("4:4:4", "4:2:2", "4:2:0")
}
_KEPT["upright EXIF"] = _file(_scene(), "JPEG", exif=_oriented(1))
_KEPT["two pictures"] = _file(_scene(), "MPO", save_all=True, append_images=[_scene("L").convert("RGB")])
_KEPT["something behind the end"] = _file(_scene(), "JPEG") + b"behind"

_PALETTE = _scene().quantize(17)
_MADE_PNG = {
    "PNG": _file(_scene(), "PNG"),
    "PNG grey": _file(_scene("L"), "PNG"),
    "PNG bilevel": _file(_scene("1"), "PNG"),
    "PNG palette": _file(_PALETTE, "PNG"),
    "WebP": _file(_scene(), "WEBP", quality=80),
    "WebP lossless": _file(_scene(), "WEBP", lossless=True),
    "BMP": _file(_scene(), "BMP"),
    "BMP palette": _file(_PALETTE, "BMP"),
    "GIF": _file(_PALETTE, "GIF"),
    "JPEG CMYK": _file(_scene("CMYK"), "JPEG"),
    **{f"JPEG turned {number}": _file(_scene(), "JPEG", exif=_oriented(number)) for number in range(2, 9)},
    "PNG turned": _file(_scene(), "PNG", exif=_oriented(6)),
    "WebP turned": _file(_scene(), "WEBP", exif=_oriented(8)),
}


@pytest.mark.parametrize("content", _KEPT.values(), ids=_KEPT)
def test_plain_jpeg_is_kept_and_reads_as_pillow_reads_it(content):
    assert normalize(content) == content
    np.testing.assert_array_equal(_read(content), _pillow(content))


@pytest.mark.parametrize("content", _MADE_PNG.values(), ids=_MADE_PNG)
def test_others_become_png_and_read_as_pillow_reads_them(content):
    made = normalize(content)
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(_read(made), _pillow(content))
    np.testing.assert_array_equal(tf.io.decode_image(made, channels=3), _pillow(content))


def _ycck():
    """Pillow writes CMYK only; the Adobe marker's last byte makes the same components YCCK."""
    content = _file(_scene("CMYK"), "JPEG")
    at = content.index(b"Adobe")
    assert content[at + 11] == 0
    return content[: at + 11] + b"\2" + content[at + 12 :]


def test_ycck():
    assert (_pillow(_ycck()) != _pillow(_MADE_PNG["JPEG CMYK"])).any()
    np.testing.assert_array_equal(_read(normalize(_ycck())), _pillow(_ycck()))


def test_turned_by_hand():
    turned = _read(normalize(_MADE_PNG["JPEG turned 6"]))  # 6: the camera was turned; rotate clockwise to show
    np.testing.assert_array_equal(turned, np.rot90(_read(_file(_scene(), "JPEG")), -1))


def test_first_frame_of_an_animation():
    frames = [_PALETTE, Image.new("P", _PALETTE.size, 3)]
    for kind in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        made = normalize(_file(frames[0].convert("RGB"), kind, save_all=True, append_images=frames[1:], **options))
        assert np.abs(_read(made).astype(int) - np.asarray(frames[0].convert("RGB"))).max() == 0, kind


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_parts_are_white(kind):
    image = np.asarray(_scene("RGBA")).copy()
    image[:4, :, 3], image[4:8, :, 3] = 0, 255
    read = _read(normalize(_file(Image.fromarray(image), kind, **({"lossless": True} if kind == "WEBP" else {}))))
    assert (read[:4] == 255).all()
    np.testing.assert_array_equal(read[4:8], image[4:8, :, :3])
    alpha = image[..., 3:] / 255
    assert np.abs(read - (image[..., :3] * alpha + 255 * (1 - alpha))).max() <= 1


def test_transparent_grey_and_palette_are_white():
    grey = Image.merge("LA", (Image.new("L", (4, 2), 7), Image.new("L", (4, 2), 0)))
    palette = Image.new("P", (4, 2), 1)
    palette.putpalette([0, 0, 0, 200, 10, 10])
    for content in (_file(grey, "PNG"), _file(palette, "PNG", transparency=1), _file(palette, "GIF", transparency=1)):
        assert (_read(normalize(content)) == 255).all()


def test_sixteen_bits_keep_the_high_byte():
    grey = np.arange(0, 65536, 3001, dtype=np.uint16).reshape(2, -1)
    read = _read(normalize(_file(Image.fromarray(grey), "PNG")))
    np.testing.assert_array_equal(read, np.repeat((grey // 256)[..., None], 3, -1))


def test_sixteen_bits_are_white_where_one_value_is_transparent():
    grey = np.array([[0, 300, 65535], [300, 301, 40000]], np.uint16)
    read = _read(normalize(_file(Image.fromarray(grey), "PNG", transparency=300)))
    np.testing.assert_array_equal(read[..., 0], [[0, 255, 255], [255, 1, 156]])


def _png_claiming(width, height):
    """A small PNG whose header claims a size."""
    content = _file(_scene(), "PNG")
    header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


_JPEG = _file(_scene(size=(200, 200)), "JPEG")
_BROKEN = {
    "empty": (b"", "empty file"),
    "text": (b"404 Not Found", "not a JPEG, PNG, WebP, BMP or GIF image"),
    "web page": (b"<html>404 Not Found</html>", "a web page, not the file itself"),
    "other format": (_file(_scene(), "TIFF"), "not a JPEG, PNG, WebP, BMP or GIF image"),
    "half a JPEG": (_JPEG[: len(_JPEG) // 2], "truncated"),
    "start of a JPEG": (_JPEG[:20], None),
    "half a PNG": (_file(_scene(), "PNG")[:900], "truncated"),
    "half a WebP": (_file(_scene(), "WEBP")[:200], None),
    "half a GIF": (_file(_PALETTE, "GIF")[:300], None),
    "half a BMP": (_file(_scene(), "BMP")[:900], "truncated"),
    "too large": (_png_claiming(10_000, 9_000), "more than 89478485 pixels"),
    "far too large": (_png_claiming(100_000, 100_000), "more than 89478485 pixels"),
}


@pytest.mark.parametrize("content,reason", _BROKEN.values(), ids=_BROKEN)
def test_broken_files_say_why(content, reason):
    with pytest.raises(ImageError, match=reason) as raised:
        normalize(content)
    assert str(raised.value) and "\n" not in str(raised.value) and "BytesIO" not in str(raised.value)


def test_every_cut_of_a_jpeg_is_refused_or_reads_as_pillow_reads_it():
    content = _file(_scene(size=(40, 30)), "JPEG")
    refused = 0
    for end in range(len(content)):
        try:
            made = normalize(content[:end])
        except ImageError:
            refused += 1
        else:
            np.testing.assert_array_equal(_read(made), _pillow(content[:end]))
    assert refused > len(content) - 10


def test_jpegs_that_only_pillow_reads_become_png():
    content = _file(_scene(size=(40, 30)), "JPEG")
    made_png = 0
    for at in range(content.index(b"\xff\xda") + 20, len(content) - 2):  # a stray marker in the scan
        damaged = content[:at] + b"\xff" + content[at + 1 :]
        try:
            made = normalize(damaged)
        except ImageError:
            continue
        made_png += made != damaged
        np.testing.assert_array_equal(_read(made), _pillow(damaged))
    assert made_png > 10


def test_reader_that_fails_without_a_word(monkeypatch):
    def fail(*args, **options):
        raise EOFError

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(ImageError, match="^EOFError$"):
        normalize(b"some file")


def test_damaged_exif_is_no_reason_to_refuse_an_image():
    content = _file(_scene(), "JPEG", exif=b"Exif\0\0" + b"neither II nor MM")
    assert normalize(content) == content


def test_image_is_turned_though_its_other_exif_data_is_damaged():
    exif = _oriented(6)
    exif[0x010E] = "text"
    damaged = exif.tobytes().replace(b"\x01\x0e", b"\x01\x4e")  # Text where Pillow expects a number.
    content = _file(_scene(), "JPEG", exif=damaged)
    with pytest.raises(struct.error):
        _pillow(content)
    np.testing.assert_array_equal(_read(normalize(content)), np.rot90(_read(content), -1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_an_image_of_more_pixels_than_allowed_is_refused_before_it_is_decoded(kind, monkeypatch):
    content = _file(_scene(), kind)
    before = Image.MAX_IMAGE_PIXELS
    with monkeypatch.context() as patch, limit_pixels(52 * 38):
        patch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("decoded"))
        with pytest.raises(ImageError, match=r"^more than 1976 pixels$"):
            normalize(content)
    assert normalize(content) and before == Image.MAX_IMAGE_PIXELS
