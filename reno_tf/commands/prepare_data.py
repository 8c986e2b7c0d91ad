"""--mode=prepare_data fetches, builds and checks a data set. --mode=list_data prints all data sets."""

import numpy as np

from reno_tf import data, settings
from reno_tf.commands import common


def prepare_data(config) -> None:
    """Builds `config.data.name` from the network or `config.data.dir`, decodes every image, and prints a summary."""
    dataset = common.load_data(settings.read_data(config), shots=0, fraction=1.0, validation_per_class=0, download=True)
    print(summary(dataset))


def summary(dataset) -> str:
    """The numbers of classes and images, the smallest class, and the unreadable files, a line each."""
    lines = [f"{dataset.name}: {len(dataset.class_names)} classes"]
    for name in dataset.unreadable:  # The published splits.
        split = getattr(dataset, name)
        counts = np.bincount(split.labels, minlength=len(dataset.class_names))
        smallest = dataset.class_names[counts.argmin()]
        lines.append(f"{name}: {len(split)} images; smallest class {smallest!r} with {counts.min()}")
        lines += [f"{name}: unreadable, dropped: {file}" for file in dataset.unreadable[name]]
    return "\n".join(lines)


def list_data(config) -> None:
    """Prints every data set with its sizes and its origin."""
    print(f"{'name':<12}{'classes':>8}{'train':>8}{'test':>8}  origin")
    for name, source in data.DATASETS.items():
        sizes = source.sizes or ("-", "-", "-")
        note = f" ({source.note})" if source.note else ""
        print(f"{name:<12}{sizes[0]:>8}{sizes[1]:>8}{sizes[2]:>8}  {source.origin}{note}")
