"""Trains a toy network on one device and on two, in a process of its own: python replicas.py OUT.json"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

import reno_tf
from configs.default import get_config
from reno_tf import data, models, settings, training
from reno_tf.commands.common import seed_everything
from reno_tf.errors import UserError
from reno_tf.models import layers
from reno_tf.models.backbone import Backbone
from reno_tf.training import averaging, distribution, history, own_swa

_STEPS = {"train": 4, "swa": 4, "swa_period": 2}
AVERAGED = ("renofeation", "inoculation")  # The first by the addons' class, the second by our own.


def _toy_layers(images, stages):
    x = stages(tf_keras.layers.ReLU()(layers.conv_norm(images, 4, 3, 1, "first")))
    return stages(tf_keras.layers.ReLU()(layers.conv_norm(x, 6, 3, 2, "second")))


def toy(*, num_classes=None, dropout=0.0, seed):
    model = Backbone(_toy_layers).build("toy", num_classes=num_classes, dropout=dropout, image_size=8)
    models.initialize(model, seed)
    return model


def toy_data():
    rng = np.random.default_rng(0)
    splits = [
        data.Split(rng.integers(0, 256, [size, 8, 8, 3], np.uint8), rng.integers(0, 3, size)) for size in (20, 7, 3)
    ]
    return data.Dataset("toy", ["a", "b", "c"], *splits, augment=data.random_affine)


def read(method, devices):
    config = get_config()
    config.steps.update(_STEPS)
    config.update(batch_size=8, interval=1, dropout=0.3, swa=method in AVERAGED)
    config.distribution = {1: "none", 2: "mirrored"}[devices]
    with config.unlocked():
        config.recipes.random.feature_scale = "relative"
        config.recipes.teacher.update(head_steps=2, mask_steps=2)
    return settings.read(config, method)


def run(method, devices, workdir):
    """The history, and the student's weights at the end."""
    chosen = read(method, devices)
    strategy = distribution.strategy(chosen.training.distribution, batch_size=chosen.training.batch_size)
    assert strategy.num_replicas_in_sync == devices
    with strategy.scope():
        student = toy(num_classes=3, dropout=chosen.training.dropout, seed=0)
        model = reno_tf.Transfer(student, toy(seed=1), chosen.method, seed=0)
    assert chosen.job.train(model, toy_data(), workdir) is student
    rows = [
        {key: value for key, value in row.items() if key not in ("phase", "seconds")}
        for row in training.read_history(workdir)
    ]
    weights = {name: weight.numpy().tolist() for name, weight in models.named_weights(student).items()}
    return {"history": rows, "weights": weights}


def run_killed_and_resumed(method, workdir):
    """As `run` on two devices, killed after the first step of the averaging phase and started again."""
    record = history.Record.on_epoch_end

    def record_and_die(callback, epoch, logs):
        record(callback, epoch, logs)
        if len(training.read_history(workdir)) == _STEPS["train"] + 1:
            raise KeyboardInterrupt

    history.Record.on_epoch_end = record_and_die
    try:
        run(method, 2, workdir)
    except KeyboardInterrupt:
        history.Record.on_epoch_end = record
    assert history.Record.on_epoch_end is record
    return run(method, 2, workdir)


def main(out):
    one = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [one, one])
    seed_everything(0)
    with tempfile.TemporaryDirectory() as folder:
        folders = (Path(folder) / str(number) for number in range(20))
        told = {"renofeation": [run("renofeation", devices, next(folders)) for devices in (1, 2)]}
        told["resumed"] = run_killed_and_resumed("renofeation", next(folders))
        averaging.swa_class = lambda: own_swa.SWA
        for name in ("delta_adversarial", "inoculation", "remos", "pubdef"):
            told[name] = [run(name, devices, next(folders)) for devices in (1, 2)]
    try:
        distribution.strategy("mirrored", batch_size=7)
    except UserError as error:
        told["uneven"] = str(error)
    try:
        run("seam", 2, None)
    except UserError as error:
        told["alone"] = str(error)
    Path(out).write_text(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
