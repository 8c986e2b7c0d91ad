"""--mode=prepare_data: fetches, builds and checks a data set. --mode=list_data: what there is."""

import numpy as np

from reno_tf import settings
from reno_tf.commands import common
from reno_tf.data import DATASETS


def prepare_data(config) -> None:
    """Builds `config.data.name` from the network or from `config.data.dir`, looks at every image, prints a summary."""
    everything = {"shots": 0, "fraction": 1.0, "validation_per_class": 0}
    dataset = common.load_data(settings.read_data(config), **everything, download=True)
    print(summary(dataset))


def summary(dataset) -> str:
    """A few lines: classes, images, the smallest class, what was dropped."""
    lines = [f"{dataset.name}: {len(dataset.class_names)} classes"]
    for name in ("train", "test"):
        split, dropped = getattr(dataset, name), dataset.unreadable[name]
        counts = np.bincount(split.labels, minlength=len(dataset.class_names))
        smallest = dataset.class_names[counts.argmin()]
        lines.append(f"{name}: {len(split)} images; smallest class {smallest!r} with {counts.min()}")
        lines += [f"{name}: unreadable, dropped: {file}" for file in dropped]
    return "\n".join(lines)


def list_data(config) -> None:
    """Prints every data set with its sizes and where it comes from."""
    print(f"{'name':<12}{'classes':>8}{'train':>8}{'test':>8}  origin")
    for name, source in DATASETS.items():
        sizes = source.sizes or ("-", "-", "-")
        note = f" ({source.note})" if source.note else ""
        print(f"{name:<12}{sizes[0]:>8}{sizes[1]:>8}{sizes[2]:>8}  {source.origin}{note}")
