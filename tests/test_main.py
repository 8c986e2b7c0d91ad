"""The real entry, main.py in a process of its own."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import each_method
import numpy as np
import pytest
import small_network
import tensorflow as tf
from pages import without_pictures
from processes import Script, run_main
from short import SHORT

import main
import modes
from reno_tf import compat, data, methods, models, ownership
from reno_tf.reporting import sentences

_ROOT = Path(__file__).parents[1]
_OFFLINE = _ROOT / "tests" / "offline"
_FEW = (
    *SHORT,
    "--config.steps.swa=2",
    "--config.steps.swa_period=1",
    "--config.attack.cache=",
)

_VERDICTS = {"ok", "doubtful", "not applicable"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A short run of each kind of method, each without a network: (what was printed, {method: workdir})."""
    base = tmp_path_factory.mktemp("runs")
    path = os.pathsep.join([str(_OFFLINE), str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, str(_ROOT / "tests" / "each_method.py"), str(base), *_FEW]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, cwd=_ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "asked for the network" not in done.stderr, done.stderr
    return done.stdout, {name: base / name for name in each_method.METHODS}


def _run_small(*arguments):
    """main.py where the small network is known: (status, stdout, stderr)."""
    return Script("tests/small_network.py", *arguments).end()


def test_what_asks_for_the_network_is_refused():
    ask = "import socket; socket.create_connection(('127.0.0.1', 9))"
    environment = {**os.environ, "PYTHONPATH": str(_OFFLINE)}
    done = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "asked for the network: socket.getaddrinfo" in done.stderr


@pytest.mark.parametrize(
    "config", [["--config=configs/reproduce.py:table2"], ["--config", "configs/reproduce.py:table2"]]
)
def test_a_key_may_stand_before_its_config(config):
    """A key that this config has, and the default has not."""
    status, _, err = run_main("--config.reproduce.seeds=0", "--mode=reproduce", *config)
    assert (status, err) == (2, "main.py: config.reproduce.seeds must be at least 1, not 0\n")


def test_help_fits_a_screen_and_names_every_mode_and_flag():
    code, out, err = run_main("--help")
    assert code == 0 and not err and len(out.splitlines()) <= 48
    assert all(len(line) <= 110 for line in out.splitlines())
    for name in (*modes.MODES, *(f"--{option.name}" for option in main.OPTIONS)):
        assert f"  {name} " in out


@pytest.mark.parametrize("mode", modes.MODES.values(), ids=lambda mode: mode.name)
def test_a_mode_takes_the_flags_that_its_row_names(mode):
    taken = inspect.signature(mode.load()).parameters
    assert {"config", *mode.flags, *mode.context} <= taken.keys()
    required = {name for name, parameter in taken.items() if parameter.default is parameter.empty}
    assert required <= {"config", *mode.context}
    flags = {option.name for option in main.OPTIONS}
    assert set(mode.flags) <= flags


def test_a_terminal_is_told_what_will_happen_while_tensorflow_loads():
    terminal, stderr = os.openpty()
    command = [sys.executable, str(_ROOT / "main.py"), "--mode=list_data"]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True)
    os.close(stderr)
    line, blank, end = os.read(terminal, 10_000).decode().split("\r")
    assert line == "list_data: list the data sets (loading TensorFlow)" and blank == " " * len(line) and not end
    assert done.returncode == 0 and len(done.stdout.splitlines()) > 5


@pytest.mark.long
def test_quiet_leaves_the_last_line():
    code, out, err = run_main("--mode=list_data")
    assert code == 0 and not err
    assert run_main("--mode=list_data", "--quiet") == (0, out.splitlines()[-1] + "\n", "")


@pytest.mark.long
@pytest.mark.parametrize(("flags", "level"), [((), "2"), (("--verbosity=1",), "0")])
def test_verbosity_asks_for_tensorflows_notes(flags, level):
    tell = "import atexit, os, main; atexit.register(lambda: print(os.environ['TF_CPP_MIN_LOG_LEVEL'])); main.run()"
    command = [sys.executable, "-c", tell, "--mode=list_data", *flags]
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == level


@pytest.mark.parametrize(
    ("flags", "before", "after"),
    [
        (("--mode=audit", "--attack=quick"), None, "1"),
        (("--mode=audit", "--attack=quick"), "0", "0"),
        (("--mode=audit", "--attack=quick", "--compare"), None, None),
        (("--mode=audit",), None, None),
        (("--attack=quick",), None, None),
    ],
)
def test_onednn_is_brought_in_where_nothing_trains(flags, before, after):
    tell = """if True:
        import os, platform, sys, main
        platform.machine = lambda: "x86_64"
        sys.modules["reno_tf"] = None  # What it is set for would be imported next.
        try:
            main.run()
        except SystemExit:
            print(os.environ.get("TF_ENABLE_ONEDNN_OPTS"))"""
    environment = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {} if before is None else {"TF_ENABLE_ONEDNN_OPTS": before}
    command = [sys.executable, "-c", tell, *flags]
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{after}\n") and "reno_tf" in done.stderr, done.stderr


