"""Progress bars with the time left, where the terminal is one; silent elsewhere."""

import tf_keras
from tqdm import tqdm

_hidden = False


def hide() -> None:
    """Shows no bar from here on."""
    global _hidden
    _hidden = True


def bar(items, label: str, **options):
    """Wraps an iterable (or, with total=, counts by hand)."""
    return tqdm(items, desc=label, disable=_hidden or None, leave=False, **options)


class FitProgress(tf_keras.callbacks.Callback):
    """One bar over all steps of a phase."""

    def __init__(self, label: str, *, done: int, total: int):
        super().__init__()
        self._label, self._done, self._total = label, done, total

    def on_train_begin(self, logs=None):
        self._bar = bar(None, self._label, initial=self._done, total=self._total, unit="step")

    def on_train_batch_end(self, batch, logs=None):
        self._bar.update()

    def on_epoch_end(self, epoch, logs=None):
        shown = [name for name in ("loss", "accuracy", "val_accuracy") if name in logs]
        self._bar.set_postfix({name: f"{logs[name]:.3f}" for name in shown})

    def on_train_end(self, logs=None):
        self._bar.close()
