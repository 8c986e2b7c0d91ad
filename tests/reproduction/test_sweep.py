import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import pickle
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reno_tf.errors import UserError
from reno_tf.reproduction import sweep
from reno_tf.reproduction.sweep.worker import OneByOne, Outcome, environment, work

_NEEDS_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra sweeps is not installed")
_POOLS = [
    pytest.param(True, id="ray", marks=_NEEDS_RAY),
    pytest.param(False, id="one_by_one"),
]


def _train(path):
    """Some steps whose sums depend on TensorFlow's threads; tells what the worker found, and what it got."""
    import tensorflow as tf

    random = tf.random.Generator.from_seed(0)
    images, kernel = random.normal((64, 32, 32, 8)), tf.Variable(random.normal((3, 3, 8, 8), stddev=0.1))
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.conv2d(images, kernel, 1, "SAME") ** 2)
        kernel.assign_sub(tape.gradient(loss, kernel))
    digest = hashlib.sha256(kernel.numpy().tobytes()).hexdigest()
    variables = {name: os.environ.get(name) for name in environment(cpus=1, gpus=0)}
    content = {"digest": digest, "environment": variables, "folder": os.getcwd(), "process": os.getpid()}
    path.write_text(json.dumps(content))


def _die_once(path):
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _raise(error):
    raise error


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """With Ray or without -> what came of three tasks, and what `_train` told."""

    @functools.cache
    def sweep_once(with_ray):
        folder = tmp_path_factory.mktemp("sweep")
        calls = {
            "train": functools.partial(_train, folder / "trained.json"),
            "die": functools.partial(_die_once, folder / "died"),
            "raise": functools.partial(_raise, ValueError("first\nsecond")),
        }
        lines = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sweep, "_has_ray", lambda: with_ray)
            patch.setenv("TF_NUM_INTRAOP_THREADS", "7")
            patch.chdir(folder)
            tasks = [sweep.Task(name, call) for name, call in calls.items()]
            failed = sweep.execute(tasks, cpus=1, report=lines.append)
            assert os.environ["TF_NUM_INTRAOP_THREADS"] == "7"
        return {
            "folder": folder,
            "failed": failed,
            "lines": lines,
            "trained": json.loads((folder / "trained.json").read_text()),
        }

    return sweep_once


@pytest.mark.long
@pytest.mark.parametrize("with_ray", _POOLS)
def test_what_raises_fails_and_what_dies_is_called_again(swept, with_ray):
    result = swept(with_ray)
    assert result["failed"] == {"raise": "ValueError: first"}
    text = "\n".join(result["lines"])
    assert "Traceback" in text and "in _raise" in text and "second" in text
    (again,) = (line for line in result["lines"] if "tried again" in line)
    assert again.startswith("die: its process was")
    assert [line[:3] for line in result["lines"] if " after 0:" in line] == ["1/3", "2/3", "3/3"]
    assert result["lines"][-1].endswith("about 0:00:00 left")


@pytest.mark.long
@pytest.mark.parametrize("with_ray", _POOLS)
def test_a_worker_has_its_own_process_the_drivers_folder_and_the_stated_threads(swept, with_ray):
    result = swept(with_ray)
    trained = result["trained"]
    assert trained["process"] != os.getpid()
    assert trained["folder"] == str(result["folder"])
    threads = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    assert trained["environment"] == {**dict.fromkeys(threads, "1"), "CUDA_VISIBLE_DEVICES": "-1"}


@pytest.mark.long
@_NEEDS_RAY
def test_ray_and_one_by_one_train_the_same_bits(swept):
    assert swept(True)["trained"]["digest"] == swept(False)["trained"]["digest"]


class _Losing:
    """A pool whose workers die a stated number of times."""

    def __init__(self, deaths):
        self._deaths, self._waiting, self.calls = dict(deaths), [], []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def submit(self, name, payload):
        self._waiting.append((name, payload))

    def finished(self):
        name, payload = self._waiting.pop(0)
        self.calls.append(name)
        if self._deaths.get(name, 0) >= self.calls.count(name):
            return name, Outcome(1.0, "its process was killed", lost=True)
        return name, work(payload, os.getcwd())


def test_a_dying_worker_is_tried_as_often_as_said(monkeypatch):
    pool = _Losing({"twice": 2, "often": 9})
    monkeypatch.setattr(sweep, "_pool", lambda *_: pool)
    tasks = [sweep.Task(name, int) for name in ("twice", "often", "never")]
    failed = sweep.execute(tasks, cpus=1, report=lambda line: None, tries=3)
    assert failed == {"often": "its process was killed"}
    assert pool.calls == ["twice", "often", "never", "twice", "often", "twice", "often"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("no such\n data set"), "no such data set"),
        (FileNotFoundError(2, "No such file or directory", "x.jpg"), "[Errno 2] No such file or directory: 'x.jpg'"),
    ],
    ids=["UserError", "OSError"],
)
def test_a_users_mistake_is_one_line_without_a_traceback(error, line):
    outcome = work(pickle.dumps(functools.partial(_raise, error)), os.getcwd())
    assert (outcome.reason, outcome.traceback, outcome.lost) == (line, None, False)


