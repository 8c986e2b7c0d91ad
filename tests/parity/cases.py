"""What is compared, on our side: each case gives named arrays [B, ...] or scalars. Needs no PyTorch."""

import numpy as np
import tensorflow as tf
import tf_keras

from benchmarks.peers.own import build
from benchmarks.peers.states import random_images
from reno_tf import Transfer, attacks, methods, models
from reno_tf.attacks.descent import Descent
from reno_tf.training import optimizers

NETWORKS = ("resnet18", "resnet34", "resnet50", "resnet101", "mobilenet_v2")
NETWORKS += ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
SIZES = ((224, 224), (225, 193))
LABELS = np.array([0, 3, 1, 4])
SMALL = (4, 64, 64)  # The images of the training step and of the attack.
RATE = 0.1
DELTA = {"weight_decay": 1e-2, "head_decay": 0.3, "feature_weight": 0.7}
STEPS = 5


def features(name):
    """Every output at both sizes."""
    model = build(name)
    return {
        f"{height}x{width} {output}": value.numpy()
        for height, width in SIZES
        for output, value in model(random_images(2, height, width), training=False).items()
    }


def delta_step():
    """Loss terms of a step of DELTA, and by how much it changes each weight and moving statistic."""
    # A ReLU whose input is 0 but for rounding changes gradients by percents: they need float64. The
    # moving statistics are the float32 step's, whose fused BatchNorm is the one that users train with.
    tf_keras.backend.set_floatx("float64")
    try:
        exact = _delta_step()
    finally:
        tf_keras.backend.set_floatx("float32")
    moving = {name: value for name, value in _delta_step().items() if "/moving_" in name}
    return exact | moving


def _delta_step():
    student = build("resnet18")
    model = Transfer(student, build("resnet18"), methods.Delta(**DELTA))
    model.compile(optimizer=optimizers.SGD(RATE, momentum=0.9))
    before = {name: weight.numpy() for name, weight in models.named_weights(student).items()}
    terms = model.train_on_batch(random_images(*SMALL), LABELS, return_dict=True)
    changes = {name: weight.numpy() - before[name] for name, weight in models.named_weights(student).items()}
    return {name: np.array(terms[name]) for name in ("loss", "cross_entropy", "feature_distance")} | changes


def attack_start():
    """Images, and where their attack starts: uniform in the ball, all in [0, 1] pixels and beyond."""
    images = random_images(*SMALL)
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, images.shape) * models.layers.IMAGENET["std"]
    return images, (images + noise).astype(np.float32)


def attack_steps():
    """The images after each of the reference attack's first steps, and what it minimises there."""
    teacher = build("resnet18")
    (attack,) = attacks.build("reference", teacher, precision="float32").values()
    images, x = attack_start()
    found, limits = {}, attack._limits(tf.constant(images))._replace(steps=1)
    step = tf.function(lambda x: Descent().run(lambda x, number: attack.loss(x), images, x, limits))
    for number in range(1, STEPS + 1):
        x = step(x)
        found[f"images {number}"], found[f"objective {number}"] = x.numpy(), attack.loss(x).numpy()
    return found


CASES = {name: lambda name=name: features(name) for name in NETWORKS}
CASES |= {"delta_step": delta_step, "attack_steps": attack_steps}
