"""Our side."""

from benchmarks.peers.states import random_state
from reno_tf import models
from reno_tf.models import torch_import

CLASSES = 5


def build(name):
    """Our network with the random weights, through the conversion that imports a state dict."""
    model = models.build(name, num_classes=CLASSES)
    values = torch_import.convert(random_state(torch_import.state_shapes(model)), model, origin="random_state")
    for key, weight in models.named_weights(model).items():
        weight.assign(values[key])
    return model
