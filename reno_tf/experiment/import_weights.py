"""--mode=import_weights: a published weights file -> pretrained/ and its entry in the manifest."""

import re
from pathlib import Path

import safetensors.numpy

from reno_tf import files, models
from reno_tf.errors import UserError, choose
from reno_tf.models import torch_import, weights


def import_weights(config, *, file: str | None, **_) -> None:
    """Converts `file`, a state dict of `config.model.backbone` in torchvision's names.

    The weights are then known as "imagenet" if the manifest states the file's hash under that
    name, else by the file's name without its suffix. Raises UserError, and writes nothing, if the
    file's hash is not the one in its name or if a tensor is missing, superfluous or misshapen.
    """
    backbone = choose("backbone with torchvision's weights", config.model.backbone, torch_import.MODULES)
    if file is None or not Path(file).is_file():
        raise UserError(f"--mode=import_weights needs --file=FILE, a .pth or .safetensors, not {file}")
    path = Path(file)
    content = path.read_bytes()
    digest = models.sha256(content)
    _check_hash_in_name(path.name, digest)
    known = weights.manifest()
    name = _name(known.get(backbone, {}), path, digest)
    entry = known.setdefault(backbone, {}).setdefault(name, {"url": None, "licence": None, "source_sha256": None})
    if entry["source_sha256"] not in (None, digest):
        raise UserError(f"{backbone} has weights {name} from another file already; rename {file}")

    state = torch_import.read_state(content, suffix=path.suffix, origin=file)
    model = models.build(backbone, num_classes=torch_import.num_classes(backbone, state))
    converted = safetensors.numpy.save(torch_import.convert(state, model, origin=file))
    target = weights.PRETRAINED / f"{backbone}_{name}.safetensors"
    entry |= {"file": target.name, "sha256": models.sha256(converted), "source_sha256": digest}
    files.write_bytes(target, converted)
    files.write_json(weights.PRETRAINED / "manifest.json", known)
    stated = "as its publisher states" if "source_sha256_starts" in entry else "stated by nobody, recorded now"
    print(f"{target}: weights {name} of {backbone}; SHA-256 {digest[:8]}... of {path.name} is {stated}")


def _check_hash_in_name(name, digest):
    """PyTorch's publishers put the first 8 digits of the SHA-256 in the name: resnet18-f37072fd.pth."""
    stated = re.search(r"-([0-9a-f]{8,64})\.pth$", name)
    if stated and not digest.startswith(stated[1]):
        raise UserError(f"{name} is altered or incomplete: its SHA-256 is {digest[:8]}..., its name says {stated[1]}")


def _name(entries, path, digest):
    stated = {name: entry["source_sha256_starts"] for name, entry in entries.items() if "source_sha256_starts" in entry}
    for name, start in stated.items():
        if digest.startswith(start):
            return name
    if path.stem in stated:
        raise UserError(f"{path} is not the file that the manifest calls {path.stem}; rename it")
    return path.stem
