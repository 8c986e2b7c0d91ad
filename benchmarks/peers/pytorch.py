"""PyTorch's side: images are its own, [B, 3, H, W]."""

import torch

from benchmarks.peers.networks import network
from benchmarks.peers.own import CLASSES
from benchmarks.peers.states import random_state

MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


def build(name):
    net = network(name, CLASSES).eval()
    shapes = {key: tuple(value.shape) for key, value in net.state_dict().items() if value.ndim}
    state = {key: torch.from_numpy(value) for key, value in random_state(shapes).items()}
    counters = {key: value for key, value in net.state_dict().items() if not value.ndim}
    net.load_state_dict(state | counters, strict=True)
    return net


def normalized(images):
    return (torch.from_numpy(images).permute(0, 3, 1, 2) - MEAN) / STD


def lite_normalized(images):
    """EfficientNet-Lite's: (x - 127) / 128 of 0 to 255."""
    return (255 * torch.from_numpy(images).permute(0, 3, 1, 2) - 127) / 128
