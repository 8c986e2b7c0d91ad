"""The composition root: the only package that reads the config object."""

from reno_tf.errors import choose
from reno_tf.experiment.compare import compare
from reno_tf.experiment.pretrain import pretrain
from reno_tf.experiment.run import run

MODES = {"run": run, "pretrain": pretrain, "compare": compare}


def start(mode: str, config, **options) -> None:
    """Does what `python main.py --mode=...` promises; `options`: method, workdir, overwrite, command.

    Raises UserError on a user's mistake.
    """
    MODES[choose("mode", mode, MODES)](config, **options)
