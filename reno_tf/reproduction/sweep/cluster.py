"""The extra `sweeps`: workers that Ray places, here or on the machines of a cluster."""

import contextlib
import logging
import os
import signal
import socket
import sys
import time

from reno_tf.errors import UserError
from reno_tf.reproduction.sweep.worker import Outcome, check, environment, work

_OBJECT_STORE = 10**8  # Bytes; an outcome has a few hundred.
_PATIENCE = 10  # Seconds for the cluster to answer.


class Cluster(contextlib.AbstractContextManager):
    """Joins the Ray cluster at `address`, or starts Ray on this machine alone and ends it afterwards.

    Raises:
      UserError: no such cluster, or no machine of it has as many CPUs or GPUs as asked for.
    """

    def __init__(self, *, cpus: int, gpus: float, address: str | None):
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Read while Ray loads.
        import ray

        self._ray, self._cpus, self._gpus, self._address = ray, cpus, gpus, address
        # A worker's process ends with its call, and is not called again behind our back.
        self._work = ray.remote(num_cpus=cpus, num_gpus=gpus, max_calls=1, max_retries=0)(work)
        self._running = {}

    def __enter__(self):
        handler = signal.getsignal(signal.SIGTERM)
        try:
            self._connect()
        except (OSError, RuntimeError, ValueError) as error:
            attempt = (
                f"join the Ray cluster at {self._address} (auto, or host:port; a token needs RAY_AUTH_MODE=token)"
                if self._address
                else "start Ray on this machine"
            )
            raise UserError(f"cannot {attempt}: {str(error).strip().splitlines()[0]}") from None
        signal.signal(signal.SIGTERM, handler)  # Ray has set its own.
        try:
            self._check()
        except UserError:
            self._ray.shutdown()
            raise
        return self

    def __exit__(self, *error):
        self._ray.shutdown()  # Ends the workers too.

    def submit(self, name: str, payload: bytes) -> None:
        self._running[self._work.remote(payload, os.getcwd())] = name, time.monotonic()

    def finished(self) -> tuple[str, Outcome]:
        """The name of one that has ended, and what came of it."""
        (reference,), _ = self._ray.wait(list(self._running), num_returns=1)
        name, submitted = self._running.pop(reference)
        try:
            return name, self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            reason = f"its process was lost ({type(error).__name__})"
            return name, Outcome(time.monotonic() - submitted, reason, traceback=str(error).strip(), lost=True)

    def _connect(self):
        if self._address not in (None, "auto"):  # Ray itself would try for minutes.
            socket.create_connection(self._address.rsplit(":", 1), timeout=_PATIENCE).close()
        tensorflow = {name: value for name, value in os.environ.items() if name.startswith("TF_")}
        variables = {**tensorflow, **environment(cpus=self._cpus, gpus=self._gpus), "PYTHONPATH": _search_path()}
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        # "local", because for None the environment's RAY_ADDRESS would count.
        alone = {"address": "local", "include_dashboard": False, "object_store_memory": _OBJECT_STORE}
        where = {"address": self._address} if self._address else alone
        self._ray.init(runtime_env={"env_vars": variables}, **quiet, **where)

    def _check(self):
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        most = {kind: max(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU")}
        place = f"no machine of the cluster at {self._address}" if self._address else "this machine"
        check(place, cpus=(self._cpus, most["CPU"]), gpus=(self._gpus, most["GPU"]))


def _search_path():
    return os.pathsep.join(path or os.getcwd() for path in sys.path)
