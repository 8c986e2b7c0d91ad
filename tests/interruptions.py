"""A run that is killed in its middle, and what runs leave behind that must not depend on it."""

import json
import signal
import time

import tensorflow as tf


def rows(workdir):
    path = workdir / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def kill_after(step, script, workdir, *, by=signal.SIGKILL):
    """Sends the run's script the signal once its history has the step; returns the history's last, and the script's
    end.
    """
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and script.lives:
        if any(row["step"] >= step for row in rows(workdir)):
            break
        time.sleep(0.005)
    script.signal(by)
    end = script.end()
    assert not (workdir / "results.json").exists()
    return rows(workdir)[-1]["step"], end


def outcome(workdir):
    """Results, history and exported weights, without the time that they took."""
    results = json.loads((workdir / "results.json").read_text())
    del results["seconds"]
    history = [{key: value for key, value in row.items() if key != "seconds"} for row in rows(workdir)]
    (export,) = workdir.glob("export/*/1")
    return results, history, exported_weights(export)


def exported_weights(path):
    """{name: bytes} of a SavedModel's variables. The file's own bytes also hold the order of Python objects."""
    reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    assert len(names) > 20
    return {name: reader.get_tensor(name).tobytes() for name in names}
