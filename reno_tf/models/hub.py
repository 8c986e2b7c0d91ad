"""Networks of KerasHub, read from a preset, with their stages found by rule.

KerasHub builds on Keras 3, this package on Keras 2. So a network is cut at the ends of its stages. Each part is one
layer here, which has weights of its own and computes what the part computes with those.
"""

import inspect
import json
import math
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf
import tf_keras

from reno_tf import archives, files, kerashub
from reno_tf.errors import UserError, one_line
from reno_tf.models import backbone, graph, layers

NAME = "kerashub"  # the key of `BACKBONES`
_CONFIG, _CONVERTER, _WEIGHTS = "config.json", "image_converter.json", "model.weights.h5"
_MOST_JSON = 10**6  # bytes
_PROBE = 224  # Side in pixels of the images on which resolutions are compared if the network takes any.
_STAGES = 4  # of a transformer with as many blocks
_FIRST_LEVEL = 2  # as in keras_applications


class Part(tf_keras.layers.Layer):
    """What a model of Keras 3 computes in inference mode, with weights of its own.

    Keras 2 trains, counts, saves and restores them as any layer's. They start as the model's.
    """

    def __init__(self, part, **options):
        super().__init__(dtype=tf_keras.backend.floatx(), **options)
        self._part = lambda: part  # Keras 2 would track an attribute.

    def build(self, input_shape):
        part = self._part()
        self._trained, self._fixed = (
            [self._own(variable, trainable) for variable in variables]
            for variables, trainable in ((part.trainable_variables, True), (part.non_trainable_variables, False))
        )
        super().build(input_shape)

    def _own(self, variable, trainable):
        value = variable.numpy()
        return self.add_weight(
            name=variable.path,
            shape=value.shape,
            dtype=value.dtype,
            initializer=lambda shape, dtype: tf.constant(value, dtype),
            trainable=trainable,
        )

    def call(self, x):
        outputs, _ = self._part().stateless_call(self._trained, self._fixed, x, training=False)
        return outputs

    @property
    def learns_otherwise(self) -> bool:
        """Whether it computes something else in training: it has BatchNorm, or dropout."""
        return bool(self._part().non_trainable_variables)

    def restore(self) -> None:
        """Gives it the weights of the preset."""
        part = self._part()
        variables = [*part.trainable_variables, *part.non_trainable_variables]
        for weight, variable in zip([*self._trained, *self._fixed], variables, strict=True):
            weight.assign(variable.numpy())

    def draw(self, generator_of) -> None:
        """Random weights: kernels U(-1/sqrt(fan_in), 1/sqrt(fan_in)), tokens and positions N(0, 0.02).

        Scales are 1, shifts and biases 0. `generator_of`: a weight's name -> a generator of NumPy.
        """
        for weight in self._trained:
            name, shape = weight.name.removesuffix(":0"), tuple(weight.shape)
            kind, generator = name.rpartition("/")[2], generator_of(name)
            if kind.endswith("kernel"):
                value = generator.uniform(-1, 1, shape) / math.sqrt(_fan_in(name, shape))
            elif kind in ("gamma", "scale"):
                value = np.ones(shape)
            else:
                value = np.zeros(shape) if kind in ("bias", "beta") else 0.02 * generator.standard_normal(shape)
            weight.assign(value.astype(np.float32))
        for weight in self._fixed:
            weight.assign(tf.ones_like(weight) if "moving_variance" in weight.name else tf.zeros_like(weight))


def _fan_in(name, shape) -> int:
    """How many inputs one output sums over. Some of an attention's kernels have two axes of outputs."""
    if name.endswith("depthwise_kernel"):
        return math.prod(shape[:2])
    splits_heads = any(f"/{part}/" in name for part in ("query", "key", "value"))
    return shape[0] if splits_heads else math.prod(shape[:-1])


def locate(preset: str) -> tuple[Path, str]:
    """(folder, SHA-256 of all that it holds) of a preset. Raises UserError if there is none."""
    folder = Path(preset).expanduser()
    if not (folder / _CONFIG).is_file():
        raise UserError(f"the weights of {NAME} are a preset, a folder that save_to_preset wrote: {preset} is not one")
    return folder, files.digest_path(folder)


