"""Backbones that give their stages by name. A new family is one file of `Backbone`s, and one line here."""

import tf_keras

from reno_tf.errors import choose
from reno_tf.models import hub as _hub
from reno_tf.models import keras_applications as _keras_applications
from reno_tf.models import weights as _weights
from reno_tf.models.backbone import SpatialDropout2D, head_layer, stage_names, stage_shapes
from reno_tf.models.efficientnet_lite import EFFICIENTNET_LITES
from reno_tf.models.frozen import freeze, resolve_precision
from reno_tf.models.graph import convolution_activations
from reno_tf.models.hub import HUB
from reno_tf.models.keras_applications import KERAS_APPLICATIONS
from reno_tf.models.layers import normalization
from reno_tf.models.mixed_precision import as_float32, is_mixed, pays, policy
from reno_tf.models.mobilenet import MOBILENETS
from reno_tf.models.replicas import synchronize
from reno_tf.models.resnet import RESNETS
from reno_tf.models.weights import copy_backbone, initialize, locate, named_weights, save, sha256

BACKBONES = {**RESNETS, **MOBILENETS, **EFFICIENTNET_LITES, **KERAS_APPLICATIONS, **HUB}


def build(
    name: str,
    *,
    weights: str | None = None,
    num_classes: int | None = None,
    seed: int = 0,
    momentum: float = 0.9,
    precision: str = "float32",
    **options,
) -> tf_keras.Model:
    """Builds a backbone that gives all its features in one forward pass.

    Args:
      name: a key of `BACKBONES`.
      weights: a name in pretrained/manifest.json, a .safetensors file, or None: random, as torch draws them. Of
        "kerashub" the folder of a preset, which also says the architecture; with None, the option `preset` does.
      num_classes: size of the linear head, always random; None builds the backbone alone.
      seed: of the random weights.
      momentum: of every BatchNorm's moving statistics. torchvision's; Keras's own (0.99 to 0.999) average over
        more steps than a short training has.
      precision: "float32", or "mixed_bfloat16": bfloat16 feature maps between float32 weights, for
        training. Normalisation, BatchNorm's statistics, "penultimate" and "logits" stay float32. "auto": what is
        faster for the network on this hardware.
      **options: of `Backbone.build` (`dropout`, `tap`, `image_size`) and of the family.

    Returns:
      Images [B, H, W, 3] in [0, 1] -> {"stage1": [B, h, w, c], ..., "penultimate": [B, d]}, and "logits": [B, n].

    Raises UserError: unknown name or weights, or a file that is missing, altered or of another network.
    """
    backbone, is_hub = BACKBONES[choose("backbone", name, BACKBONES)], name == _hub.NAME
    if is_hub and weights is not None:
        options["preset"] = weights
    with policy(precision):
        model = backbone.build(name, num_classes=num_classes, **options)
    if precision == "auto" and not pays(model):
        as_float32(model)
    for layer in model._flatten_layers():
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = momentum
    initialize(model, seed)
    if weights is not None and is_hub:
        _hub.restore(model)
    elif weights is not None:
        path, _ = locate(name, weights)
        _weights.load(model, path, head=False)
    return model


def preprocess(name: str, images, *, weights: str | None = None):
    """Images [B, H, W, 3] in [0, 1] as the backbone's published preprocessing turns them; of KerasHub, the weights'."""
    if name in KERAS_APPLICATIONS:
        return _keras_applications.preprocess(name, images)
    mean, std = normalization(build(name, weights=weights if name == _hub.NAME else None))
    return (images - mean) / std
