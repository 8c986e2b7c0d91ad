"""A small network of every way to normalise images: Keras's families, and this package's own."""

import functools

import tf_keras

from reno_tf import models
from reno_tf.models import keras_applications, layers
from reno_tf.models.backbone import Backbone

SIZE = 8
# What a network of the family does to images in [0, 1].
FAMILIES = {
    "torch": lambda images: layers.normalize(images, **layers.IMAGENET),
    "small": lambda images: layers.normalize(images, **layers.SMALL),
    "0..1": lambda images: layers.normalize(images, mean=[0.0] * 3, std=[1.0] * 3),
    "-1..1": lambda images: keras_applications._preprocess(images, tf_keras.applications.MobileNetV2),
    "0..255": lambda images: keras_applications._preprocess(images, tf_keras.applications.MobileNetV3Small),
    "caffe": lambda images: keras_applications._preprocess(images, tf_keras.applications.ResNet50),
}


@functools.cache
def network(family):
    """Like `toy`, one for all tests: none may train it."""
    return toy(family, num_classes=3, seed=3)


def toy(family, *, seed, num_classes=None, dropout=0.0):
    """Images [B, 8, 8, 3] -> stage1 [B, 4, 4, 6], penultimate [B, 6], logits."""

    def toy_layers(images, stages):
        return stages(tf_keras.layers.LeakyReLU()(layers.conv_norm(FAMILIES[family](images), 6, 3, 2, "first")))

    model = Backbone(toy_layers).build("toy", num_classes=num_classes, dropout=dropout, image_size=SIZE)
    models.initialize(model, seed)
    return model
