"""--mode=inspect: what a model file says of itself, without data."""

import numpy as np

from reno_tf import audit as foreign
from reno_tf import records
from reno_tf.commands import lineage
from reno_tf.errors import UserError
from reno_tf.reporting import sentences

_SIDE = 224  # pixels, where the model takes any
_BAR = 20  # characters for a relative distance of 1


def inspect(config, *, student: str | None = None, trust: bool = False) -> None:
    """Prints what the model in the file or folder `student` takes and gives, each on a line.

    An audit finds what needs labelled images: the range, the geometry and the order of the labels.
    Raises UserError if it is not a classifier of colour images, or not safe to open.
    """
    if student is None:
        raise UserError(f"--mode=inspect needs --student=PATH: {foreign.FORMATS}")
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
    if (traced := lineage.trace(opened)) is not None:
        size_text = f"{opened.height}²" if opened.height and opened.height == opened.width else ""
        facts = records.to_json(traced.facts())
        print(f"comes from  {sentences.of_lineage(facts, size_text)}")
        for stage in (facts["nearest"] or {"stages": []})["stages"]:
            print(f"        {_stage(stage)}")
    if not np.allclose(scores, again, rtol=1e-3, atol=1e-4):
        print("        it gives a different answer each time")


def _stage(row) -> str:
    """A stage's line: how far its kernels are from the public ones, as a bar too."""
    distance = row["distance"]
    bar = "" if distance is None else "#" * round(_BAR * min(distance, 1.0))
    moved = "no kernels" if distance is None else f"relative distance {distance:.2g}"
    return f"stage {row['stage']}: {row['num_equal']} of {row['num_layers']} public, {moved} {bar}".rstrip()
