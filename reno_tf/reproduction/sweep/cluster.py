"""The extra `sweeps`: workers that Ray places, here or on the machines of a cluster."""

import contextlib
import logging
import os
import signal
import socket
import time

from reno_tf.errors import UserError
from reno_tf.reproduction.sweep import worker

_OBJECT_STORE = 10**8  # Bytes; an outcome has a few hundred.
_PATIENCE = 10  # Seconds for the cluster to answer.


@contextlib.contextmanager
def cluster(*, cpus: int, gpus: float, address: str | None):
    """Joins the Ray cluster at `address`, or starts Ray on this machine alone; the workers end with it.

    Raises UserError if there is no such cluster, or no machine of it has as many CPUs or GPUs as asked for.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Read while Ray loads.
    import ray

    handler = signal.getsignal(signal.SIGTERM)
    tensorflow = {name: value for name, value in os.environ.items() if name.startswith("TF_")}
    try:
        _connect(ray, address, tensorflow | worker.environment(cpus=cpus, gpus=gpus) | worker.search_path())
    except (OSError, RuntimeError, ValueError) as error:
        joining = f"join the Ray cluster at {address} (auto, or host:port; a token needs RAY_AUTH_MODE=token)"
        attempt = joining if address else "start Ray on this machine"
        raise UserError(f"cannot {attempt}: {str(error).strip().splitlines()[0]}") from None
    signal.signal(signal.SIGTERM, handler)  # Ray has set its own.
    try:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        most = tuple(max(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU"))
        place = f"the largest machine of the cluster at {address}" if address else "this machine"
        worker.check_resources(place, (cpus, gpus), most)
        # A worker's process ends with its call, and is not called again behind our back.
        yield _Workers(ray, ray.remote(num_cpus=cpus, num_gpus=gpus, max_calls=1, max_retries=0)(worker.work))
    finally:
        ray.shutdown()


def _connect(ray, address, variables):
    if address not in (None, "auto"):  # Ray itself would try for minutes.
        socket.create_connection(address.rsplit(":", 1), timeout=_PATIENCE).close()
    # "local", because for None the environment's RAY_ADDRESS would count.
    alone = {"address": "local", "include_dashboard": False, "object_store_memory": _OBJECT_STORE}
    where = {"address": address} if address else alone
    ray.init(runtime_env={"env_vars": variables}, log_to_driver=False, logging_level=logging.ERROR, **where)


class _Workers:
    def __init__(self, ray, work):
        self._ray, self._work, self._running = ray, work, {}

    def submit(self, name, payload):
        self._running[self._work.remote(payload, os.getcwd())] = name, time.monotonic()

    def finished(self) -> tuple[str, worker.Outcome]:
        """The name of one that has ended, and what came of it."""
        (reference,), _ = self._ray.wait(list(self._running), num_returns=1)
        name, submitted = self._running.pop(reference)
        try:
            return name, self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            reason = f"its process was lost ({type(error).__name__})"
            return name, worker.Outcome(time.monotonic() - submitted, reason, str(error).strip(), lost=True)
