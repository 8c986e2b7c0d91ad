"""The same cases in PyTorch, in its own habits: decay in the optimizer, attack on normalised images."""

import numpy as np
import torch
from torch.nn import functional

from benchmarks.peers.own import CLASSES
from benchmarks.peers.pytorch import MEAN, STD, build, lite_normalized, normalized
from benchmarks.peers.states import random_images
from parity import cases
from reno_tf import models
from reno_tf.models import torch_import


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
    ours = models.build("resnet18", num_classes=CLASSES)  # For its names and axes alone.
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
        found[f"images {number}"] = channels_last(x * STD + MEAN)
        found[f"objective {number}"] = objective(x).detach().numpy().astype(np.float32)
    return found


CASES = {name: lambda name=name: features(name) for name in cases.NETWORKS}
CASES |= {"delta_step": delta_step, "attack_steps": attack_steps}
