"""Frozen dataclasses as JSON and back, and the JSON schema that follows from their fields.

A field's metadata may have "description", "json" (its key, where that is not its name), "absent" (whether None is left
out, not written as null), "choices", "least" and "most".
"""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from scipy.stats import binomtest


@dataclasses.dataclass(frozen=True)
class Rate:
    """`hits` of `total` images. `rate` is a fraction; `interval` is Wilson's 95 % one. Both are None for no images."""

    hits: int
    total: int

    @property
    def rate(self) -> float | None:
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        if not self.total:
            return None
        bounds = binomtest(self.hits, self.total).proportion_ci(0.95, method="wilson")
        return float(bounds.low), float(bounds.high)


def described(description: str = "", **metadata):
    """A field with its metadata; `default` is its default."""
    default = metadata.pop("default", dataclasses.MISSING)
    return dataclasses.field(default=default, metadata={"description": description, **metadata})


def to_json(record) -> Any:
    """The record as JSON has it. A `Rate` becomes NAME, NAME_ci95 and NAME_counts, its [hits, total]."""
    if dataclasses.is_dataclass(record):
        return {key: value for field in dataclasses.fields(record) for key, value in _items(field, record)}
    if isinstance(record, Mapping):
        return {str(key): to_json(value) for key, value in record.items()}
    return [to_json(member) for member in record] if isinstance(record, (list, tuple)) else record


def _items(field, record) -> Iterator[tuple[str, Any]]:
    value, key = getattr(record, field.name), json_key(field)
    if value is None and field.metadata.get("absent"):
        return
    if isinstance(value, Rate):
        yield from ((key, value.rate), (f"{key}_ci95", to_json(value.interval)))
        yield f"{key}_counts", [value.hits, value.total]
    else:
        yield key, to_json(value)


def json_key(field) -> str:
    return field.metadata.get("json", field.name)


def from_json(kind, content):
    """The record of `kind` that `to_json` gave. Raises KeyError or TypeError for something else."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        return None if content is None else from_json(_without_none(kind), content)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{field.name: _read(field, hints[field.name], content) for field in dataclasses.fields(kind)})
    if origin is tuple:
        return tuple(from_json(arguments[0], member) for member in content)
    if origin is dict:
        return {key: from_json(arguments[1], value) for key, value in content.items()}
    return content


def _read(field, kind, content):
    key = json_key(field)
    if _is_rate(kind):
        return Rate(*content[f"{key}_counts"]) if f"{key}_counts" in content or not _may_be_absent(field) else None
    if key not in content and _may_be_absent(field):
        return None
    return from_json(kind, content[key])


def _may_be_absent(field) -> bool:
    return bool(field.metadata.get("absent"))


def _is_rate(kind) -> bool:
    return kind is Rate or Rate in typing.get_args(kind)


def _without_none(kind):
    (inner,) = (argument for argument in typing.get_args(kind) if argument is not types.NoneType)
    return inner


def schema(kind, title: str) -> dict:
    """The JSON schema (draft 2020-12) of what `to_json` gives of a record of `kind`."""
    interval = {"type": "array", "items": _number(0, 1), "minItems": 2, "maxItems": 2}
    counts = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2}
    definitions = {
        "interval": {"description": "Wilson's 95 % interval", "oneOf": [{"type": "null"}, interval]},
        "counts": {"description": "[hits, images that were counted]", **counts},
    }
    address = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": address, "title": title, "$defs": definitions, **_schema_of(kind)}


_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _number(least, most) -> dict:
    bounds = {"minimum": least, "maximum": most}
    return {"type": "number"} | {key: value for key, value in bounds.items() if value is not None}


def _schema_of(kind, metadata: Mapping = types.MappingProxyType({})) -> dict:
    if isinstance(kind, types.UnionType):
        return {"oneOf": [{"type": "null"}, _schema_of(_without_none(kind), metadata)]}
    if dataclasses.is_dataclass(kind):
        return _object(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return {"type": "array", "items": _schema_of(arguments[0], metadata)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema_of(arguments[1], metadata)}
    if "choices" in metadata:
        return {"enum": list(metadata["choices"])}
    if kind is Any:
        return {}
    bounds = {"minimum": metadata.get("least"), "maximum": metadata.get("most")}
    return {"type": _TYPES[kind]} | {key: value for key, value in bounds.items() if value is not None}


def _object(kind) -> dict:
    properties, required = {}, []
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        of_field = _properties(field, hints[field.name])
        properties |= of_field["properties"]
        required += of_field["required"]
    return {"type": "object", "properties": properties, "required": sorted(required)}


def _properties(field, kind) -> dict:
    """The properties that one field makes, and those of them that are always there."""
    key, metadata = json_key(field), field.metadata
    description = {"description": metadata["description"]} if metadata.get("description") else {}
    if _is_rate(kind):
        properties = {key: {"type": ["number", "null"], "minimum": 0, "maximum": 1, **description}}
        properties |= {f"{key}_ci95": {"$ref": "#/$defs/interval"}, f"{key}_counts": {"$ref": "#/$defs/counts"}}
    else:
        properties = {key: _schema_of(kind, metadata) | description}
    return {"properties": properties, "required": [] if _may_be_absent(field) else list(properties)}
