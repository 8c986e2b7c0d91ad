"""The same cases in PyTorch, in its own habits: decay in the optimizer, attack on normalised images."""

import numpy as np
import torch
from torch.nn import functional

from parity import cases
from parity.networks import network
from parity.states import random_images, random_state
from reno_tf import models
from reno_tf.models import torch_import

_MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
_STD = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


def build(name):
    net = network(name, cases.CLASSES).eval()
    shapes = {key: tuple(value.shape) for key, value in net.state_dict().items() if value.ndim}
    state = {key: torch.from_numpy(value) for key, value in random_state(shapes).items()}
    counters = {key: value for key, value in net.state_dict().items() if not value.ndim}
    net.load_state_dict(state | counters, strict=True)
    return net


def normalized(images):
    return (torch.from_numpy(images).permute(0, 3, 1, 2) - _MEAN) / _STD


def lite_normalized(images):
    """EfficientNet-Lite's: (x - 127) / 128 of 0 to 255."""
    return (255 * torch.from_numpy(images).permute(0, 3, 1, 2) - 127) / 128


def channels_last(value):
    return value.detach().permute(0, 2, 3, 1).numpy() if value.ndim == 4 else value.detach().numpy()


def features(name):
    net, found, enter = build(name), {}, lite_normalized if "lite" in name else normalized
    for height, width in cases.SIZES:
        outputs = net(enter(random_images(2, height, width)))
        found |= {f"{height}x{width} {output}": channels_last(value) for output, value in outputs.items()}
    return found


def delta_step():
    teacher, student = build("resnet18").double(), build("resnet18").double().train()
    before = {key: value.clone() for key, value in student.state_dict().items()}
    optimizer = torch.optim.SGD(
        student.parameters(), cases.RATE, momentum=0.9, weight_decay=cases.DELTA["weight_decay"]
    )
    x = normalized(random_images(*cases.SMALL)).double()
    with torch.no_grad():
        targets = teacher(x)
    outputs = student(x)
    distance = sum((outputs[f"stage{i}"] - targets[f"stage{i}"]).square().mean() for i in range(1, 5))
    cross_entropy = functional.cross_entropy(outputs["logits"], torch.from_numpy(cases.LABELS))
    head = sum(weight.square().sum() for weight in student.fc.parameters()) / 2
    loss = cross_entropy + cases.DELTA["feature_weight"] * distance + cases.DELTA["head_decay"] * head
    decay = sum(weight.detach().square().sum() for weight in student.parameters()) / 2
    terms = {
        "loss": loss + cases.DELTA["weight_decay"] * decay,
        "cross_entropy": cross_entropy,
        "feature_distance": cases.DELTA["feature_weight"] * distance,
    }
    loss.backward()
    optimizer.step()
    changes = {key: (value - before[key]).numpy() for key, value in student.state_dict().items()}
    ours = models.build("resnet18", num_classes=cases.CLASSES)  # For its names and axes alone.
    return {name: term.detach().numpy() for name, term in terms.items()} | torch_import.convert(
        changes, ours, origin="torch"
    )


def attack_steps():
    net, found = build("resnet18"), {}
    images, start = (normalized(value) for value in cases.attack_start())

    def objective(x):
        penultimate = net(x)["penultimate"]
        return (penultimate[:, 0] - 1000).square() + 0.1 * penultimate[:, 1:].square().mean(1)

    x = start.clamp(-2.2, 2.2)
    for number in range(1, cases.STEPS + 1):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(objective(x).sum(), x)
        x = images + (x - 0.01 * gradient.sign() - images).clamp(-0.1, 0.1)
        x = x.clamp(-2.2, 2.2)
        found[f"images {number}"] = channels_last(x * _STD + _MEAN)
        found[f"objective {number}"] = objective(x).detach().numpy().astype(np.float32)
    return found


CASES = {name: lambda name=name: features(name) for name in cases.NETWORKS}
CASES |= {"delta_step": delta_step, "attack_steps": attack_steps}
