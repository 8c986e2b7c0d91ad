"""Checkpoints in folders where others keep something too."""

import types

import pytest
import tensorflow as tf

from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.training import checkpoints


def test_beside_damaged_checkpoints_others_files_stay(tmp_path, caplog):
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(step=tf.Variable(1)), str(tmp_path), max_to_keep=2)
    checkpoints.save(manager)
    users = ("ckpt-best.index", "ckpt-2.notes.txt", "ckpt-2.index.bak", "ckpt-2.data", "ckpt-2.data-copy")
    for name in (*users, "ckpt-2.index", "ckpt-2.data-00000-of-00001"):
        files.write_text(tmp_path / name, "cut short")
    assert checkpoints.newest(tmp_path) == str(tmp_path / "ckpt-1") and "ckpt-2 is damaged" in caplog.text
    left = {path.name for path in tmp_path.iterdir()}
    assert left >= {*users} and not left & {"ckpt-2.index", "ckpt-2.data-00000-of-00001"}


def test_after_a_full_disk_nothing_of_the_checkpoint_is_left_and_all_of_others(tmp_path):
    def full():
        files.write_text(tmp_path / "ckpt-3_temp" / "part-00000-of-00001.data-00000-of-00001.tempstate17", "")
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    files.write_text(tmp_path / "scripts_temp" / "notes.txt", "years of work")
    files.write_text(tmp_path / "ckpt-2_temp" / "notes.txt", "years of work")
    with pytest.raises(UserError, match="no checkpoint can be written"):
        checkpoints.save(types.SimpleNamespace(directory=str(tmp_path), save=full))
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["ckpt-2_temp/notes.txt", "scripts_temp/notes.txt"] and not (tmp_path / "ckpt-3_temp").exists()
