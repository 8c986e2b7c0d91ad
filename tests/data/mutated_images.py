"""Damages image files in 10 000 ways: each must be read as Pillow and TensorFlow both read it, or refused in one line.

python tests/data/mutated_images.py [--mutants=10000] [--seed=0]      # writes results/mutated_images.json
"""

import argparse
import collections
import concurrent.futures
import io
import json
import multiprocessing
import random
import signal
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

_ROOT = Path(__file__).parents[2]
_SECONDS = 20  # for one image
_KINDS = {
    "JPEG": ("RGB", {}),
    "progressive JPEG": ("RGB", {"progressive": True}),
    "grey JPEG": ("L", {}),
    "CMYK JPEG": ("CMYK", {}),
    "PNG": ("RGB", {}),
    "transparent PNG": ("RGBA", {}),
    "grey PNG": ("L", {}),
    "GIF": ("P", {}),
    "BMP": ("RGB", {}),
    "WebP": ("RGB", {}),
    "lossless WebP": ("RGBA", {"lossless": True}),
}


def whole_files() -> dict[str, bytes]:
    rng, files = np.random.default_rng(0), {}
    for name, (mode, options) in _KINDS.items():
        smooth = Image.fromarray(rng.integers(0, 256, (5, 7, 3), np.uint8)).resize((53, 41))
        content, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = 6  # Turned by a quarter.
        options = options | ({"exif": exif} if "JPEG" in name else {})
        smooth.convert(mode).save(content, name.split()[-1], **options)
        files[name] = content.getvalue()
    return files


def damaged(content: bytes, draw: random.Random) -> bytes:
    """One to four changes: bytes replaced, cut out, doubled, set to extremes, or the file cut short."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(max(len(changed), 1))
        # Half of the changes hit the header, where sizes and kinds stand.
        place = min(place, 64) if draw.random() < 0.5 else place
        length, way = draw.randint(1, 12), draw.randrange(6)
        if way == 0:
            changed[place : place + length] = draw.randbytes(length)
        elif way == 1:
            del changed[place : place + length]
        elif way == 2:
            changed[place:place] = changed[place : place + length]
        elif way == 3:
            changed[place : place + length] = bytes([draw.choice((0, 127, 128, 255))]) * length
        elif way == 4 and place < len(changed):
            changed[place] ^= 1 << draw.randrange(8)
        else:
            del changed[place + length :]
    # A PNG's checksums refuse nearly every change, so half of them are made to fit again.
    return resealed(bytes(changed)) if content[1:4] == b"PNG" and draw.random() < 0.5 else bytes(changed)


def resealed(content: bytes) -> bytes:
    """The PNG with checksums that fit its chunks, as far as it has chunks."""
    sealed, place = bytearray(content), 8
    while place + 12 <= len(sealed):
        end = place + 8 + int.from_bytes(sealed[place : place + 4])
        if end + 4 > len(sealed):
            break
        sealed[end : end + 4] = zlib.crc32(sealed[place + 4 : end]).to_bytes(4)
        place = end + 4
    return bytes(sealed)


def outcome(content: bytes) -> str:
    """ "read", "refused", or what went wrong."""
    from reno_tf.data import imagefile, transforms  # Before TensorFlow, and not in the process that only counts.

    import tensorflow as tf  # isort: skip

    signal.alarm(_SECONDS)
    try:
        kept = imagefile.normalize(content)
        seen = transforms.decode(tf.constant(kept)).numpy()
        with Image.open(io.BytesIO(kept)) as image:
            same = np.array_equal(np.asarray(image.convert("RGB")), seen)
        return "read" if same and seen.size else "TensorFlow and Pillow disagree"
    except imagefile.ImageError as error:
        return "refused" if "\n" not in str(error) and str(error) else "refused in more than one line"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.alarm(0)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--mutants", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=0)
    arguments = options.parse_args()
    draw, files = random.Random(arguments.seed), whole_files()
    names = [draw.choice(sorted(files)) for _ in range(arguments.mutants)]
    mutants = [damaged(files[name], draw) for name in names]
    # A crash breaks the pool, with an error; so does a hang, which the alarm ends.
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(outcome, mutants, chunksize=100))
    counts = {name: collections.Counter() for name in sorted(files)}
    for name, told in zip(names, found, strict=True):
        counts[name][told] += 1
    wrong = sum(count for one in counts.values() for told, count in one.items() if told not in ("read", "refused"))
    told = {"mutants": len(mutants), "seed": arguments.seed, "wrong": wrong, "outcomes": counts}
    (_ROOT / "results" / "mutated_images.json").write_text(json.dumps(told, indent=2) + "\n")
    print(json.dumps(told, indent=2))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
