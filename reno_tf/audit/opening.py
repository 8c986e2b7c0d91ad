"""Opens models of every supported format without running Python code of theirs, and identifies each by a digest."""

from pathlib import Path

from reno_tf import archives, files
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.hub_presets import is_preset, open_preset
from reno_tf.audit.keras_models import open_keras
from reno_tf.audit.onnx_files import files_beside, open_onnx
from reno_tf.audit.saved_models import open_saved_model
from reno_tf.audit.tflite_files import open_tflite
from reno_tf.errors import UserError

_OPENERS = {
    ".keras": open_keras,
    ".h5": open_keras,
    ".hdf5": open_keras,
    ".tflite": open_tflite,
    ".onnx": open_onnx,
}


def open_model(path: str, *, trust: bool = False, scores: str | None = None) -> Foreign:
    """Opens a SavedModel folder, a preset of KerasHub, a .keras or .h5 file of Keras 2 or 3, a .tflite or a .onnx.

    What a SavedModel or a Keras file holds is checked first.
    `trust`: a SavedModel may also do more than compute. `scores`: which of several outputs has the scores. Raises
    UserError if it is not one of these, names what is not Keras's, runs an operation that does more than compute, or is
    not a classifier of colour images.
    """
    if not Path(path).exists():
        raise UserError(f"there is no model {path}")
    is_folder = Path(path).is_dir()
    if is_folder and not is_preset(path):
        return open_saved_model(path, scores, trust=trust)
    if not is_folder and Path(path).suffix not in _OPENERS:
        raise UserError(f"{path} must be a folder (SavedModel, KerasHub), or a .keras, .h5, .tflite or .onnx file")
    if trust:
        kind = "preset" if is_folder else "file"
        raise UserError(f"--trust goes with a SavedModel folder: {path} is a {kind}, and no code in it is ever run")
    if is_folder:
        return open_preset(path, scores)
    archives.refuse_stand_in(path)
    return _OPENERS[Path(path).suffix](path, scores)


def digest_model(path: str) -> str:
    """SHA-256 of the file or folder, and of the files that a .onnx keeps its weights in."""
    digest = files.digest_path(Path(path))
    beside = files_beside(path) if Path(path).suffix == ".onnx" and Path(path).is_file() else {}
    texts = [text for name, file in beside.items() for text in (name, files.digest_path(file))]
    return files.digest(*(text.encode() for text in (digest, *texts))) if texts else digest
