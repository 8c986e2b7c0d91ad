"""Renofeation for TensorFlow. See README.md; `python main.py --help` lists the flags.

Where the project is installed, this file and configs/ are the package reno_tf_main, and `reno-tf` is the command.
"""

import contextlib
import difflib
import io
import os
import platform
import re
import shlex
import sys
import traceback
from pathlib import Path

_HOME = Path(__file__).parent
if str(_HOME) not in sys.path:
    sys.path.insert(0, str(_HOME))  # configs/ lies beside this file.

import endings  # noqa: E402
import modes  # noqa: E402
from endings import fail  # noqa: E402

with endings.one_line():  # An environment without them is not a verdict on a model.
    from absl import app, flags, logging
    from ml_collections import ConfigDict, config_flags

    from configs import default

OPTIONS = [  # beside the config; None and False are as good as absent
    flags.DEFINE_string("method", None, "Transfer method, a key of reno_tf.methods.METHODS (default renofeation)."),
    flags.DEFINE_string("workdir", None, "Folder of the run; default runs/<method>-<data>-<seed>."),
    flags.DEFINE_string("file", None, "Weights file to import: .safetensors, .pth and the like, .h5 or .keras."),
    flags.DEFINE_string(
        "student",
        None,
        "Model to audit or inspect: a file or folder of Keras, TensorFlow, ONNX (docs/audit.md).",
    ),
    flags.DEFINE_bool("trust", False, "With --mode=audit or inspect: open a SavedModel that does more than compute."),
    flags.DEFINE_bool("compare", False, "With --mode=audit: train Renofeation on the same data and compare."),
    flags.DEFINE_float(
        "warn_above", None, "With --mode=audit: print a line if the worst case is surely above, as 0.1."
    ),
    flags.DEFINE_float("fail_above", None, "With --mode=audit: exit with 1 if the worst case is surely above, as 0.2."),
    flags.DEFINE_list("report", None, "With --mode=audit: sarif, junit or both, also write report.sarif or junit.xml."),
    flags.DEFINE_integer(
        "save_images", None, "With --mode=audit: keep so many adversarial images of each attack as PNGs."
    ),
    flags.DEFINE_bool("half", False, "With --mode=import_weights: keep kernels as float16."),
    flags.DEFINE_string("to", None, "With --mode=export: TF Serving's model base path, which gets the next version."),
    flags.DEFINE_string("format", None, "With --mode=export: saved_model (the default), tflite or onnx (for devices)."),
    flags.DEFINE_string("backbone", None, "The public backbone (config.model.backbone)."),
    flags.DEFINE_string(
        "teacher", None, "Its weights, by name or file; in an audit also: student (config.model.weights)."
    ),
    flags.DEFINE_string("attack", None, "An attack, suite, quick or adaptive (config.attack.preset; docs/attacks.md)."),
    flags.DEFINE_float("cache_limit", None, "GB of adversarial sets to keep (config.attack.cache_limit)."),
    flags.DEFINE_bool("dry_run", False, "With --mode=reproduce: print the runs, their time and disk; do none."),
    flags.DEFINE_string("ray_address", None, "With --mode=reproduce: a Ray cluster's address; default this machine."),
    flags.DEFINE_bool("delete", False, "With --mode=clean: remove what is kept beside runs."),
    flags.DEFINE_bool("overwrite", False, "Delete the run in the workdir and start anew."),
    flags.DEFINE_bool("skip_unreadable", False, "Drop images that cannot be decoded (config.data.skip_unreadable)."),
]
MODE = flags.DEFINE_string("mode", "run", "What to do, a key of modes.MODES.")
QUIET = flags.DEFINE_bool("quiet", False, "Print the last line alone, and what is wrong.")


# A method's coefficients are known once the method is; the rest is what configs/default.py has.
OPEN_SECTIONS = ("method.", "recipes.teacher.", "recipes.random.", "reproduce.")


