"""Writes a tf_keras model as a TensorFlow.js layers model: a model.json with its shards, or a package's modules."""

import base64
import json
import re
from pathlib import Path

import numpy as np


def describe(model, kind=None) -> tuple[dict, bytes]:
    """What a model.json says, and the bytes of its one file of weights, "weights.bin".

    kind: "uint8" or "uint16", quantised with a scale and a min; "float16"; None: float32.
    """
    entries, contents = [], []
    for variable in model.variables:
        stored, content = _store(variable.numpy(), kind)
        entries.append({"name": variable.name.removesuffix(":0"), "shape": list(variable.shape), "dtype": "float32"})
        entries[-1] |= {"quantization": stored} if stored else {}
        contents.append(content)
    manifest = [{"paths": ["weights.bin"], "weights": entries}]
    topology = {"keras_version": "2.21.0", "backend": "tensorflow", "model_config": json.loads(model.to_json())}
    return {"format": "layers-model", "modelTopology": topology, "weightsManifest": manifest}, b"".join(contents)


def _store(values, kind):
    if kind in ("uint8", "uint16"):
        low, steps = float(values.min()), np.iinfo(kind).max
        scale = float(values.max() - low) / steps or 1.0
        stored = {"dtype": kind, "scale": scale, "min": low, "original_dtype": "float32"}
        return stored, np.round((values - low) / scale).astype(f"<{np.dtype(kind).str[1:]}").tobytes()
    if kind == "float16":
        return {"dtype": "float16", "original_dtype": "float32"}, values.astype("<f2").tobytes()
    return None, values.astype("<f4").tobytes()


def save(folder: Path, description: dict, content: bytes, *, cuts=(), modules=False) -> str:
    """The folder, with the weights cut into shards at these places; `modules`: as a package's builder writes it."""
    folder.mkdir(exist_ok=True)
    ends = [*cuts, len(content)]
    names = [f"group1-shard{number}of{len(ends)}" for number in range(1, len(ends) + 1)] if cuts else ["weights.bin"]
    description = description | {"weightsManifest": [description["weightsManifest"][0] | {"paths": names}]}
    for name, start, end in zip(names, [0, *cuts], ends, strict=True):
        (folder / name).write_bytes(content[start:end])
    (folder / "model.json").write_text(json.dumps(description))
    if modules:
        _as_modules(folder, names, description)
    return str(folder)


def _as_modules(folder, names, description):
    for name in names:
        text = base64.b64encode((folder / name).read_bytes()).decode()
        (folder / f"{name}.min.js").write_text(_module(json.dumps(text)))
        (folder / name).unlink()
    (folder / "model.json").unlink()
    short = json.dumps(description, separators=(",", ":"))
    for pattern, by in ((r'"([a-zA-Z_]\w*)":', r"\1:"), (r"\btrue\b", "!0"), (r"\bfalse\b", "!1"), (r":0\.", ":.")):
        short = re.sub(pattern, by, short)
    (folder / "model.min.js").write_text(_module(short))


def _module(value) -> str:
    return f"!function(e){{module.exports=e()}}({{1:[function(e,a,n){{a.exports={value}}},{{}}]}});"