def test_nothing_to_do_starts_nothing(monkeypatch):
    monkeypatch.setattr(sweep, "_pool", None)
    assert sweep.execute([], cpus=1) == {}


def test_a_single_task_starts_no_ray(monkeypatch):
    monkeypatch.setattr(sweep, "_has_ray", lambda: True)
    monkeypatch.setattr(sweep, "cluster", lambda **options: contextlib.nullcontext(options["address"]))
    for tasks, address, alone in ((1, None, True), (2, None, False), (1, "auto", False)):
        with sweep._pool(tasks, 1, 0, address) as pool:
            assert isinstance(pool, OneByOne) == alone


def test_a_cluster_needs_ray(monkeypatch):
    monkeypatch.setattr(sweep, "_has_ray", lambda: False)
    with pytest.raises(UserError, match=r"reno-tf\[sweeps\]"):
        sweep.execute([sweep.Task("a", int)], cpus=1, address="auto")


@pytest.mark.parametrize(("needs", "named"), [({"cpus": 10**6}, "1e\\+06 CPUs"), ({"gpus": 1000}, "1000 GPUs")])
def test_more_than_the_machine_has_is_a_mistake(needs, named):
    with pytest.raises(UserError, match=f"needs {named}; this machine has"):
        OneByOne(**{"cpus": 1, "gpus": 0, **needs})


@pytest.mark.long
@_NEEDS_RAY
def test_ray_starts_again_and_says_what_it_cannot_place(swept):
    swept(True)
    with pytest.raises(UserError, match="needs 100000 CPUs; this machine has"):
        sweep.execute([sweep.Task(name, int) for name in ("big", "as big")], cpus=10**5)


@pytest.mark.parametrize(
    ("gpus", "variables"),
    [(0, {"CUDA_VISIBLE_DEVICES": "-1"}), (0.5, {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}), (2, {})],
)
def test_gpus_are_hidden_shared_or_owned(gpus, variables):
    all_variables = environment(cpus=3, gpus=gpus)
    assert {name: value for name, value in all_variables.items() if "THREADS" not in name} == variables


@pytest.mark.parametrize(("with_ray", "cpus", "at_once"), [(True, 3, 2), (True, 4, 2), (True, 16, 1), (False, 1, 1)])
def test_room_is_for_whole_tasks_and_without_ray_for_one(monkeypatch, with_ray, cpus, at_once):
    monkeypatch.setattr(sweep, "_has_ray", lambda: with_ray)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert sweep.room(cpus=cpus, gpus=0) == at_once


_DRIVER = """
import functools, pathlib, sys
import test_sweep
from reno_tf.reproduction import sweep

if __name__ == "__main__":
    folder, with_ray = pathlib.Path(sys.argv[1]), sys.argv[2] == "True"
    sweep._has_ray = lambda: with_ray
    with sweep.lock_sweep(folder):
        waits = sweep.Task("wait", functools.partial(test_sweep.wait, folder / "fifo"))
        sweep.execute([waits, sweep.Task("ends", int)], cpus=1)  # Ray is for more than one.
"""


def wait(fifo):
    with open(fifo, "w") as file:
        print("here", file=file, flush=True)
        signal.pause()


def _heard(handle):
    """What comes through the pipe next; nothing once no process holds its other end."""
    ready, _, _ = select.select([handle], [], [], 120)
    assert ready, "the worker is silent, and alive"
    return os.read(handle, 100)


@pytest.mark.long
@pytest.mark.parametrize(
    ("with_ray", "number", "status"),
    [
        pytest.param(True, signal.SIGTERM, 143, marks=_NEEDS_RAY, id="ray-SIGTERM"),
        pytest.param(False, signal.SIGTERM, 143, id="one_by_one-SIGTERM"),
        pytest.param(False, signal.SIGKILL, -signal.SIGKILL, id="one_by_one-SIGKILL"),
    ],
)
def test_workers_and_lock_end_with_the_driver(tmp_path, with_ray, number, status):
    os.mkfifo(tmp_path / "fifo")
    handle = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "driver.py").write_text(_DRIVER)
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, str(tmp_path / "driver.py"), str(tmp_path), str(with_ray)]
    driver = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})
    try:
        assert _heard(handle) == b"here\n"
        with pytest.raises(UserError, match="another process works in"), sweep.lock_sweep(tmp_path):
            pass
        driver.send_signal(number)
        assert driver.wait(60) == status
        assert _heard(handle) == b""
        with sweep.lock_sweep(tmp_path):
            pass
    finally:
        driver.kill()
        os.close(handle)