def keys(config, prefix=""):
    """The names of all keys: "seed", "data.name", ..."""
    for key, value in config.items():
        yield from keys(value, f"{prefix}{key}.") if hasattr(value, "items") else [prefix + key]


KEYS = sorted(keys(default.get_config()))


def main(argv):
    if argv[1:]:
        fail(f"unexpected argument {argv[1]!r}; flags look like --method=renofeation")
    if flags.FLAGS.verbosity > 0:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"  # TensorFlow's own notes
    else:
        logging.set_verbosity(logging.WARNING)
    _speed_up()
    with _waiting():  # TensorFlow takes seconds to load, --help should not.
        from reno_tf import TooExposed, UserError, hardware, interruption, progress

        if MODE.value in modes.MODES:
            modes.MODES[MODE.value].load()
        hardware.settle()
    interruption.unwind()
    command = shlex.join([*_program(), *sys.argv[1:]])
    sys.stdout.reconfigure(errors="backslashreplace")  # A class's name may be in another script than the terminal's.
    said = config_flags.get_override_values(flags.FLAGS["config"])
    options, printed = {option.name: option.value for option in OPTIONS}, sys.stdout
    if QUIET.value:
        progress.hide()
        printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            modes.start(MODE.value, flags.FLAGS.config, command=command, said=said, **options)
    except TooExposed as error:
        _print_last_line(printed)
        fail(error, endings.EXPOSED)
    except UserError as error:
        fail(error)
    except SystemExit as end:
        if endings.names_a_signal(end):
            raise
        raise RuntimeError(f"something called sys.exit({end.code!r})") from end
    _print_last_line(printed)


def _speed_up():
    """Where nothing trains, oneDNN also on x86 without AVX512-VNNI. TensorFlow leaves it out there (docs/speed.md)."""
    flag = flags.FLAGS
    trains_nothing = MODE.value == "audit" and "quick" in (flag.attack, flag.config.attack.preset) and not flag.compare
    if trains_nothing and platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextlib.contextmanager