@pytest.mark.parametrize(("level", "shown"), [("0", "a note\n"), ("2", "")])
def test_native_notes_are_held_back_unless_asked_for(monkeypatch, capfd, level, shown):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    with compat.quiet_native_logs():
        os.write(2, b"a note\n")
    assert capfd.readouterr().err == shown


@pytest.mark.long
@pytest.mark.parametrize("name", each_method.METHODS)
def test_each_kind_of_method_runs_and_writes_everything(runs, name):
    out, workdir = runs[0], runs[1][name]
    assert f"\n{name}: clean " in f"\n{out}" and "ASR" in out
    results = json.loads((workdir / "results.json").read_text())
    assert results["method"] == name and results["dataset"]["num_train"] == 40
    for rate in ("clean_accuracy", "adversarial_accuracy", "attack_success_rate", "noise_success_rate"):
        low, high = results[f"{rate}_ci95"]
        assert 0 <= low <= results[rate] <= high <= 1
    assert (results["versions"]["tensorflow-addons"] is None) == (sys.version_info >= (3, 12))
    assert results["attack"]["epsilon"] == pytest.approx(0.1) and results["attack"]["steps"] == 1
    assert len(results["checks"]) == 5 and {row["verdict"] for row in results["checks"]} <= _VERDICTS
    markdown = (workdir / "report.md").read_text()
    assert all(sentences.of_check(row["reason"], row["figures"]) in markdown for row in results["checks"])
    assert len(json.loads((workdir / "convergence.json").read_text())) == 2
    history = [json.loads(line) for line in (workdir / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in history] == [1, 2, 3, 4] if methods.METHODS[name].schedule.swa else [1, 2]
    assert {"loss", "cross_entropy", "validation_accuracy"} <= history[0].keys()
    html = (workdir / "report.html").read_text()
    assert html.count("data:image/png;base64,") == 5
    assert not re.search("https?:", without_pictures(html))
    for figure in ("training", "examples", "epsilon", "convergence", "data"):
        assert (workdir / "figures" / f"{figure}.png").stat().st_size > 5000
        assert f"figures/{figure}.png" in (workdir / "report.md").read_text()
    assert (workdir / "export" / f"{name}-digits" / "1" / "saved_model.pb").is_file()
    assert not list(ownership.foreign(workdir, ownership.RUN))  # All can be told to be a run's, by name.


@pytest.mark.long
def test_tensorboard_has_every_term_and_the_images(runs):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    workdir = runs[1]["renofeation"]
    events = EventAccumulator(str(workdir / "tensorboard"), {"tensors": 0}).Reload()
    tags = set(events.Tags()["tensors"])
    terms = {"cross_entropy", "weight_decay", "head_decay", "feature_distance", "loss", "accuracy"}
    assert {f"train/{term}" for term in terms} | {"validation/accuracy"} <= tags
    assert {"train/learning_rate", "train/images_per_second"} <= tags
    assert {"data/training", "attack/examples", "attack/epsilon", "run/command", "run/settings"} <= tags
    assert {f"results/{key}" for key in ("clean_accuracy", "attack_success_rate", "worst_case_success_rate")} <= tags
    rates = [float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors("train/learning_rate")]
    assert rates[0] == pytest.approx(0.01 * (1 + np.cos(0)) / 2) and rates[-1] == pytest.approx(0.005)


@pytest.mark.long
def test_the_export_needs_tensorflow_alone_and_gives_the_same_logits(runs, tmp_path, monkeypatch):
    workdir = runs[1]["finetune"]
    images = data.load("digits").test.floats()[:5]
    np.save(tmp_path / "images.npy", images)
    script = (
        "import sys, numpy as np, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "out = model.signatures['floats'](images=tf.constant(np.load(sys.argv[2])))\n"
        "assert not [m for m in sys.modules if m.startswith(('reno_tf', 'tf_keras'))]\n"
        "np.savez(sys.argv[3], **{k: v.numpy() for k, v in out.items()})\n"
    )
    path = workdir / "export" / "finetune-digits" / "1"
    environment = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-c", script, path, tmp_path / "images.npy", tmp_path / "out.npz"]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment, capture_output=True)
    served = np.load(tmp_path / "out.npz")
    # The student as the last checkpoint has it (fine-tuning neither averages nor re-estimates).
    monkeypatch.setitem(models.BACKBONES, "small", small_network.SMALL)
    student = models.build("small", num_classes=10)
    checkpoint = tf.train.latest_checkpoint(str(workdir / "checkpoints" / "train"))
    tf.train.Checkpoint(student=student).restore(checkpoint).expect_partial()
    logits = student(images, training=False)["logits"]
    np.testing.assert_allclose(served["logits"], logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(served["probabilities"].sum(1), 1, rtol=1e-5)
    assert (path / "assets.extra" / "class_names.txt").read_text().split() == [str(i) for i in range(10)]


@pytest.mark.long
def test_a_runs_student_goes_to_devices_and_is_measured_there(runs, tmp_path):
    workdir = runs[1]["finetune"]
    export = ("--mode=export", f"--workdir={workdir}")
    status, out, err = _run_small(*export, f"--to={tmp_path / 'phone'}", "--format=tflite")
    assert status == 0, err
    files = [f"finetune-digits-{form}.tflite" for form in ("float16", "int8", "int8_weights")]
    assert sorted(path.name for path in (tmp_path / "phone").iterdir()) == [
        *files,
        "finetune-digits-labels.txt",
        "model_card.md",
    ]
    card = (tmp_path / "phone" / "model_card.md").read_text()
    results = json.loads((workdir / "results.json").read_text())
    for name in files:
        assert f"{name}: clean " in out and f"| {name} | " in card
    assert f"| the run's student | | {100 * results['clean_accuracy']:.1f} % |" in card
    status, out, err = _run_small(*export, f"--to={tmp_path / 'onnx'}", "--format=onnx")
    assert status == 0, err
    assert sorted(path.name for path in (tmp_path / "onnx").iterdir()) == [
        "finetune-digits-labels.txt",
        "finetune-digits.onnx",
        "model_card.md",
    ]
    # Nothing is rounded there: the clean accuracy is the student's own.
    assert f"finetune-digits.onnx: clean {100 * results['clean_accuracy']:.1f} %" in out
    status, out, err = _run_small(*export, f"--to={tmp_path / 'x'}", "--format=coreml")
    assert status == 2 and "unknown format 'coreml'; choose one of: onnx, saved_model, tflite" in err
    assert not (tmp_path / "x").exists()


@pytest.mark.long
def test_a_finished_run_is_not_redone_and_another_run_is_refused(runs):
    workdir = runs[1]["linear"]
    paths = [path for path in workdir.rglob("*") if path.is_file() and path.name != ownership.MARKER]
    before = {path: path.stat().st_mtime_ns for path in paths}  # The marker then says what it was asked for last.
    networks = small_network.chosen(workdir.parent)
    status, out, err = _run_small("--method=linear", f"--workdir={workdir}", *networks, *_FEW)
    assert status == 0 and "finished already" in out, err
    status, out, err = _run_small("--method=finetune", f"--workdir={workdir}", *networks, *_FEW)
    assert status == 2 and "method.name is linear, not finetune" in err and len(err.splitlines()) == 1
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


@pytest.mark.long
@pytest.mark.parametrize("finished", [True, False])
def test_a_run_of_an_earlier_format_is_refused_and_left_as_it_is(tmp_path, finished):
    content = {"config.json": '{"seed": 0, "model": {"backbone": "resnet18_cifar"}}', "history.jsonl": '{"step": 50}'}
    content |= {"results.json": "{}"} if finished else {"checkpoints/train/checkpoint": "newest"}
    for name, text in content.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    status, out, err = run_main(f"--workdir={tmp_path}", *_FEW)
    assert status == 2 and not out and len(err.splitlines()) == 1, err
    assert "holds a run of another version, whose settings this one does not read (format 1, not 4)" in err
    assert "choose another --workdir" in err
    there = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert there == content


# argument: what the line names
_MISTAKES = {
    "--method=finetun": "unknown method 'finetun'; did you mean finetune? choose one of: ",
    "--metod=finetune": "no flag --metod; did you mean --method or --mode?",
    "--atack=quick": "no flag --atack; did you mean --attack",
    "--epsilon=0.1": "no flag --epsilon; did you mean --config.attack.epsilon?",
    "--seed=1": "no flag --seed; did you mean --config.seed or --config.attack.seed?",
    "--mode=inspct": "unknown mode 'inspct'; did you mean inspect? choose one of: ",
    "--backbone=resnet_18": "unknown config.model.backbone 'resnet_18'; did you mean resnet18",
    "--attack=disrupton": "unknown attack preset 'disrupton'; did you mean disruption",
    "--config.data.name=flower": "unknown config.data.name 'flower'; did you mean flowers",
    "--config.method.feature_wieght=1": "renofeation has no coefficient feature_wieght (config.method); did you mean ",
    "--config=configs/none.py": "configs/none.py",
    "--config.optimiser.momentum=0": "no config key optimiser.momentum; did you mean optimizer.momentum",
    "--config.feature_weight=3": "no config key feature_weight; configs/default.py has all keys; method.NAME is a ",
    "--config.recipes.teachers.momentum=0": "no config key recipes.teachers.momentum; did you mean optimizer.momentum",
    "--config.atack.epsilon=0.1": "no config key atack.epsilon; did you mean attack.epsilon",
    "--config.attack.epsilom=0.1": "no config key attack.epsilom; did you mean attack.epsilon",
    "--config.Seed=1": "no config key Seed; did you mean seed",
    "--noconfig.swapp": "no config key swapp; did you mean swa",
    "--config.data.name.x=1": "no config key data.name.x; did you mean data.name",
    "--config.optimizer.lr=1": "optimizer.learning_rate",
    "--config.method.foo=1": "renofeation has no coefficient foo (config.method); choose one of: ",
    "--config.recipes.random.train=many": "config.recipes.random.train must be a whole number, not 'many'",
    "--config.optimizer.learning_rate=nan": "config.optimizer.learning_rate must be a finite number, not nan",
    "--config.attack.steps=many": "config.attack.steps=many",
    "--config.attack.epsilon=8": "counts [0, 1] pixels, and must be at most 1, not 8; 8 of 255 is 0.0314",
    "--config.attack.seed=-1": "config.attack.seed must be at least 0, not -1",
    "--config.attack.epsilon=-0.1": "config.attack.epsilon must be at least 0, not -0.1",
    "--config.model.weights=none.safetensors": "no weights file none.safetensors",
    "--overwrit": "overwrit",
    "overwrite": "unexpected argument 'overwrite'",
    "--workdir=/proc/run": "/proc/run cannot be written",
}


@pytest.mark.long
def test_each_mistake_gets_one_line_and_leaves_nothing(tmp_path):
    def attempt(mistake):
        # From the repository's folder: the config is found there. Nothing may be written anywhere.
        workdir = [] if mistake.startswith("--workdir") else [f"--workdir={tmp_path / 'run'}"]
        return Script("main.py", *workdir, mistake)

    for mistake, script in {mistake: attempt(mistake) for mistake in _MISTAKES}.items():  # All at once.
        status, out, err = script.end()
        assert status == 2, (mistake, out, err)
        assert len(err.splitlines()) == 1 and err.startswith("main.py: "), (mistake, err)
        assert _MISTAKES[mistake] in err, (mistake, err)
        assert len(err) < 500, err  # Of many names, the nearest.
        assert not out, (mistake, out)
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_reproduce_runs_and_writes_the_figure(tmp_path):
    small = ("data=('digits',)", "tuned=()", "feature_weights=(0.25,)", "few_seeds=1")
    flags = ["--mode=reproduce", "--config=configs/reproduce.py:figure4", f"--workdir={tmp_path / 'runs'}"]
    flags += [f"--config.reproduce.{change}" for change in small] + list(_FEW)
    assert run_main(*flags)[::2] == (0, "")
    outcome = json.loads((tmp_path / "runs" / "results" / "figure4.json").read_text())
    (row,) = outcome["rows"]
    run = "delta@lambda=0.25-resnet18-digits-0"
    assert row["cells"]["digits"]["runs"] == [run] and outcome["missing"] == [] and outcome["chosen"] == {"digits": 0.5}
    results = json.loads((tmp_path / "runs" / run / "results.json").read_text())
    assert row["cells"]["digits"]["attack_success_rate"] == [results["attack_success_rate"]]
    assert {path.suffix for path in (tmp_path / "runs" / "results").iterdir()} == {
        ".json",
        ".md",
        ".tex",
        ".csv",
        ".jsonl",
        ".png",
        ".svg",
    }
    assert (tmp_path / "runs" / run / "report.html").is_file()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the runs above do the same")
def test_a_short_run_with_the_own_averaging(tmp_path):
    flags = (f"--workdir={tmp_path / 'run'}", *small_network.chosen(tmp_path), *_FEW)
    status, out, err = _run_small(*flags)
    assert status == 0, err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["method"] == "renofeation"
    assert results["versions"]["tensorflow-addons"] is None
