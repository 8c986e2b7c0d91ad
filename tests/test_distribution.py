"""Several replicas give one device's numbers: two devices of a process, and two processes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from reno_tf import distribution
from reno_tf.errors import UserError

_ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What tests/replicas.py tells: {"renofeation": [on one device, on two], ...}."""
    out = tmp_path_factory.mktemp("replicas") / "told.json"
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, str(_ROOT / "tests" / "replicas.py"), str(out)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


@pytest.mark.parametrize("method", ["renofeation", "delta_adversarial"])  # averaged by the addons' class, by our own
def test_two_devices_give_what_one_gives(told, method):
    one, two = told[method]
    assert len(one["history"]) == 8
    for expected, row in zip(one["history"], two["history"], strict=True):
        assert row == pytest.approx(expected, rel=1e-5)
    for name, expected in one["weights"].items():
        np.testing.assert_allclose(two["weights"][name], expected, rtol=1e-4, atol=1e-6, err_msg=name)
    assert one["history"] != two["history"]  # Two devices add up in another order.


def test_killed_and_resumed_two_devices_end_with_the_same_bits(told):
    assert told["resumed"] == told["renofeation"][1]


def test_without_a_distribution_nothing_is_spread():
    none = distribution.strategy("none", batch_size=3)
    batches, draws = tf.data.Dataset.range(4), []
    assert none is tf.distribute.get_strategy() and distribution.is_chief(none)
    assert distribution.spread(none, batches) is batches and distribution.repeat(none, batches) is batches
    assert distribution.own_rows(lambda rows: draws.append(rows) or rows, 5) == 5 and draws == [5]
    loss = tf.constant(2.0)
    assert distribution.share(loss) is loss


@pytest.mark.parametrize(
    "told",
    [
        None,
        "{",
        "[]",
        '{"cluster": {"worker": ["localhost:1"]}}',
        '{"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"ps": ["localhost:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_wrong_cluster_is_told(monkeypatch, told):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if told is not None:
        monkeypatch.setenv("TF_CONFIG", told)
    with pytest.raises(UserError, match="distribution=multi_worker needs TF_CONFIG in the environment, as {.cluster"):
        distribution.strategy("multi_worker", batch_size=2)


_FEW = (
    "--config.split=validation",
    "--config.data.validation_per_class=2",
    "--config.steps.train=1",
    "--config.steps.swa=1",
    "--config.steps.swa_period=1",
    "--config.batch_size=8",
    "--config.attack.steps=1",
    "--config.attack.cache=",
    "--config.curve.factors=()",
)


def _start(workdir, *arguments, **environment):
    command = [sys.executable, "main.py", f"--workdir={workdir}", *_FEW, *arguments]
    return subprocess.Popen(
        command, cwd=_ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def _worker(ports, index):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})}


@pytest.mark.long
def test_two_workers_give_what_one_process_gives(tmp_path):
    ports = _free_ports(2)
    workers = [
        _start(tmp_path / "two", "--config.distribution=multi_worker", **_worker(ports, index)) for index in (0, 1)
    ]
    (status, out, err), (other_status, other_out, other_err) = map(_finish, workers)
    assert status == 0 and "ASR" in out, err
    assert other_status == 0 and not other_out, other_err
    status, _, err = _finish(_start(tmp_path / "one"))
    assert status == 0, err

    one, two = (_outcome(tmp_path / name) for name in ("one", "two"))
    for expected, row in zip(one["history"], two["history"], strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
    assert two["results"] == pytest.approx(one["results"], abs=0.051)  # of 20 images, one on the border
    assert one["files"] == two["files"]
    assert json.loads((tmp_path / "two" / "config.json").read_text())["distribution"] == "multi_worker"


def _outcome(workdir):
    rows = [json.loads(line) for line in (workdir / "history.jsonl").read_text().splitlines()]
    results = json.loads((workdir / "results.json").read_text())
    return {
        "history": [{key: value for key, value in row.items() if key not in ("phase", "seconds")} for row in rows],
        "results": {key: results[key] for key in ("clean_accuracy", "adversarial_accuracy", "validation_accuracy")},
        "files": sorted(str(path.relative_to(workdir)) for path in workdir.rglob("*") if "tfevents" not in path.name),
    }


@pytest.mark.long
def test_what_does_not_fit_is_one_line(tmp_path):
    ports = _free_ports(2)
    few = [_start(tmp_path / "a", "--config.distribution=multi_worker", "--config.batch_size=7", **_worker(ports, i)) for i in (0, 1)]
    mode = _start(tmp_path / "b", "--config.distribution=mirrored", "--mode=compare")
    for process in few:
        status, _, err = _finish(process)
        assert status == 2 and err.endswith("main.py: the batch size (7) must be a multiple of the number of replicas (2)\n")
    status, _, err = _finish(mode)
    assert status == 2 and err == "main.py: config.distribution=mirrored goes with --mode=run, not with --mode=compare\n"
    assert not list(tmp_path.iterdir())
