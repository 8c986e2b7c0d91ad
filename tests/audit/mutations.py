"""Mutants of a good model's config, each opened: python tests/audit/mutations.py [COUNT]

Ends with an error if one ends in anything but an opened model or one line.
"""

import copy
import importlib.util
import json
import random
import sys
import tempfile
import zipfile
from pathlib import Path

_VALUES = (
    *(None, True, -1, 0, 1e400, 10**6, "", "system", "../x", "\0", [], {}, [[]], {"a": 1}, "linear", "float16"),
    *(
        {"class_name": "Lambda", "config": {}},
        {"module": "os", "class_name": "system", "config": {}},
        {"module": "keras"},
    ),
    *({"class_name": "function", "config": "get_file", "module": "keras.utils"}, {"class_name": "__lambda__"}),
)
_KEYS = ("class_name", "module", "config", "registered_name", "dtype")


def mutants(config, count: int, *, seed: int):
    """`count` copies of the config with one to three changes each, at random places."""
    generator = random.Random(seed)
    for _ in range(count):
        mutant = copy.deepcopy(config)
        for _ in range(generator.randint(1, 3)):
            _change(mutant, generator)
        yield mutant


def _change(config, generator):
    places = list(_places(config))
    if not places:
        return
    parent, key = generator.choice(places)
    kind = generator.randrange(4)
    if kind == 0 and isinstance(parent, dict):
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[generator.choice(["class_name", "module", "config", "registered_name", "dtype"])] = generator.choice(
            _VALUES
        )
    elif kind == 2:
        parent[key] = copy.deepcopy(generator.choice(places)[0])
    else:
        parent[key] = copy.deepcopy(generator.choice(_VALUES))


def _places(config):
    items = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    for key, value in list(items):
        yield config, key
        yield from _places(value)


def main(count):
    import reno_tf  # noqa: F401  It chooses the Keras.

    sys.path.insert(0, str(Path(__file__).parents[1]))  # As pytest has it.
    opened, refused, forms = 0, 0, list(_forms())
    for form in forms:
        with tempfile.TemporaryDirectory() as folder:
            for number, config in enumerate(mutants(form.config, count // len(forms), seed=1)):
                path = form.write(Path(folder), config)
                before = set(Path(folder).rglob("*"))
                message = _refusal(path)
                opened, refused = opened + (message is None), refused + (message is not None)
                assert message is None or len(message.splitlines()) == 1, (form, number, message)
                assert set(Path(folder).rglob("*")) == before, (form, number)
    print(f"{opened} opened, {refused} refused in one line")


def _forms():
    """A small model in each form, those of KerasHub where it is installed."""
    import keras
    import tf_keras

    yield from (_Archive(_model(keras)), _Archive(_model(tf_keras)), _Folder(tf_keras))
    if importlib.util.find_spec("keras_hub"):
        import hubs

        yield from (_Archive(hubs.classifier("vit")), _Archive(hubs.around(hubs.vit())))


def _refusal(path) -> str | None:
    from reno_tf import audit
    from reno_tf.errors import UserError

    try:
        audit.open_model(path)
    except UserError as mistake:
        return str(mistake)


def _model(library):
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )


class _Archive:
    """A .keras file."""

    def __init__(self, model):
        with tempfile.TemporaryDirectory() as folder:
            model.save(f"{folder}/good.keras")
            with zipfile.ZipFile(f"{folder}/good.keras") as archive:
                self._parts = {name: archive.read(name) for name in archive.namelist()}
        self.config = json.loads(self._parts["config.json"])

    def write(self, folder, config) -> str:
        with zipfile.ZipFile(folder / "bad.keras", "w") as archive:
            for name, content in self._parts.items():
                archive.writestr(name, json.dumps(config) if name == "config.json" else content)
        return str(folder / "bad.keras")


class _Folder:
    """A model of TensorFlow.js."""

    def __init__(self, library):
        import tfjs

        self.config, self._content = tfjs.describe(_model(library), "uint8")

    def write(self, folder, config) -> str:
        (folder / "weights.bin").write_bytes(self._content)
        (folder / "model.json").write_text(json.dumps(config))
        return str(folder / "model.json")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 500)
