"""The composition root: the only package that reads the config object."""

from reno_tf.errors import UserError, choose
from reno_tf.experiment.compare import compare
from reno_tf.experiment.import_weights import import_weights
from reno_tf.experiment.pretrain import pretrain
from reno_tf.experiment.run import run
from reno_tf.experiment.taps import taps

MODES = {"run": run, "pretrain": pretrain, "compare": compare, "import_weights": import_weights, "taps": taps}


def start(mode: str, config, *, file: str | None = None, **options) -> None:
    """Does what `python main.py --mode=...` promises; `options`: method, workdir, overwrite, command.

    `file` is what import_weights imports. Raises UserError on a user's mistake.
    """
    if choose("mode", mode, MODES) == "import_weights":
        options["file"] = file
    elif file is not None:
        raise UserError(f"--file goes with --mode=import_weights, not with --mode={mode}")
    MODES[mode](config, **options)
