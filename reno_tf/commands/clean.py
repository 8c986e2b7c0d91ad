"""--mode=clean: what this project keeps beside runs, with its size; and removes it if told to."""

import shutil
from pathlib import Path

import tensorflow_datasets as tfds

from reno_tf import files
from reno_tf.data import DATASETS


def clean(config, *, delete: bool = False) -> None:
    """Prints what is kept, each with its size: prepared data, adversarial sets and attackers' students.

    All of it is made again when it is needed. What tensorflow-datasets fetched for data sets of its own is not touched.
    `delete`: removes what is printed.
    """
    total = 0
    for kind, path in (*_prepared(config), *_crafted(config)):
        size = files.size(path)
        total += size
        print(f"{size / 1e6:9.1f} MB  {kind}  {path}")
        if delete:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    print(f"{total / 1e6:9.1f} MB  {'removed' if delete else 'in all; --delete removes it'}")


def _prepared(config):
    """Copies of data sets that are built here, and of users' folders."""
    root = Path(config.data.tfds_dir or tfds.core.constants.DATA_DIR).expanduser()
    for name, source in DATASETS.items():
        if source.origin != "download":
            copies = (root / source.builder.name).glob("*") if name == "folder" else [root / source.builder.name]
            yield from ((f"prepared {name}", path) for path in sorted(copies) if path.is_dir())


def _crafted(config):
    """Adversarial sets together, and each attacker's student."""
    cache = Path(config.attack.cache).expanduser() if config.attack.cache else None
    if cache and cache.is_dir():
        students = sorted(cache.glob("surrogate-*"))
        yield from (("attacker's student", path) for path in students)
        yield from (("adversarial set", path) for path in sorted(cache.iterdir()) if path.suffix in (".npy", ".json"))
