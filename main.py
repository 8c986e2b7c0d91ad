"""Renofeation for TensorFlow. See README.md; `python main.py --help` lists the flags."""

import sys

from absl import app, flags
from ml_collections import config_flags

from configs.default import unknown_keys

OPTIONS = [  # beside the config; None and False are as good as absent
    flags.DEFINE_string("method", None, "Transfer method, a key of reno_tf.methods.METHODS (default renofeation)."),
    flags.DEFINE_string("workdir", None, "Folder of the run; default runs/<method>-<data>-<seed>."),
    flags.DEFINE_string("file", None, "Weights file to import: .pth, .safetensors or .h5."),
    flags.DEFINE_string("student", None, "Model to audit: a SavedModel folder, or a file .keras or .h5."),
    flags.DEFINE_bool("compare", False, "With --mode=audit: train Renofeation on the same data and compare."),
    flags.DEFINE_string("to", None, "With --mode=export: TF Serving's model base path, which gets the next version."),
    flags.DEFINE_string("backbone", None, "The public backbone (config.model.backbone)."),
    flags.DEFINE_string("teacher", None, "Its weights, by name or file (config.model.weights)."),
    flags.DEFINE_string("attack", None, "An attack, or suite (config.attack.preset)."),
    flags.DEFINE_float("cache_limit", None, "GB of adversarial sets to keep (config.attack.cache_limit)."),
    flags.DEFINE_bool("dry_run", False, "With --mode=reproduce: print the runs, their time and disk; do none."),
    flags.DEFINE_string("ray_address", None, "With --mode=reproduce: a Ray cluster's address; default this machine."),
    flags.DEFINE_bool("overwrite", False, "Delete the run in the workdir and start anew."),
    flags.DEFINE_bool("skip_unreadable", False, "Drop images that cannot be decoded (config.data.skip_unreadable)."),
]
flags.DEFINE_string("mode", "run", "What to do, a key of reno_tf.commands.MODES.")


def main(argv):
    if argv[1:]:
        fail(f"unexpected argument {argv[1]!r}; flags look like --method=renofeation")
    from reno_tf import (
        UserError,  # Late: TensorFlow takes seconds to load, --help should not.
        commands,
    )

    command = " ".join(["python", *sys.argv])
    options = {option.name: option.value for option in OPTIONS}
    try:
        commands.start(flags.FLAGS.mode, flags.FLAGS.config, command=command, **options)
    except (UserError, OSError) as error:
        fail(error)


def parse(argv):
    try:  # Here, because it reads --config.KEY=VALUE as soon as it is defined.
        config_flags.DEFINE_config_file("config", "configs/default.py", "Settings; --config.KEY=VALUE changes one.")
        return flags.FLAGS(argv)
    except (AttributeError, KeyError, TypeError) as error:  # What they say of a key is about Python.
        return fail(unknown_keys(argv) or error)
    except (flags.Error, ValueError) as error:
        return fail(str(error).split("\nValueError: ")[-1])  # A config's own message, without the traceback.


def fail(mistake):
    print(f"main.py: {' '.join(str(mistake).split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    app.run(main, flags_parser=parse)
