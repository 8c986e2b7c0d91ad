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


def _models():
    """A small model of each library, those of KerasHub where it is installed."""
    import keras
    import tf_keras

    for library in (keras, tf_keras):
        layers = library.layers
        yield library.Sequential(
            [
                library.Input((8, 8, 3)),
                layers.Rescaling(1 / 255),
                layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
                layers.BatchNormalization(),
                layers.GlobalAveragePooling2D(),
                layers.Dense(3),
            ]
        )
    if importlib.util.find_spec("keras_hub"):
        import hubs

        yield hubs.classifier("vit")
        yield hubs.around(hubs.vit())


def main(count):
    import reno_tf  # noqa: F401  It chooses the Keras.
    from reno_tf import audit
    from reno_tf.errors import UserError

    opened = refused = 0
    models = list(_models())
    for which, model in enumerate(models):
        with tempfile.TemporaryDirectory() as folder:
            good, bad = Path(folder) / "good.keras", Path(folder) / "bad.keras"
            model.save(good)
            with zipfile.ZipFile(good) as archive:
                parts = {name: archive.read(name) for name in archive.namelist()}
            for number, config in enumerate(mutants(json.loads(parts["config.json"]), count // len(models), seed=1)):
                with zipfile.ZipFile(bad, "w") as archive:
                    for name, content in parts.items():
                        archive.writestr(name, json.dumps(config) if name == "config.json" else content)
                before = set(Path(folder).rglob("*"))
                try:
                    audit.open_model(str(bad))
                    opened += 1
                except UserError as mistake:
                    refused += 1
                    assert len(str(mistake).splitlines()) == 1, (which, number, str(mistake))
                assert set(Path(folder).rglob("*")) == before, (which, number)
    print(f"{opened} opened, {refused} refused in one line")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))  # tests/hubs.py
    main(int(sys.argv[1]) if sys.argv[1:] else 500)