class Hub(backbone.Backbone):
    """A network of KerasHub, from a preset."""

    def build(self, name, *, preset=None, num_classes=None, image_size=None, **options) -> tf_keras.Model:
        """As `Backbone.build`. `preset`: the folder.

        Raises UserError: no preset, another `image_size` than the network's, or a student with BatchNorm or dropout.
        """
        if preset is None:
            raise UserError(f"{name} needs a preset of KerasHub: its folder is given as the weights")
        folder, _ = locate(preset)
        network = _read(folder)
        shape = tuple(network.input.shape)
        side = shape[1]
        if shape[1:] != (side, side, 3):
            raise UserError(f"{folder} takes inputs of shape {shape}, not square colour images")
        if side is not None and image_size not in (None, side):
            raise UserError(f"{folder} takes images of {side} pixels, not of image_size={image_size}")
        model = super().build(
            name, num_classes=num_classes, image_size=side or image_size, network=network, preset=folder, **options
        )
        if num_classes is not None and any(part.learns_otherwise for part in parts(model)):
            raise UserError(
                f"{folder} has BatchNorm or dropout, which {name} has in inference mode alone: attacks go through it, "
                "training does not; for a student, the attacker's own too, take one of Keras Applications (keras_...)"
            )
        return model


def parts(model) -> list[Part]:
    """The layers that KerasHub's network consists of; none in other networks."""
    return [layer for layer in model.layers if isinstance(layer, Part)]


def restore(model) -> None:
    """Gives the model the weights of its preset."""
    for part in parts(model):
        part.restore()


def _hub_layers(images, stages, *, network, preset):
    x = layers.normalize(images, **_normalization(preset))
    *cut, rest = _token_parts(network) if _encoder(network) else _map_parts(network)
    for number, part in enumerate(cut, 1):
        x = stages(Part(part, name=f"part{number}")(x))
    return Part(rest, name="rest")(x) if rest else x


HUB = {NAME: Hub(_hub_layers)}


def _json(path) -> dict:
    archives.refuse_stand_in(path)
    with path.open("rb") as file:
        text = file.read(_MOST_JSON)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise UserError(f"{path} does not describe an object of Keras")
    return content


def _build(path, kind):
    """The object of KerasHub that the JSON file describes, of that kind, in float32.

    Raises UserError unless its settings are plain values.
    """
    content = _json(path)
    module, name, registered_name = (content.get(key) for key in ("module", "class_name", "registered_name"))
    found = kerashub.find_class(module, name, registered_name, str(path))
    settings = {key: value for key, value in content["config"].items() if key != "dtype"}
    if not issubclass(found, kind()) or not _is_plain(list(settings.values())):
        raise UserError(f"{path} does not describe {kind().__name__} of KerasHub alone")
    try:
        return found.from_config(settings)
    except Exception as error:  # Whatever its constructor raises.
        raise UserError(f"{path} cannot be built: {one_line(error)}") from None


def _is_plain(value) -> bool:
    """Whether it describes no object, so that nothing but numbers, texts and lists of them is read."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, int, float)) and ">" not in str(value)


def _read(folder):
    """The backbone in the preset with its weights, a model of Keras 3."""

    def kind():
        import keras_hub

        return keras_hub.models.Backbone

    network, weights = _build(folder / _CONFIG, kind), folder / _WEIGHTS
    if not weights.is_file():
        raise UserError(f"{folder} holds no {_WEIGHTS}: save the preset with max_shard_size=None")
    archives.refuse_stand_in(weights)
    try:
        with h5py.File(weights, "r") as file:
            archives.check_hdf5(file, str(weights), stored=weights.stat().st_size)
        network.load_weights(weights)
    except UserError:
        raise
    except Exception as error:  # Keras raises many kinds for weights that do not fit.
        raise UserError(f"{weights} gives no weights of {network.name}: {one_line(error)}") from None
    if len(network.inputs) != 1:
        raise UserError(f"{folder} takes {len(network.inputs)} inputs, not one batch of images")
    return network


def _normalization(folder) -> dict:
    """{mean, std} per channel, for images in [0, 1], of what the preset's converter does to images of 0 to 255."""

    def kind():
        import keras_hub

        return keras_hub.layers.ImageConverter

    if not (folder / _CONVERTER).is_file():
        raise UserError(f"{folder} holds no {_CONVERTER}: save it with its preprocessor, which says the images' range")
    converter = _build(folder / _CONVERTER, kind)
    try:
        scale = np.broadcast_to(1.0 if converter.scale is None else converter.scale, 3) * 255.0
        offset = np.broadcast_to(0.0 if converter.offset is None else converter.offset, 3)
        with np.errstate(all="ignore"):
            mean, std = 0.0 - offset / scale, 1 / scale
    except (TypeError, ValueError):
        mean = std = np.array([np.nan])
    if not np.isfinite([*mean, *std]).all():
        said = f"scale {converter.scale!r:.80}, offset {converter.offset!r:.80}"
        raise UserError(f"{folder / _CONVERTER} does not say how colours are scaled: {said}")
    return {"mean": mean.tolist(), "std": std.tolist()}


