"""Opens models of every supported format without running Python code of theirs, and identifies each by a digest."""

from pathlib import Path

from reno_tf import archives, files
from reno_tf.audit import tfjs_files
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.hub_presets import is_preset, open_preset
from reno_tf.audit.keras_models import open_keras
from reno_tf.audit.onnx_files import files_beside, open_onnx
from reno_tf.audit.saved_models import open_saved_model
from reno_tf.audit.tfjs_models import open_tfjs
from reno_tf.audit.tflite_files import open_tflite
from reno_tf.errors import UserError

FORMATS = (
    "a SavedModel folder, a preset of KerasHub, a .keras, .h5, .tflite or .onnx file, or a TensorFlow.js folder or "
    "model.json"
)
_OPENERS = {
    ".keras": open_keras,
    ".h5": open_keras,
    ".hdf5": open_keras,
    ".tflite": open_tflite,
    ".onnx": open_onnx,
}


def open_model(path: str, *, trust: bool = False, scores: str | None = None) -> Foreign:
    """Opens a SavedModel folder, a preset of KerasHub, a .keras or .h5 of Keras 2 or 3, a .tflite, a .onnx, or a
    TensorFlow.js layers model.

    What a SavedModel, or a description of Keras layers, holds is checked first.
    `trust`: a SavedModel may also do more than compute. `scores`: which of several outputs has the scores. Raises
    UserError if it is not one of these, names what is not Keras's, runs an operation that does more than compute, or is
    not a classifier of colour images.
    """
    if not Path(path).exists():
        raise UserError(f"there is no model {path}")
    is_folder, is_tfjs = Path(path).is_dir(), _is_tfjs(path)
    is_hub = is_folder and not is_tfjs and is_preset(path)
    if is_folder and not is_tfjs and not is_hub:
        return open_saved_model(path, scores, trust=trust)
    if not is_folder and not is_tfjs and Path(path).suffix not in _OPENERS:
        raise UserError(f"{path} must be {FORMATS}")
    if trust:
        kind = "a preset" if is_hub else "a TensorFlow.js model" if is_folder else "a file"
        raise UserError(f"--trust goes with a SavedModel folder: {path} is {kind}, and no code in it is ever run")
    if is_hub:
        return open_preset(path, scores)
    if not is_folder:
        archives.refuse_stand_in(path)
    return (open_tfjs if is_tfjs else _OPENERS[Path(path).suffix])(path, scores)


def _is_tfjs(path) -> bool:
    """Whether it is a description by TensorFlow.js, or a folder with one; a folder of both forms is a SavedModel."""
    if Path(path).is_dir():
        return not (Path(path) / "saved_model.pb").exists() and tfjs_files.find_description(path) is not None
    return Path(path).suffix in tfjs_files.SUFFIXES


def digest_model(path: str) -> str:
    """SHA-256 of the file or folder, and of the files that a .onnx or a model.json keeps its weights in."""
    digest, beside = files.digest_path(Path(path)), _beside(path) if Path(path).is_file() else {}
    texts = [text for name, file in beside.items() for text in (name, files.digest_path(file))]
    return files.digest(*(text.encode() for text in (digest, *texts))) if texts else digest


def _beside(path) -> dict[str, Path]:
    """The files that this one keeps weights in, by the names that it uses for them."""
    if Path(path).suffix == ".onnx":
        return files_beside(path)
    return tfjs_files.shards(tfjs_files.describe(Path(path))) if _is_tfjs(path) else {}
