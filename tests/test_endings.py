"""How main.py ends: 1 is a verdict on a model, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import Script, run_main

_ROOT = Path(__file__).parents[1]
_INTERNAL = {
    "value": "ValueError: two lines;",
    "nothing": "AssertionError;",
    "recursion": "RecursionError: maximum recursion depth",
    "memory": "MemoryError: Unable to allocate 3 TiB;",
    "tensorflow": "InvalidArgumentError: ",
    "no gradient": "LookupError: No gradient defined for operation 'x';",
    "import": "ModuleNotFoundError: No module named 'no_such_package';",
    "unprintable": "Unprintable;",
    "exit 0": "something called sys.exit(0);",
    "exit 1": "something called sys.exit(1);",
    "exit text": 'something called sys.exit("a library\'s own words");',
    "generator": "GeneratorExit;",
    "child": "CalledProcessError: ",
}


def test_an_internal_error_ends_with_70_one_line_and_a_log(tmp_path):
    scripts = {how: Script("tests/failing.py", how, environment={"TMPDIR": str(tmp_path)}) for how in _INTERNAL}
    for how, script in scripts.items():
        status, out, err = script.end()
        assert (status, out) == (70, ""), (how, err)
        assert len(err.splitlines()) == 1 and err.startswith("failing.py: internal error: "), err
        assert _INTERNAL[how] in err, err
        log = Path(err.split("its traceback is in ")[1].split(";")[0].strip())
        assert log.parent == tmp_path and "Traceback (most recent call last)" in log.read_text()
    assert len(list(tmp_path.iterdir())) == len(_INTERNAL)


def test_a_run_keeps_the_log_until_it_is_made_good(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    status, _, err = Script("tests/failing.py", "value", run).end()
    assert status == 70 and f"its traceback is in {run}/reno_tf_error.log" in err
    assert "the same command" in err and "resumes" in err
    assert "ValueError: two\nlines" in (run / "reno_tf_error.log").read_text()
    assert {path.name for path in run.iterdir()} == {"reno_tf_error.log", ".lock"}
    status, _, err = Script("tests/failing.py", "disk", run).end()
    assert status == 2 and (run / "reno_tf_error.log").is_file()


def test_a_log_that_cannot_be_written_is_told_in_the_same_line():
    status, _, err = Script("tests/failing.py", "value", environment={"TMPDIR": "/no/such"}).end()
    assert status == 70 and len(err.splitlines()) == 1
    assert "internal error: ValueError: two lines; " in err and "no traceback could be written (No such file" in err


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        ("interrupt", 130, "interrupted"),
        ("terminate", 143, "interrupted; the same command resumes"),
        ("sweep", 143, ""),
        ("disk", 2, "No space left on device"),
    ],
)
def test_signals_and_full_disks_keep_their_own(how, status, message):
    ended, _, err = Script("tests/failing.py", how).end()
    assert ended == status and message in err and "Traceback" not in err and "internal" not in err


def test_verbosity_shows_the_traceback():
    status, _, err = Script("tests/failing.py", "value", "--verbosity=1").end()
    assert (
        status == 70 and "Traceback (most recent call last)" in err and err.splitlines()[-1].startswith("failing.py:")
    )


_CONFIGS = {
    "from configs.default import get_config\n1 / 0\n": "ZeroDivisionError: division by zero ({file}, line 2)",
    "from configs import default\ndef get_config():\n    config = default.get_config()\n    return confg\n": (
        "NameError: name 'confg' is not defined ({file}, line 4)"
    ),
    "def get_config(:\n": "SyntaxError: ",
    "import no_such_package\n": "ModuleNotFoundError: No module named 'no_such_package' ({file}, line 1)",
    "import sys\nsys.exit('not today')\n": "SystemExit: not today ({file}, line 2)",
    "open('no such file')\n": "{file}: [Errno 2] No such file or directory: 'no such file'",
    "def get_config():\n    raise ValueError('choose a data set')\n": "choose a data set ({file}, line 2)",
    "def get_config():\n    pass\n": "get_config() must return a ConfigDict, not NoneType",
    "x = 3\n": "get_config",
    "import ml_collections\ndef get_config():\n    return ml_collections.ConfigDict()\n": "lacks the key attack.batch",
    "from configs import default\ndef get_config():\n    config = default.get_config()\n    config.atack = 3\n"
    "    return config\n": "no config key atack",
    "from configs import default\ndef get_config():\n    config = default.get_config()\n    config.optimizer.lr = 3\n"
    "    return config\n": "no config key optimizer.lr; did you mean optimizer.learning_rate",
    "\0": "null bytes",
}


def test_a_mistake_in_a_config_is_the_users(tmp_path):
    scripts = {}
    for number, (content, message) in enumerate(_CONFIGS.items()):
        file = tmp_path / f"config{number}.py"
        file.write_text(content)
        scripts[message.format(file=file)] = Script("main.py", f"--config={file}", "--mode=list_data")
    for message, script in scripts.items():
        status, out, err = script.end()
        assert (status, out) == (2, "") and "Traceback" not in err, (message, err)
        assert message in err.splitlines()[-1], (message, err)


@pytest.mark.parametrize(
    ("flags", "status"), [(["--helpfull"], 0), (["--helpshort"], 0), (["--verbosity=loud"], 2), (["--flagfile=no"], 2)]
)
def test_absls_own_ends_are_no_verdict(flags, status):
    ended, _, err = run_main(*flags)
    assert ended == status and "Traceback" not in err and len(err.splitlines()) == (status > 0)


def _start(command, **options):
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    return subprocess.run(command, cwd=_ROOT, env=environment, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize(
    ("into", "status"), [("| head -c 0; exit ${PIPESTATUS[0]}", 141), ("> /dev/full", 2), (">&-", 0)]
)
def test_an_output_that_nobody_reads(into, status):
    done = _start(["bash", "-c", f"{sys.executable} main.py --help {into}"])
    assert done.returncode == status and len(done.stderr.splitlines()) == (status > 0), done.stderr


@pytest.mark.parametrize("entry", ["main.py", "reno-tf"])
@pytest.mark.parametrize("lacking", ["absl", "ml_collections", "tensorflow", "reno_tf"])
def test_an_environment_that_lacks_a_package_is_no_verdict(entry, lacking, tmp_path):
    start = f"import sys; sys.modules[{lacking!r}] = None; sys.argv[0] = {entry!r}; "
    start += (
        "import main; main.run()"
        if entry == "reno-tf"
        else "import runpy; runpy.run_path('main.py', run_name='__main__')"
    )
    done = _start([sys.executable, "-c", start, "--mode=list_data"], stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (70, ""), done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"{entry}: internal error: ModuleNotFoundError: ") and lacking in last and "README" in last
