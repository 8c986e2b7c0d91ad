"""Renofeation for TensorFlow. See README.md; `python main.py --help` lists the flags."""

import sys

from absl import app, flags, logging
from ml_collections import config_flags

flags.DEFINE_string("method", "renofeation", "Transfer method: a key of reno_tf.methods.METHODS.")
flags.DEFINE_string("mode", "run", "What to do: run, pretrain or compare.")
flags.DEFINE_string("workdir", None, "Folder of the run; default runs/<method>-<data>-<seed>.")
flags.DEFINE_bool("overwrite", False, "Delete the run in the workdir and start anew.")


def main(argv):
    logging.set_verbosity(logging.WARNING)
    options = flags.FLAGS
    if argv[1:]:
        raise flags.Error(f"unexpected argument {argv[1]!r}; flags look like --method=renofeation")
    config = options.config  # Fails here if there is no such file.
    from reno_tf import experiment  # Late: TensorFlow takes seconds to load, --help should not.

    experiment.start(
        options.mode,
        config,
        method=options.method,
        workdir=options.workdir,
        overwrite=options.overwrite,
        command=" ".join(["python", *sys.argv]),
    )


def parse(argv):
    # Here, because it reads --config.KEY=VALUE as soon as it is defined.
    config_flags.DEFINE_config_file("config", "configs/default.py", "Settings; --config.KEY=VALUE changes one.")
    return flags.FLAGS(argv)


def one_line(function):
    """Turns a user's mistake into one line and exit status 2; any other error keeps its traceback."""

    def wrapped(argv):
        mistakes = (flags.Error, OSError, *((ValueError, LookupError, AttributeError) if function is parse else ()))
        try:
            return function(argv)
        except Exception as error:
            if not isinstance(error, mistakes) and type(error).__name__ != "UserError":
                raise
            print(f"main.py: {' '.join(str(error).split())}", file=sys.stderr)
            sys.exit(2)

    return wrapped


if __name__ == "__main__":
    app.run(one_line(main), flags_parser=one_line(parse))
