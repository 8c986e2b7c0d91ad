"""The only file that knows legacy Keras and tensorflow_addons, which needs Keras 2 (`tf_keras`)."""

import contextlib
import functools
import importlib.util
import os
import sys
import tempfile
import warnings
from pathlib import Path

_SWITCH = "TF_USE_LEGACY_KERAS"


def use_legacy_keras() -> None:
    """Makes `tf.keras` mean `tf_keras`, which TensorFlow decides while it is imported.

    Raises ImportError if TensorFlow was imported without that; a variable that is set afterwards comes too late.
    """
    loaded = sys.modules.get("tensorflow")
    if loaded is not None and not any("tf_keras" in Path(path).parts for path in loaded.__path__):
        raise ImportError(
            f"TensorFlow was imported before reno_tf and without {_SWITCH}=1, so that its Keras is not Keras 2. "
            "In a script, import reno_tf first. "
            f"In a notebook, begin with: import os; os.environ['{_SWITCH}'] = '1', and restart the kernel. "
            f"In tests, put that at the top of conftest.py, or set {_SWITCH}=1 in the environment."
        )
    os.environ[_SWITCH] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@contextlib.contextmanager
def quiet_native_logs():
    """Holds back TensorFlow's notes on oneDNN and absent GPUs, which no log level stops; shows them if it fails.

    Holds nothing back if TF_CPP_MIN_LOG_LEVEL=0 asks for them, or there is no folder for temporary files.
    """
    try:
        file = None if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0" else tempfile.TemporaryFile()  # noqa: SIM115
    except OSError:
        file = None
    if file is None:
        yield
        return
    sys.stderr.flush()
    with file as held:
        standard_error = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(standard_error, held.read())
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)


def has_addons() -> bool:
    """Whether tensorflow_addons is installed (its last wheels are for Python 3.11)."""
    return importlib.util.find_spec("tensorflow_addons") is not None


@functools.cache
def addons_swa() -> type:
    """`tfa.optimizers.SWA`, made to work under tf_keras and over several replicas."""
    # tensorflow_addons asks for `keras.src.engine`, which only Keras 2 has: lend it tf_keras's.
    for name in ("engine", "engine.keras_tensor"):
        module = importlib.import_module(f"tf_keras.src.{name}")
        sys.modules.setdefault(f"keras.src.{name}", module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Its end-of-life notice, and its range of TensorFlow versions.
        import tensorflow_addons
    import tensorflow

    class SWA(tensorflow_addons.optimizers.SWA):
        def average_op(self, var, average_var, local_apply_state):
            # A tf.function there, which takes a strategy's variable for another one of the same shape
            # and averages into that: hand it this device's copy, which it tells apart.
            copies = tensorflow.distribute.get_strategy().experimental_local_results(average_var)
            device_copy = copies[0] if len(copies) == 1 else next(copy for copy in copies if copy.device == var.device)
            return super().average_op(var, device_copy, local_apply_state)

    return SWA
