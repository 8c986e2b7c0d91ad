"""Opens a preset of KerasHub, the folder that `save_to_preset` writes, after checking what it holds."""

from pathlib import Path

from reno_tf.audit import safety
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.keras_models import as_foreign
from reno_tf.errors import UserError, one_line

_TASK = "task.json"
_WEIGHTS, _HEAD = "model.weights.h5", "task.weights.h5"  # the backbone's; what the task has beside it
_SHARDED = "model.weights.json"


def is_preset(path: str) -> bool:
    """Whether the folder is a preset of KerasHub."""
    return (Path(path) / "config.json").is_file() and not (Path(path) / "saved_model.pb").exists()


def open_preset(path: str, scores: str | None) -> Foreign:
    """See `open_model`. Its preprocessor is not run: an audit finds out what its network takes."""
    folder = Path(path)
    if not (folder / _TASK).is_file():
        raise UserError(f"{path} is a backbone of KerasHub without a head: save the whole classifier to the preset")
    if (folder / _SHARDED).is_file():
        raise UserError(f"{path} has its weights in several files: save it with max_shard_size=None")
    config = safety.check_json(folder / _TASK)
    for name in (_WEIGHTS, _HEAD):
        safety.check_weights(folder / name)
    return as_foreign(_load(folder, config), "KerasHub preset", path, scores)


def _load(folder, config):
    import keras

    try:
        task = keras.saving.deserialize_keras_object(config)
        task.backbone.load_weights(folder / _WEIGHTS)
        task.load_task_weights(folder / _HEAD)
    except Exception as error:  # Whatever the constructors and the loaders raise.
        raise UserError(f"{folder} cannot be opened: {one_line(error)}") from None
    return task