def _encoder(network):
    """The layer that has a transformer's blocks and ends with a normalisation, if there is one behind patches."""
    has_blocks = [
        layer for layer in network.layers if hasattr(layer, "encoder_layers") and hasattr(layer, "layer_norm")
    ]
    return has_blocks[0] if has_blocks and _num_patches(network) else None


def _token_parts(network) -> list:
    """A transformer cut after each quarter of its blocks, then its end.

    A stage is the sequence of tokens, [B, tokens, 1, width]. The end gives [B, 1, 1, 2 width]: the class token and the
    mean of the patches, after the last normalisation.
    """
    import keras
    from keras import ops

    encoder = _encoder(network)
    blocks, tokens = encoder.encoder_layers, encoder.input
    ends = np.unique(np.round(np.linspace(0, len(blocks), _STAGES + 1)).astype(int))

    def run(x, these):
        for block in these:
            if "return_attention_scores" in inspect.signature(block.call).parameters:
                x, _ = block(x, return_attention_scores=True)  # DeiT's always give two outputs.
            else:
                x = block(x)
        return ops.expand_dims(x, 2)

    first = encoder.dropout(tokens) if hasattr(encoder, "dropout") else tokens
    cut = [keras.Model(network.input, run(first, blocks[: ends[1]]))]
    for start, end in zip(ends[1:-1], ends[2:], strict=True):
        x = keras.Input([tokens.shape[1], 1, tokens.shape[2]])
        cut.append(keras.Model(x, run(ops.squeeze(x, 2), blocks[start:end])))
    x = keras.Input([tokens.shape[1], 1, tokens.shape[2]])
    y = encoder.layer_norm(ops.squeeze(x, 2))
    special = tokens.shape[1] - _num_patches(network)
    pooled = [y[:, 0]] if special else []
    pooled = ops.concatenate([*pooled, ops.mean(y[:, special:], axis=1)], axis=-1)
    return [*cut, keras.Model(x, ops.reshape(pooled, [-1, 1, 1, pooled.shape[-1]]))]


def _num_patches(network) -> int:
    """0 if it has no layer that says so."""
    return next((layer.num_patches for layer in network.layers if hasattr(layer, "num_patches")), 0)


def _map_parts(network) -> list:
    """A convolutional network cut at the ends of its stages, then what follows the last, or None.

    As `keras_applications.find_taps` has it: at each resolution, a power of 2 from 4 on, the last activation, merge or
    block that all paths cross.
    """
    import keras

    ends = _ends(network)
    if not ends:
        raise UserError(f"{type(network).__name__} has no stages that can be found: feature maps, or a row of blocks")
    starts = [network.input, *ends]
    cut = [keras.Model(start, end) for start, end in zip(starts, ends, strict=False)]
    is_whole = ends[-1] is network.outputs[0]
    return [*cut, None if is_whole else keras.Model(ends[-1], network.outputs[0])]


def _ends(network) -> list:
    """The tensors that end stages, in order."""
    levels = sorted(network._nodes_by_depth.items(), reverse=True)
    nodes = [node for _, level in levels for node in level if not node.is_input]
    side = network.input.shape[1] or _PROBE
    heights = _heights(network, nodes, side)
    last = round(math.log2(side / heights[-1])) if heights[-1] else 0  # No feature map: no stages.
    ends = {}
    for node, height, all_cross in zip(nodes, heights, graph.crossings(nodes), strict=True):
        level = round(math.log2(side / height)) if height else 0
        if all_cross and _FIRST_LEVEL <= level <= last and _ends_something(node):
            ends[level] = node.outputs[0]
    return [end for _, end in sorted(ends.items())]


def _heights(network, nodes, side) -> list:
    """The height of each node's output for images of that side; None for what is not a feature map."""
    import keras

    probe = keras.Model(network.input, [node.outputs[0] for node in nodes])
    shapes = [output.shape for output in probe.compute_output_spec(keras.KerasTensor([1, side, side, 3]))]
    return [shape[1] if len(shape) == 4 else None for shape in shapes]


def _ends_something(node) -> bool:
    """Whether it is an activation, a merge of several inputs, or a block that has layers inside."""
    import keras

    layer = node.operation
    kinds = (keras.layers.Activation, keras.layers.ReLU)
    is_block = isinstance(layer, keras.Layer) and len(list(layer._flatten_layers(include_self=False))) > 0
    return isinstance(layer, kinds) or len(node.parent_nodes) > 1 or is_block
