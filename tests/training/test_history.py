"""What a training leaves behind, and where it stops."""

import types

import pytest
import tensorflow as tf

from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.training.history import Record


@pytest.mark.parametrize("checkpoint", [None, "checkpoints/train/ckpt-1"])
def test_a_loss_that_is_no_number_stops_the_training_with_its_term(tmp_path, checkpoint):
    step = tf.Variable(7)
    if checkpoint:
        files.write_text(tmp_path / "history.jsonl", '{"step": 5}\n')
    keep = {"directory": str(tmp_path), "save": lambda: pytest.fail("kept what broke")}
    manager = types.SimpleNamespace(latest_checkpoint=checkpoint, **keep)
    record = Record(types.SimpleNamespace(step=step), "train", tmp_path, manager, batch_size=8)
    record.set_params({"steps": 10})
    record.on_train_begin()
    record.on_train_batch_end(0, {"loss": 1.0, "feature_distance": 0.5})
    kept = "the last checkpoint is of step 5" if checkpoint else "no checkpoint yet"
    with pytest.raises(UserError, match=rf"at step 7 of phase 'train': feature_distance is not finite \({kept}\)"):
        record.on_train_batch_end(1, {"loss": float("nan"), "cross_entropy": 1.0, "feature_distance": float("inf")})
    with pytest.raises(UserError, match="'train': loss is not finite"):
        record.on_train_batch_end(1, {"loss": float("nan"), "cross_entropy": 1.0})
    record.on_train_end()
