"""A backbone taken out of a model of any format, and the part of it that is public, as an attacker's network."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import tf_keras

from reno_tf.audit import lineage
from reno_tf.audit.lineage import Comparison, Pair
from reno_tf.errors import UserError
from reno_tf.models import graph
from reno_tf.models.backbone import stage_names
from reno_tf.models.kernels import WeightArray
from reno_tf.models.public_weights import PublicNetwork, Unit, describe, public_networks, units


def take_backbone(arrays: Sequence[WeightArray], model: tf_keras.Model, *, origin: str) -> str | None:
    """Gives `model`, a backbone without head, the weights that a file has for it.

    Where all kernels are known public ones, each takes its place by its content; else by the layers' names in the file.
    A BatchNorm that the file has folded becomes a shift. Returns the name of the public weights, if all are those and
    unconverted. Raises UserError if the file lacks a layer, or names it differently.
    """
    of_model = units(arrays)
    known = [lineage.compare_units(of_model, network) for network in public_networks([model.name])]
    whole = [one for one in known if one.public_stages == one.network.num_stages]
    nearest = min(whole, key=lambda one: one.distance, default=None)
    comparison = nearest or _by_names(of_model, describe(model, ""), origin)
    _fill(model, comparison, of_model, origin)
    return next((one.network.weights for one in whole if _has_content(model, one.network)), None)


def _has_content(model, network: PublicNetwork) -> bool:
    return [unit.digest for unit in describe(model, "").units] == [unit.digest for unit in network.units]


def named_as(model: tf_keras.Model) -> str | None:
    """The public weights that the model has, by the digests of every layer; None if they are not known."""
    networks = public_networks([model.name])
    return next((network.weights for network in networks if _has_content(model, network)), None)


def public_teacher(model: tf_keras.Model, arrays: Sequence[WeightArray], comparison: Comparison) -> tf_keras.Model:
    """The stages of the student that consist of public weights, with these weights of its own, as a teacher.

    model: the backbone of the comparison. Its "penultimate" is the mean over places of the last of these stages. Raises
    UserError if not even the first stage is public.
    """
    last = comparison.public_stages
    if not last:
        raise UserError(
            "no stage of the student consists of public weights alone; name the public weights by --teacher"
        )
    _fill(model, comparison, units(arrays), "the student", partly=True)
    outputs = {name: model.output[name] for name in stage_names(model)[:last]}
    if last < comparison.network.num_stages:
        pool = tf_keras.layers.GlobalAveragePooling2D(name="penultimate_of_part")
        outputs["penultimate"] = pool(outputs[f"stage{last}"])
    else:
        outputs["penultimate"] = model.output["penultimate"]
    return tf_keras.Model(model.input, outputs, name=model.name)


def _by_names(of_model, network, origin) -> Comparison:
    """Each layer paired with the one that the file calls so."""
    norms = {unit.shape for unit in network.units if unit.shape.count("+") == 3}
    folded = bool(norms) and not any(unit.shape in norms for unit in of_model)
    pairs = []
    for public in network.units:
        alike = [unit for unit in of_model if unit.shape == public.shape and _is_called(unit.layer, public.layer)]
        if len(alike) > 1 or not alike and not (folded and not public.is_kernel):
            problem = "has several layers" if alike else "has no layer"
            raise UserError(f"{origin} {problem} {public.layer} of the shape {public.shape}, as {network.backbone} has")
        pairs.append(Pair(public, alike[0] if alike else None, False, None))
    return Comparison(network, tuple(pairs), folded, False)


def _is_called(path, layer) -> bool:
    """Whether a path in a file names the layer: a part of it, or its end, also without the number that a copy gets."""
    parts = re.split(r"[/;:]", path)
    names = {*parts, *(re.sub(r"_\d+$", "", part) for part in parts)}
    return layer in names or any(f"/{one}".endswith(f"/{layer}") for one in (path, re.sub(r"_\d+$", "", path)))


def _fill(model, comparison, of_model, origin, *, partly=False):
    found = {(pair.public.layer, pair.public.shape): pair.unit for pair in comparison.pairs if pair.unit}
    shifts = {unit.layer: unit for unit in of_model if not unit.is_kernel and len(unit.arrays) == 1}
    norms = {
        call.layer.name: norm.layer for call, norm in graph.sole_readers(graph.nodes(model), model.output.values())
    }
    stages = {unit.layer: unit.stage for unit in comparison.network.units}
    for layer in model.layers:
        if not layer.weights or partly and stages.get(layer.name, 1) > comparison.public_stages:
            continue
        units_of_layer = [unit for (name, _), unit in found.items() if name == layer.name]
        if comparison.folded and isinstance(layer, tf_keras.layers.BatchNormalization):
            continue
        _set(layer, units_of_layer, origin)
        norm = norms.get(layer.name)
        if comparison.folded and isinstance(norm, tf_keras.layers.BatchNormalization):
            shift = shifts.get(next(unit.layer for unit in units_of_layer if unit.is_kernel))
            if shift is None:
                raise UserError(f"{origin} keeps the BatchNorm behind {layer.name} in a form that is not read")
            _shift(norm, shift.arrays[0].values)


def _set(layer, of_layer: Sequence[Unit], origin):
    """Gives each weight the array that has its name in the public form: kernels by shape, vectors in their order."""
    vectors = iter(array for unit in of_layer if not unit.is_kernel for array in unit.arrays)
    values: dict[str, np.ndarray] = {}
    for weight in sorted(layer.weights, key=lambda weight: weight.name):
        if weight.shape.rank == 0:  # How many images a normalisation was adapted to: no output depends on it.
            values[weight.name] = weight.numpy()
            continue
        size = int(np.prod(weight.shape))
        if weight.shape.rank in (2, 4):
            array = next(
                (unit.arrays[0] for unit in of_layer if unit.is_kernel and unit.arrays[0].values.size == size), None
            )
        else:
            array = next(vectors, None) if weight.shape.rank == 1 else None
        if array is None or array.values.size != size:
            raise UserError(f"{origin} has nothing for {weight.name.removesuffix(':0')}")
        values[weight.name] = array.values.astype(np.float32).reshape(weight.shape)
    layer.set_weights([values[weight.name] for weight in layer.weights])


def _shift(norm, beta):
    """Makes the BatchNorm add `beta` [channels], or 0, and nothing else."""
    neutral: Mapping[str, object] = {
        "gamma": 1.0,
        "beta": beta,
        "moving_mean": 0.0,
        "moving_variance": 1.0 - norm.epsilon,
    }
    names = [weight.name.removesuffix(":0").rpartition("/")[2] for weight in norm.weights]
    norm.set_weights(
        [
            np.broadcast_to(neutral[name], weight.shape).astype(np.float32)
            for name, weight in zip(names, norm.weights, strict=True)
        ]
    )