def _waiting():
    """A line on the terminal that says what will happen, until it begins."""
    mode = modes.MODES.get(MODE.value)
    line = f"{MODE.value}: {mode.help if mode else ''} (loading TensorFlow)"
    shown = sys.stderr.isatty() and not QUIET.value
    if shown:
        print(line, end="\r", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print(" " * len(line), end="\r", file=sys.stderr, flush=True)


def _print_last_line(printed):
    if QUIET.value:
        print(*printed.getvalue().splitlines()[-1:])


def _program():
    """The words that start it, as a user writes them."""
    name = Path(sys.argv[0]).name
    return [name] if name == "reno-tf" else ["python", sys.argv[0]]


def show_help():
    """What fits on a screen; absl's --helpfull has the rest."""
    print(
        f"{' '.join(_program())} [--mode=MODE] [--config=FILE] [--config.KEY=VALUE ...] [FLAGS]",
        "\nmodes:",
        *(f"  {mode.name:15} {mode.help}" for mode in modes.MODES.values()),
        "\nflags:",
        *(f"  --{option.name:16} {flags.FLAGS[option.name].help}" for option in (*OPTIONS, QUIET)),
        "\nkeys of the config: configs/default.py; methods: docs/defences.md; attacks: docs/attacks.md",
        sep="\n",
    )


def parse(argv):
    if {"--help", "-help", "-h", "-?"} & set(argv[1:]):
        show_help()
        sys.exit(0)
    argv, config = _config_first(argv)
    try:  # Here, because it reads --config.KEY=VALUE as soon as it is defined.
        config_flags.DEFINE_config_file(
            "config",
            None,
            "Settings; --config.KEY=VALUE changes one.",
            lock_config=False,
            sys_argv=argv,
            accept_new_attributes=True,
        )
        rest = flags.FLAGS(argv)
        _refuse_other_keys(flags.FLAGS.config, config)
    except endings.End:
        raise
    except flags.UnrecognizedFlagError as error:
        fail(f"no flag --{error.flagname}{_meant(error.flagname, _names(), '--')}; --help lists the flags")
    except (Exception, SystemExit) as error:
        _refuse(error, argv, config)
    return rest


def _config_first(argv):
    """The command line with --config=FILE before all else, so that --config.KEY=VALUE changes it; and FILE."""
    config, rest, words = "configs/default.py", [], iter(argv[1:])
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("--config", "-config"):
            config = value if equals else next(words, "")
        else:
            rest.append(word)
    config = _shipped(config)
    return [argv[0], f"--config={config}", *rest], config


def _shipped(config):
    """A config, FILE.py or FILE.py:PART, of the working directory or else of the project."""
    config = os.path.expanduser(config)
    file = config.partition(":")[0]
    if Path(file).is_file():
        return config
    if not (_HOME / file).is_file():
        shipped = [str(path.relative_to(_HOME)) for path in sorted(_HOME.glob("configs/*.py"))]
        fail(f"no config file {file}; the project's are {', '.join(shipped)}")
    return str(_HOME / config)


def _refuse(error, argv, config):
    """Ends the program with what the config raised and where, or else with what is wrong in the command line."""
    file, raised = config.partition(":")[0], error
    while raised is not None:  # ml_collections and absl wrap it.
        lines = [frame.lineno for frame in traceback.extract_tb(raised.__traceback__) if frame.filename == file]
        if isinstance(raised, SyntaxError) and raised.filename == file:
            lines = [raised.lineno]
        if lines:
            kind = "" if isinstance(raised, ValueError) else f"{type(raised).__name__}: "  # Else it is a message.
            fail(f"{kind}{raised} ({file}, line {lines[-1]})")
        raised = raised.__cause__ or raised.__context__
    if isinstance(error, OSError):  # ml_collections tells first where it has looked.
        fail(f"{file}: {str(error).splitlines()[-1]}")
    if isinstance(error, SystemExit):  # absl's --helpfull ends with 1.
        sys.exit(0)
    for word in argv:  # What absl says of such a key is about Python.
        if match := re.match(r"--?(?:no)?config\.([\w.]+)", word):
            _refuse_key(match[1])
    fail(error)


def _refuse_other_keys(config, file):
    """A config that another program could use has neither more nor fewer keys than the default."""
    getattr(config, "seed", None)  # Raises what the file could not be opened for.
    if not isinstance(config, ConfigDict):
        fail(f"{file}: get_config() must return a ConfigDict, not {type(config).__name__}")
    names = list(keys(config))
    for key in names:
        _refuse_key(key)
    if lacking := [key for key in KEYS if key not in names]:
        fail(f"{file} lacks the key {lacking[0]}; begin with configs/default.py, and change what differs")


def _refuse_key(key):
    if key not in KEYS and not key.startswith(OPEN_SECTIONS):
        places = "configs/default.py has all keys; method.NAME is a coefficient of the method"
        fail(f"no config key {key}{_meant(key, KEYS)}; {places}")


def _names():
    """What may stand behind "--"."""
    return [*(option.name for option in (*OPTIONS, MODE, QUIET)), "config", *(f"config.{key}" for key in KEYS)]


def _meant(name, choices, sign=""):
    """ "; did you mean ...?": those that end alike, and the nearest."""
    last = name.rpartition(".")[2]
    alike = sorted((choice for choice in choices if choice.rpartition(".")[2] == last), key=len)
    nearest = list(dict.fromkeys([*alike, *difflib.get_close_matches(name, choices)]))[:3]
    return f"; did you mean {' or '.join(sign + choice for choice in nearest)}?" if nearest else ""


def run():
    endings.open_closed_streams()
    with endings.one_line(verbose=lambda: flags.FLAGS.is_parsed() and flags.FLAGS.verbosity > 0):
        try:
            app.run(main, flags_parser=parse)
        finally:
            sys.stdout.flush()  # While there is someone to tell that it could not be printed.


if __name__ == "__main__":
    run()
