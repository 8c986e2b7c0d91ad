"""--mode=inspect: what a model file says of itself, without data."""

import numpy as np

from reno_tf import audit as foreign
from reno_tf.errors import UserError

_SIDE = 224  # pixels, where the model takes any


def inspect(config, *, student: str | None = None, trust: bool = False) -> None:
    """Prints what the model in the file or folder `student` takes and gives, each on a line.

    An audit finds what needs labelled images: the range, the geometry and the order of the labels.
    Raises UserError if it is not a classifier of colour images, or not safe to open.
    """
    if student is None:
        raise UserError(
            "--mode=inspect needs --student=PATH: a folder (SavedModel, KerasHub), or a .keras, .h5, .tflite or .onnx"
        )
    opened = foreign.open_model(student, trust=trust, scores=config.audit.scores)
    size = (opened.height or _SIDE, opened.width or _SIDE)
    noise = np.random.default_rng(0).uniform(0, 255, (4, *size, 3))
    (scores, near), (again, _) = (opened.answer(noise) for _ in range(2))
    kind = foreign.kind_of(scores, max(near, opened.near))
    sides = ["any" if side is None else str(side) for side in (opened.height, opened.width)]
    print(f"{student}: {opened.format}{', which can only be asked' if opened.can_only_be_asked else ''}")
    print(f"takes   images of {' x '.join(sides)} pixels, {'whole numbers' if opened.integers else 'floats'}")
    print(f"gives   {opened.num_outputs} {kind}, for {opened.num_classes} classes")
    print(f"holds   {', '.join(opened.layers) or 'no network or preprocessing that its file names'}")
    if not np.allclose(scores, again, rtol=1e-3, atol=1e-4):
        print("        it gives a different answer each time")
