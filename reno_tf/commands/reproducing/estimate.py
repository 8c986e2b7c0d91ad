"""What a sweep would do, how long that takes and how much disk it needs, estimated without doing it."""

import collections
import contextlib
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from reno_tf import models, settings
from reno_tf.commands.reproducing.planning import Plan, Planned
from reno_tf.data import sources
from reno_tf.evaluation import cost
from reno_tf.reporting.metrics import VALIDATION
from reno_tf.reproduction import sweep, trials

_START = 15.0  # seconds in which a run starts, compiles and writes its report
_UNKNOWN = 1000  # test images, where the data set must be built to count them
_EMBEDDED_SIDE = 32  # pixels
_COPIES = 8  # of the student's weights: two checkpoints with the optimizer's, the averages, the export


def print_plan(plan: Plan, is_finished: Callable[[Planned], bool], run_results: Mapping[str, dict]) -> None:
    """Prints the runs, and what the unfinished ones need. run_results: run -> what is kept of a finished one."""
    runs, due = runs_of(plan, is_finished, run_results), []
    for planned in runs:
        done = is_finished(planned)
        print(f"{'done ' if done else 'to do'} {planned.name}")
        due += [] if done else [planned]
    with contextlib.suppress(RuntimeError):  # Initialised already: by someone's own program.
        tf.config.threading.set_intra_op_parallelism_threads(plan.recipe.cpus)  # As a run has.
    kinds, at_once = estimate(due), sweep.room(cpus=plan.recipe.cpus, gpus=plan.recipe.gpus)
    for kind, row in kinds.items():
        print(f"{row['runs']} x {kind}: {_needs(row, at_once)}")
    total = collections.Counter()
    for row in kinds.values():
        total.update(row)
    print(
        f"{len(due)} of {len(runs)} runs to do, together about {_needs(total, at_once)} on this machine, "
        f"{at_once} at once, beside the attacker's own students and the preparation of data"
    )


def estimate(runs: list[Planned]) -> dict[str, dict]:
    """{kind: {"runs": how many, all their "seconds", one after the other, and "bytes" on disk}}.

    A network's kind is timed once, with random weights, on random images of the data's size.
    """
    rows, networks, crafted = {}, {}, set()
    for planned in runs:
        run_settings = settings.read(planned.config, planned.method)
        kind = f"{run_settings.networks.student} at {_side(run_settings)} pixels"
        if kind not in networks:
            networks[kind] = _network(run_settings)
        network, seconds = networks[kind]
        suite = run_settings.suite()
        attacked = (run_settings.networks.backbone, run_settings.data.name, run_settings.report.split, suite.attacks)
        passes = cost.training_passes(run_settings.job)
        passes += cost.attack_passes(suite, network, _attacked(run_settings), kept=attacked in crafted)
        crafted.add(attacked)
        row = rows.setdefault(kind, {"runs": 0, "seconds": 0.0, "bytes": 0})
        row["runs"] += 1
        row["seconds"] += _START + passes * seconds
        row["bytes"] += _COPIES * 4 * network.count_params()
    return rows


def runs_of(plan: Plan, is_finished: Callable[[Planned], bool], run_results: Mapping[str, dict]) -> list[Planned]:
    """Each run once, with the hyper-parameters that its data set's trials choose, as far as they are done."""
    hyper_parameters: dict[str, dict] = {data: {} for data in plan.recipe.data}
    runs = []
    for tries in (plan.trials, lambda: plan.weight_trials(hyper_parameters)):
        tried = tries()
        runs += [planned for _, planned in tried]
        for data in dict.fromkeys(planned.data for _, planned in tried):
            pairs = [(values, planned) for values, planned in tried if planned.data == data]
            if all(is_finished(planned) for _, planned in pairs):
                rows = [
                    {"values": values, VALIDATION: run_results[planned.name][VALIDATION]} for values, planned in pairs
                ]
                hyper_parameters[data] |= trials.best_trial(rows)["values"]
    for row in plan.rows:
        runs += [
            plan.run(row, data, seed, hyper_parameters[data]) for data in plan.data(row) for seed in plan.seeds(row)
        ]
    return list({planned.name: planned for planned in runs}.values())


def _network(run_settings):
    """One like the run's, and the seconds of a pass through it."""
    network = models.build(run_settings.networks.student, **run_settings.networks.options)
    side = _side(run_settings)
    images = np.random.default_rng(0).integers(0, 256, (cost.PROBE, side, side, 3), np.uint8)
    return network, cost.seconds_of_pass(network, images)


def _side(run_settings) -> int:
    return _EMBEDDED_SIDE if _source(run_settings).origin == "embedded" else run_settings.data.size


def _attacked(run_settings) -> int:
    """How many images the run attacks."""
    classes, _, test = _source(run_settings).sizes or (1, None, _UNKNOWN)
    return test if run_settings.report.split == "test" else classes * run_settings.data.validation_per_class


def _source(run_settings) -> sources.Source:
    return sources.find(run_settings.data.name, run_settings.data.tfds_dir)


def _needs(row, at_once) -> str:
    return f"{cost.duration(row['seconds'] / at_once)} and {row['bytes'] / 1e6:.0f} MB"
