"""Checks images that are to beat a number of docs/benchmark.md, and says how many a student gets wrong.

    python tools/check_submission.py results/benchmark/digits/renofeation.json images.npz --student=EXPORT

images.npz has `images`, uint8 [N, height, width, 3]: the record's images, changed, in their order. EXPORT is the
SavedModel of a run of the record's method. Without it only the images are checked. Exits with 1 if they break a rule.
"""

import argparse
import json
import sys
import zipfile
from pathlib import Path

import numpy as np

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT)]

from reno_tf import settings  # noqa: E402  First: it selects Keras 2.

# isort: split
import tensorflow as tf  # noqa: E402

from reno_tf.errors import UserError, one_line  # noqa: E402
from reno_tf.evaluation.rates import accuracy, success  # noqa: E402
from tools.benchmark import attacked, planned_of  # noqa: E402

_ROUNDING = 1e-6  # of float32


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--student", help="the SavedModel of a run")
    parser.add_argument("--archives", default="", help="the folder of the archives of photographs")
    options = parser.parse_args()
    try:
        record = json.loads(options.record.read_text())
        clean, submitted = images_of(record, options.archives), read(options.images)
        print(check(record, clean, submitted))
        if options.student:
            print(outcome(options.student, clean, submitted))
    except (UserError, OSError, ValueError, KeyError) as error:
        sys.exit(f"{options.images}: {one_line(error)}")


def images_of(record: dict, archives: str):
    """The split that the record's attacks met. Raises UserError if it is not the same here."""
    plan = planned_of(record["sweep"], archives)
    rows = [row for row in plan.rows if (row.method, row.variant) == (record["method"], record["variant"])]
    if not rows:
        raise UserError(f"{record['sweep']} has no row {record['method']}{record['variant']}, which the record is of")
    planned = plan.run(rows[0], record["data"], 0, {})
    split = attacked(settings.read(planned.config, planned.method))
    if split.digest() != record["attacked_sha256"]:
        raise UserError(f"the images of {record['data']} here are not those of the record")
    return split


def read(path: Path) -> np.ndarray:
    """The array `images` of a .npz. Raises UserError if there is none."""
    try:
        arrays = np.load(path, allow_pickle=False)
        if "images" in getattr(arrays, "files", ()):
            return arrays["images"]
    except (ValueError, EOFError, zipfile.BadZipFile):  # Another file, or a damaged one.
        pass
    raise UserError("it must be a .npz with `images`")


def check(record: dict, clean, submitted: np.ndarray) -> str:
    """What holds of the images. Raises UserError for a rule that they break."""
    images = np.asarray(clean.floats()[:])
    if submitted.dtype != np.uint8 or submitted.shape != images.shape:
        wanted = f"uint8 {list(images.shape)}"
        raise UserError(f"`images` must be {wanted}, not {submitted.dtype} {list(submitted.shape)}")
    changes = np.abs(submitted / 255 - images).max(axis=(1, 2, 3))
    if over := int((changes > record["epsilon"] + _ROUNDING).sum()):
        worst = f"the largest change is {changes.max():.4f}"
        raise UserError(f"{over} of {len(images)} images are changed by more than {record['epsilon']:g}: {worst}")
    return f"all {len(images)} images are within {record['epsilon']:g}; the largest change is {changes.max():.4f}"


def outcome(student: str, clean, submitted: np.ndarray) -> str:
    """How many of the images that the student gets right it gets wrong when they are changed."""
    ask = tf.saved_model.load(student).signatures["floats"]
    before, after = (_answers(ask, images) for images in (clean.floats(), submitted / 255))
    right, fooled = accuracy(clean.labels, before), success(clean.labels, before, after)
    return f"{_told(right)} right when unchanged; of those {_told(fooled)} wrong now"


def _answers(ask, images):
    batches = [np.asarray(images[start : start + 64], np.float32) for start in range(0, len(images), 64)]
    return np.concatenate([np.argmax(ask(images=tf.constant(batch))["logits"], axis=1) for batch in batches])


def _told(rate) -> str:
    return f"{rate.hits} of {rate.total} ({100 * rate.rate:.1f} %)"


if __name__ == "__main__":
    main()
