"""Several replicas give one device's numbers: two devices of a process, and two processes."""

import json
import socket

import numpy as np
import pytest
import small_network
import tensorflow as tf
from processes import Script
from replicas import AVERAGED

import modes
from configs.default import get_config
from reno_tf.errors import UserError
from reno_tf.models import replicas
from reno_tf.training import distribution

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What tests/replicas.py tells: {"renofeation": [on one device, on two], ...}."""
    out = tmp_path_factory.mktemp("replicas") / "told.json"
    status, _, err = Script("tests/replicas.py", out).end()
    assert status == 0, err
    return json.loads(out.read_text())


@pytest.mark.parametrize("method", ["renofeation", "delta_adversarial", "inoculation", "remos", "pubdef"])
def test_two_devices_give_what_one_gives(told, method):
    one, two = told[method]
    assert len(one["history"]) == (8 if method in AVERAGED else 4)
    for expected, row in zip(one["history"], two["history"], strict=True):
        assert row == pytest.approx(expected, rel=1e-5)
    for name, expected in one["weights"].items():
        np.testing.assert_allclose(two["weights"][name], expected, rtol=1e-4, atol=1e-6, err_msg=name)
    assert one["history"] != two["history"]  # Two devices add up in another order.


def test_killed_and_resumed_two_devices_end_with_the_same_bits(told):
    assert told["resumed"] == told["renofeation"][1]


def test_a_batch_that_cannot_be_cut_is_told(told):
    assert told["uneven"] == "the batch size (7) must be a multiple of the number of replicas (2)"


def test_a_method_for_one_device_is_refused_on_two(told):
    assert told["alone"] == "seam trains on one device alone: config.distribution must be none"


def test_only_a_run_is_distributed():
    config = get_config()
    config.distribution = "mirrored"
    with pytest.raises(UserError, match="config.distribution=mirrored goes with --mode=run, not with --mode=report"):
        modes.start("report", config, command="")


def test_without_a_distribution_nothing_is_spread():
    none = distribution.strategy("none", batch_size=3)
    batches, draws = tf.data.Dataset.range(4), []
    assert none is tf.distribute.get_strategy() and distribution.is_chief(none)
    assert distribution.spread(none, batches) is batches
    assert replicas.own_rows(lambda rows: draws.append(rows) or rows, 5) == 5 and draws == [5]
    loss = tf.constant(2.0)
    assert replicas.share(loss) is loss


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
    "--config.optimizer.learning_rate=1e-4",  # One more step, and roundings would have grown to 0.2 %.
    "--config.optimizer.swa_learning_rate=1e-4",
    "--config.batch_size=8",
    "--config.attack.steps=1",
    "--config.attack.core=('disruption stage1',)",  # The cheapest: the whole core is tested where it is counted.
    "--config.attack.cache=",
    "--config.curve.factors=()",
)


def _start(workdir, *arguments, **environment):
    flags = (f"--workdir={workdir}", *_FEW, *small_network.chosen(workdir.parent), *arguments)
    return Script("tests/small_network.py", *flags, environment=environment)


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def _work_on(workdir, *arguments):
    """(exit status, stdout, stderr) of the chief, and of the other worker."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in _free_ports(2)]}
    tasks = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in (0, 1)]
    distributed = ("--config.distribution=multi_worker", *arguments)
    return [worker.end() for worker in [_start(workdir, *distributed, TF_CONFIG=json.dumps(t)) for t in tasks]]


@pytest.mark.long
def test_two_workers_give_what_one_process_gives(tmp_path):
    (status, out, err), (other_status, other_out, other_err) = _work_on(tmp_path / "two")
    assert status == 0 and "ASR" in out, err
    assert other_status == 0 and not other_out, other_err
    status, _, err = _start(tmp_path / "one").end()
    assert status == 0, err

    one, two = (_outcome(tmp_path / name) for name in ("one", "two"))
    for expected, row in zip(one["history"], two["history"], strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
    assert two["results"] == pytest.approx(one["results"], abs=0.051)  # of 20 images, one on the border
    for expected, weight in zip(one["weights"], two["weights"], strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-3, atol=1e-4)
    assert one["files"] == two["files"]
    assert json.loads((tmp_path / "two" / "config.json").read_text())["training"]["distribution"] == "multi_worker"

    (status, _, err), (other_status, _, other_err) = _work_on(tmp_path / "two", "--config.seed=1")
    assert status == 2 and "small_network.py: workdir" in err and "seed is 0, not 1" in err
    assert other_status == 2 and "small_network.py: the chief could not start this run" in other_err


def _outcome(workdir):
    rows = [json.loads(line) for line in (workdir / "history.jsonl").read_text().splitlines()]
    results = json.loads((workdir / "results.json").read_text())
    exported = tf.train.load_checkpoint(
        str(workdir / "export" / "renofeation-digits" / "1" / "variables" / "variables")
    )
    names = sorted(name for name in exported.get_variable_to_shape_map() if "VARIABLE_VALUE" in name)
    return {
        "weights": [exported.get_tensor(name) for name in names],
        "history": [{key: value for key, value in row.items() if key not in ("phase", "seconds")} for row in rows],
        "results": {key: results[key] for key in ("clean_accuracy", "adversarial_accuracy", "validation_accuracy")},
        "files": sorted(str(path.relative_to(workdir)) for path in workdir.rglob("*") if "tfevents" not in path.name),
    }
