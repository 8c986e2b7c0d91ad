"""--mode=clean: what this project keeps beside runs, with its size; and removes it if told to."""

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow_datasets as tfds

from reno_tf import files
from reno_tf.attacks.cache import store
from reno_tf.data import DATASETS, prepared
from reno_tf.evaluation import surrogate


def clean(config, *, delete: bool = False) -> None:
    """Prints what is kept, each with its size: prepared data, adversarial sets and attackers' students.

    All of it is made again when it is needed. What others keep in these folders is not touched, nor what
    tensorflow-datasets fetched for data sets of its own. `delete`: removes what is printed.
    """
    total = 0
    for kind, path, remove in (*_prepared(config), *_crafted(config)):
        size = files.size(path)
        total += size
        print(f"{size / 1e6:9.1f} MB  {kind}  {path}")
        if delete:
            remove(path)
    print(f"{total / 1e6:9.1f} MB  {'removed' if delete else 'in all; --delete removes it'}")


def _prepared(config) -> Iterator[tuple[str, Path, Callable]]:
    """Copies of data sets that are built here, and of users' folders."""
    root = Path(config.data.tfds_dir or tfds.core.constants.DATA_DIR).expanduser()
    for name, source in DATASETS.items():
        if source.origin != "download":
            builds = prepared.own_builds(root, source.builder.name)
            yield from ((f"prepared {name}", path, prepared.remove) for path in builds)


def _crafted(config) -> Iterator[tuple[str, Path, Callable]]:
    """Adversarial sets together, and each attacker's student."""
    cache = Path(config.attack.cache).expanduser() if config.attack.cache else None
    if cache and cache.is_dir():
        unlink = functools.partial(Path.unlink, missing_ok=True)  # Another process deletes too.
        yield from (("attacker's student", path, shutil.rmtree) for path in surrogate.stored_students(cache))
        yield from (("adversarial set", path, unlink) for path in store.own_files(cache))
