"""A section of the config as a dataclass: every key there, of its type, within its bounds."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping

from reno_tf.errors import UserError, choose, suggest

_BEYOND = 2**31


def bounded(*, least=None, below=None, one_of=None, identifies=True, neutral=dataclasses.MISSING):
    """A field with its bounds: at least, less than, or a choice of names.

    identifies: whether another value makes another run. neutral: of a field that came later, the value that leaves a
    run what it was before.
    """
    metadata = {"least": least, "below": below, "one_of": one_of, "identifies": identifies, "neutral": neutral}
    return dataclasses.field(metadata=metadata)


def identity(section) -> dict:
    """The fields of a dataclass that identify a run, but for those with their neutral value."""
    values = {}
    for field in dataclasses.fields(section):
        value, metadata = getattr(section, field.name), field.metadata
        if metadata.get("identifies", True) and value != metadata.get("neutral", dataclasses.MISSING):
            values[field.name] = value
    return values


def filled(cls, values: Mapping, where: str, *, partial: bool = False):
    """An instance of `cls` from the section `where` of the config; `partial`: the section has other keys too."""
    names = [field.name for field in dataclasses.fields(cls)]
    if unknown := [key for key in values if key not in names and not partial]:
        raise UserError(f"no config key {where}.{unknown[0]}; {suggest(unknown[0], names)}")
    return cls(**{name: checked(cls, name, values[name], where) for name in names})


def restored(cls, values: Mapping, where: str):
    """`filled` from what an earlier version wrote: a field that came later has its neutral value."""
    fields = dataclasses.fields(cls)
    later = {field.name: field.metadata["neutral"] for field in fields if has_neutral(field)}
    return filled(cls, later | dict(values), where)


def has_neutral(field) -> bool:
    return field.metadata.get("neutral", dataclasses.MISSING) is not dataclasses.MISSING


def checked(cls, name, value, where):
    """The value in its field's type and within its bounds; of a tuple, each member."""
    field = next(field for field in dataclasses.fields(cls) if field.name == name)
    key = f"{where}.{name.replace('curve_', 'curve.')}"
    value = typed(field.type, value, key)
    least, below, one_of = (field.metadata.get(bound) for bound in ("least", "below", "one_of"))
    if one_of is not None:
        return choose(key, value, one_of)
    for member in value if isinstance(value, tuple) else (value,):
        if member is not None and below is not None and not least <= member < below:
            raise UserError(f"{key} must be in [{least}, {below}), not {member}")
        if member is not None and least is not None and not member >= least:
            raise UserError(f"{key} must be at least {least}, not {member}")
    return value


def typed(kind, value, key):
    """Whole numbers may stand for others, lists for tuples; nothing else is converted.

    No number is infinite, and whole numbers have 32 bits, as TensorFlow's counters and seeds.
    """
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    members = [typing.get_args(one)[0] for one in kinds if typing.get_origin(one) is tuple]
    if members and isinstance(value, (list, tuple)):
        return tuple(typed(members[0], member, f"each of {key}") for member in value)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) not in kinds:
        names = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}
        names |= {dict: "a section", types.NoneType: "None"}
        raise UserError(f"{key} must be {' or '.join(names.get(kind, 'a tuple') for kind in kinds)}, not {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{key} must be a finite number, not {value}")
    if type(value) is int and not abs(value) < _BEYOND:
        raise UserError(f"{key} must be below {_BEYOND}, not {value}")
    return value
