"""What `python main.py --mode=...` does: a file for each mode."""

import gc
import inspect
import os
from collections.abc import Collection

from absl import logging

from reno_tf.commands.audit import audit
from reno_tf.commands.clean import clean
from reno_tf.commands.export import export
from reno_tf.commands.import_weights import import_weights
from reno_tf.commands.inspect_model import inspect as inspect_model
from reno_tf.commands.prepare_data import list_data, prepare_data
from reno_tf.commands.pretrain import pretrain
from reno_tf.commands.report import report
from reno_tf.commands.reproduce import reproduce
from reno_tf.commands.run import run
from reno_tf.commands.taps import taps
from reno_tf.errors import UserError, choose

_FUNCTIONS = (
    run,
    audit,
    inspect_model,
    pretrain,
    reproduce,
    report,
    export,
    import_weights,
    taps,
    prepare_data,
    list_data,
    clean,
)
MODES = {function.__name__: function for function in _FUNCTIONS}
gc.freeze()  # What a program has loaded stays: the collection after each attack need not look through it.
# A flag that stands for a key of the config.
_SHORT = {
    "backbone": "model.backbone",
    "teacher": "model.weights",
    "attack": "attack.preset",
    "cache_limit": "attack.cache_limit",
    "skip_unreadable": "data.skip_unreadable",
}
_PATHS = {"workdir", "student", "file", "to"}  # flags


def start(mode: str, config, *, command: str, said: Collection[str] = (), **options) -> None:
    """Does what `python main.py --mode=...` promises.

    `command`: the command line, for the report; `said`: the config's keys in it. **options: the flags by name; None and
    False are as good as absent; "~" before a path is the user's home. Raises UserError for a mistake of the user, also
    for an option that the mode does not have.
    """
    logging.set_verbosity(logging.WARNING)
    choose("mode", mode, MODES)
    taken = {name: set(inspect.signature(function).parameters) for name, function in MODES.items()}
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    given |= {name: os.path.expanduser(given[name]) for name in given.keys() & _PATHS}
    for name in sorted(given.keys() & _SHORT.keys()):
        config.update_from_flattened_dict({_SHORT[name]: given.pop(name)})
    for name in given.keys() - taken[mode]:
        allowed = " or ".join(f"--mode={other}" for other in MODES if name in taken[other])
        raise UserError(f"--{name} goes with {allowed}, not with --mode={mode}")
    if config.distribution != "none" and mode != "run":
        raise UserError(f"config.distribution={config.distribution} goes with --mode=run, not with --mode={mode}")
    given |= {name: value for name, value in {"command": command, "said": said}.items() if name in taken[mode]}
    MODES[mode](config, **given)
