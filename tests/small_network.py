"""main.py that also knows `small`, a narrow form of the embedded network: python small_network.py [--FLAG=VALUE ...]"""

import functools

from reno_tf import models
from reno_tf.models.backbone import Backbone


def _one_convolution(channels, stride):
    return ((channels, 3, stride),)


# Of the embedded network's form: each of its four stages is one convolution beside a shortcut.
_SHAPE = {"depths": (1, 1, 1, 1), "block": _one_convolution}
SMALL = Backbone(functools.partial(models.BACKBONES["resnet18_cifar"].layers, width=8, **_SHAPE))


def tiny(**options):
    """One with two channels at first, and so 16 penultimate features, for tests within a process."""
    return models.build("resnet18_cifar", **{"width": 2, **_SHAPE} | options)


def register():
    models.BACKBONES["small"] = SMALL


def weights(folder):
    """A file of weights for a teacher, in `folder`; written once, for another program may be reading it."""
    path = folder / "small.safetensors"
    if not path.exists():
        network = SMALL.build("small")
        models.initialize(network, 1)
        path.write_bytes(models.save(network))
    return path


def chosen(folder):
    """The flags of a program that has registered it: student and teacher are such networks."""
    return "--config.model.backbone=small", f"--config.model.weights={weights(folder)}"


if __name__ == "__main__":
    import main

    register()
    main.run()
