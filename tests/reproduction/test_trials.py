import json

import pytest
from tensorboard import context
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

from reno_tf.reproduction import trials


def _trial(run, accuracy, rate=None, **values):
    return {"values": values, "run": run, "validation_accuracy": accuracy, "attack_success_rate": rate}


_TRIALS = [
    _trial("data/a", 0.5, 0.25, momentum=0, learning_rate=0.01),
    _trial("data/b", 0.75, 0.5, momentum=0.9, learning_rate=0.01),
    _trial("data/c", 0.75, None, momentum=0, learning_rate=0.005),
]


def _shown(folder):
    """(experiment, {trial: (values, metrics)}) as TensorBoard's page HParams gets them for `--logdir folder`."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
    tensorboard = base_plugin.TBContext(logdir=str(folder), multiplexer=multiplexer, data_provider=provider)
    backend, request = backend_context.Context(tensorboard), context.RequestContext()
    experiment = get_experiment.Handler(request, backend, "", api_pb2.GetExperimentRequest()).run()
    asked = api_pb2.ListSessionGroupsRequest(slice_size=100, allowed_statuses=api_pb2.Status.values())
    groups = list_session_groups.Handler(request, backend, "", asked).run().session_groups
    assert all(len(group.sessions) == 1 for group in groups)
    return experiment, {
        group.name: (
            {key: _python(value) for key, value in group.hparams.items()},
            {value.name.tag: value.value for value in group.sessions[0].metric_values},
        )
        for group in groups
    }


def _python(value):
    return getattr(value, value.WhichOneof("kind"))


def test_the_best_on_validation_images_is_chosen_the_earlier_of_equals():
    assert trials.best_trial(_TRIALS)["run"] == "data/b"
    assert trials.best_trial(_TRIALS[::-1])["run"] == "data/c"


def test_tensorboard_shows_each_trial_with_its_values_and_metrics(tmp_path):
    trials.record(tmp_path, _TRIALS, _TRIALS[1])
    experiment, sessions = _shown(tmp_path)
    domains = {info.name: [_python(value) for value in info.domain_discrete.values] for info in experiment.hparam_infos}
    assert domains == {"momentum": [0.0, 0.9], "learning_rate": [0.005, 0.01]}
    assert {info.name.tag for info in experiment.metric_infos} == {"validation_accuracy", "attack_success_rate"}
    assert sessions == {
        "data/a": (_TRIALS[0]["values"], {"validation_accuracy": 0.5, "attack_success_rate": 0.25}),
        "data/b": (_TRIALS[1]["values"], {"validation_accuracy": 0.75, "attack_success_rate": 0.5}),
        "data/c": (_TRIALS[2]["values"], {"validation_accuracy": 0.75}),
    }


def test_recording_again_takes_the_place_of_what_was_there(tmp_path):
    trials.record(tmp_path, _TRIALS, _TRIALS[1])
    trials.record(tmp_path, _TRIALS[:2], _TRIALS[0])
    assert set(_shown(tmp_path)[1]) == {"data/a", "data/b"}
    assert len(list(tmp_path.rglob("events.*"))) == 3  # The domains, and two sessions.
    assert json.loads((tmp_path / "trials.json").read_text()) == {"chosen": _TRIALS[0], "trials": _TRIALS[:2]}


def test_what_others_keep_beside_the_trials_stays(tmp_path):
    (tmp_path / "hparams" / "data" / "mine").mkdir(parents=True)
    (tmp_path / "hparams" / "data" / "mine" / "notes.txt").write_text("years of work")
    trials.record(tmp_path, _TRIALS[:1], _TRIALS[0])
    assert (tmp_path / "hparams" / "data" / "mine" / "notes.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0, 0.5), (0.0, 0.5)),
        ((True, False), (True, False)),
        (("a", "b"), ("a", "b")),
        ((None, 0.5), ("None", "0.5")),
        (((1, 2), (3,)), ("(1, 2)", "(3,)")),
    ],
)
def test_values_of_any_kind_are_shown(tmp_path, values, shown):
    tried = [_trial(str(place), 0.5, key=value) for place, value in enumerate(values)]
    trials.record(tmp_path, tried, tried[0])
    assert {name: values_shown["key"] for name, (values_shown, _) in _shown(tmp_path)[1].items()} == dict(
        zip("01", shown, strict=True)
    )
