"""--mode=reproduce with runs that only pretend: what is done, chosen, kept, resumed and named as missing."""

import errno
import json
import re
import shutil

import made_up
import pytest

from configs.reproduce import get_config
from reno_tf import files, records, settings
from reno_tf.commands import reproduce
from reno_tf.commands.reproducing import estimate
from reno_tf.commands.reproducing import sweeping as driver
from reno_tf.errors import UserError
from reno_tf.naming import RunRef
from reno_tf.records import Rate
from reno_tf.reproduction import drawing, outcomes, sweep


@pytest.fixture
def sweeping(tmp_path, monkeypatch):
    """(artefact, **changes) -> reproduces it with pretended runs below tmp_path; .done lists the runs done so far."""
    monkeypatch.chdir(tmp_path)
    return _Sweeping(tmp_path, monkeypatch)


class _Sweeping:
    def __init__(self, folder, monkeypatch):
        self.done, self.broken, self.folder, self.results = [], {}, folder / "sweep", folder / "sweep" / "results"
        monkeypatch.setattr(driver, "run", _pretend)
        monkeypatch.setattr(sweep, "execute", self._execute)
        # Pictures take long, and have tests of their own.
        monkeypatch.setattr(drawing, "write_artefact", _write)

    def __call__(self, artefact, *, options=(), **changes):
        config = get_config(artefact)
        config.batch_size = changes.pop("batch_size", config.batch_size)
        defaults = {"data": ("digits", "greek"), "seeds": 2, "few_seeds": 2, "choose_feature_weight": False}
        defaults["suite_seeds"] = 1
        config.reproduce.update({**defaults, **changes})
        reproduce(config, command="COMMAND", workdir=str(self.folder), **dict(options))

    def config(self, run):
        return json.loads((self.folder / run / "config.json").read_text())

    def outcome(self, name):
        return json.loads((self.results / f"{name}.json").read_text())

    def _execute(self, tasks, **_):
        failed = {}
        for task in tasks:
            if isinstance(self.broken.get(task.name), BaseException):
                raise self.broken[task.name]
            if task.name in self.broken:
                failed[task.name] = self.broken[task.name]
            else:
                task.call()
                self.done.append(task.name)
        return failed


def _pretend(config, *, method, workdir, overwrite, command, announce):
    """What a run leaves behind that others read. Larger steps are better here, and seeds differ by a point."""
    run_settings = settings.read(config, method)
    files.claim(files.Path(workdir), run_settings.as_json(), identity=run_settings.identity(), overwrite=overwrite)
    accuracy = round(1000 * (0.5 + 10 * run_settings.schedule.learning_rate + 0.01 * run_settings.seed))
    changes = {"clean_accuracy": Rate(accuracy, 1000), "validation_accuracy": accuracy / 1000}
    if run_settings.attack.preset == "suite":
        changes |= {"worst_case_success_rate": Rate(3, 10), "core_worst_case_success_rate": Rate(2, 10)}
    changes |= {"suite": (made_up.attack_row("guide", 15),)}
    changes["versions"] = {"tensorflow": "2.0", "tensorflow-addons": None, "device": "abacus"}
    files.write_text(files.Path(workdir) / "images.csv", "image,label,clean\n0,cat,cat\n1,cat,dog\n2,dog,dog\n")
    files.write_json(files.Path(workdir) / "results.json", made_up.content(**changes))


def _write(folder, outcome, *, paper):
    files.write_json(folder / f"{outcome.artefact}.json", records.to_json(outcome))


def _starting(names, prefix):
    return [name for name in names if name.startswith(prefix)]


def test_the_grid_is_tried_on_validation_images_and_its_best_goes_to_the_runs(sweeping):
    sweeping("table2")
    assert len(_starting(sweeping.done, "trials/digits/")) == 8
    assert sweeping.config(sweeping.done[0])["report"]["split"] == "validation"
    for name, learning_rate in (("finetune-resnet18-greek-1", 0.01), ("retraining-resnet18-greek-1", 0.01)):
        config = sweeping.config(name)
        assert config["report"]["split"] == "test" and config["schedule"]["learning_rate"] == learning_rate
    # All values of 0.01 are as good here: the first of the grid is taken.
    assert sweeping.outcome("table2")["hyper_parameters"]["greek"] == {
        "learning_rate": 0.01,
        "momentum": 0.0,
        "weight_decay": 0.0,
    }


def test_a_folder_of_the_users_is_left_as_it_is(sweeping):
    sweeping.results.mkdir(parents=True)
    (sweeping.results / "table2.json").write_text("mine")
    with pytest.raises(UserError, match="sweep holds other files and no sweep; choose another --workdir"):
        sweeping("table2")
    assert [path.name for path in sweeping.results.parent.rglob("*")] == ["results", "table2.json"]
    assert (sweeping.results / "table2.json").read_text() == "mine"


def test_deltas_weight_is_chosen_after_the_grid(sweeping):
    sweeping("table2", choose_feature_weight=True, seeds=1)
    assert "delta@lambda=5-resnet18-digits-0" in sweeping.done
    assert sweeping.done.index("delta@lambda=5-resnet18-digits-0") < sweeping.done.index("delta-resnet18-digits-0")
    weight = sweeping.outcome("table2")["hyper_parameters"]["digits"]["feature_weight"]
    assert sweeping.config("delta-resnet18-digits-0")["method"]["feature_weight"] == weight == 0.05
    # Runs on the test split show a choice nothing but their accuracy on the validation split.
    for name, seen in (
        ("grid", {"validation_accuracy", "attack_success_rate"}),
        ("feature_weight", {"validation_accuracy"}),
    ):
        record = json.loads((sweeping.folder / "trials" / f"digits-{name}" / "trials.json").read_text())
        assert all(trial.keys() == {"values", "run"} | seen for trial in record["trials"]), name


def test_a_full_disk_hides_no_missing_run(sweeping, monkeypatch):
    def full(folder, outcome, *, paper):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(drawing, "write_artefact", full)
    sweeping.broken["delta_r-resnet18-greek-0"] = "its disk is full"
    message = (
        "results cannot be written: No space left on device; 1 runs are missing, among them delta_r-resnet18-greek-0"
    )
    with pytest.raises(UserError, match=message):
        sweeping("table7")


def test_figure_4_says_which_weight_delta_has(sweeping):
    sweeping("figure4")
    assert sweeping.outcome("figure4")["chosen"] == {"digits": 0.5, "greek": 0.5}  # The method's own: none is chosen.


def test_an_outcome_has_every_seed_of_every_row(sweeping):
    sweeping("table7")
    outcome = sweeping.outcome("table7")
    assert (outcome["scale"], outcome["command"], outcome["missing"]) == ("embedded", "COMMAND", [])
    assert [row["label"] for row in outcome["rows"]] == ["DELTA-R", "DELTA-R + dropout", "DELTA-R + SWA", "Renofeation"]
    assert outcome["made_with"] == "device abacus, tensorflow 2.0" and "almost equal" in outcome["notes"][0]
    cell = outcome["rows"][1]["cells"]["greek"]
    assert cell["seeds"] == [0, 1] and cell["clean_accuracy"] == pytest.approx([0.6, 0.61])
    assert cell["runs"] == [f"delta_r+dropout-resnet18-greek-{seed}" for seed in (0, 1)]
    # All of seed 0 comes before any of seed 1.
    assert [name[-1] for name in sweeping.done] == ["0"] * 8 + ["1"] * 8


@pytest.mark.parametrize("suite_seeds", [0, 1])
def test_the_worst_case_of_the_whole_suite_has_its_row_where_one_is_tried(sweeping, suite_seeds):
    sweeping("methods", data=("digits",), seeds=1, few_seeds=1, suite_seeds=suite_seeds)
    metrics = sweeping.outcome("methods")["metrics"]
    assert "core_worst_case_success_rate" in metrics and metrics.count("worst_case_success_rate") == suite_seeds


def test_what_is_finished_is_not_done_again(sweeping):
    sweeping("table7")
    first = list(sweeping.done)
    sweeping("table7")
    assert sweeping.done == first
    sweeping("table7", options={"overwrite": True})
    assert sweeping.done == first + first
    sweeping("figure4", choose_feature_weight=True, options={"overwrite": True})
    assert len(set(sweeping.done[32:])) == len(sweeping.done[32:]) == 32  # What was tried is not done again as a row.


def test_a_broken_run_is_named_and_the_others_are_kept(sweeping):
    sweeping.broken = {"delta_r+swa-resnet18-greek-1": "the disk is full"}
    with pytest.raises(UserError, match=r"1 runs are missing, among them delta_r\+swa-resnet18-greek-1: the disk is"):
        sweeping("table7")
    outcome = sweeping.outcome("table7")
    assert outcome["missing"] == [{"run": "delta_r+swa-resnet18-greek-1", "why": "the disk is full"}]
    assert outcome["rows"][2]["cells"]["greek"]["seeds"] == [0]
    sweeping.broken = {}
    sweeping("table7")
    assert sweeping.done[-1] == "delta_r+swa-resnet18-greek-1" and len(sweeping.done) == 16
    assert sweeping.outcome("table7")["missing"] == []


def test_without_its_trials_a_data_set_takes_part_in_nothing(sweeping):
    trial = "trials/digits/finetune@learning_rate=0.01,momentum=0,weight_decay=0"
    sweeping.broken = {trial: "killed"}
    with pytest.raises(UserError, match="11 runs are missing, among them trials/digits.*: killed"):  # 5 rows, 2 seeds
        sweeping("table2")
    outcome = sweeping.outcome("table2")
    assert not _starting(sweeping.done, "finetune-resnet18-digits") and "digits" not in outcome["hyper_parameters"]
    assert outcome["rows"][1]["cells"]["greek"]["seeds"] == [0, 1]
    why = f"without {trial} nothing is chosen for digits"
    assert {"run": "finetune-resnet18-digits-0", "why": why} in outcome["missing"]


def test_a_run_of_another_version_is_kept_and_named(sweeping):
    sweeping("table7")
    path = sweeping.folder / "renofeation-resnet18-digits-0" / "config.json"
    other = json.loads(path.read_text())
    other["identity"] |= {"a_key_of_another_version": 1}
    path.write_text(json.dumps(other))
    with pytest.raises(UserError, match="a_key_of_another_version is 1, not None"):
        sweeping("table7")
    assert json.loads(path.read_text()) == other
    assert sweeping.outcome("table7")["rows"][3]["cells"]["digits"]["seeds"] == [1]


def test_a_run_of_an_earlier_format_is_kept_and_named(sweeping):
    sweeping("table7")
    path = sweeping.folder / "renofeation-resnet18-digits-0" / "config.json"
    path.write_text('{"seed": 0, "model": {}}')
    with pytest.raises(UserError, match="renofeation-resnet18-digits-0 holds a run of another version, .*format 1"):
        sweeping("table7")
    assert path.read_text() == '{"seed": 0, "model": {}}' and len(sweeping.done) == 16


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "results.json is damaged"),
        ("{}", "lacks .*clean_accuracy.*: another version wrote it"),
    ],
)
def test_a_damaged_run_is_kept_and_named(sweeping, content, message):
    sweeping("table7")
    path = sweeping.folder / "renofeation-resnet18-digits-0" / "results.json"
    path.write_text(content)
    with pytest.raises(UserError, match=f"1 runs are missing, among them renofeation-resnet18-digits-0: .*{message}"):
        sweeping("table7")
    assert path.read_text() == content and len(sweeping.done) == 16


def test_what_is_kept_of_the_runs_stands_for_them(sweeping):
    sweeping("table7")
    first, content = list(sweeping.done), (sweeping.results / "runs.jsonl").read_text()
    lines = {line["run"]: line for line in map(json.loads, content.splitlines())}
    assert lines.keys() == set(first)
    whole, core = (lines[f"renofeation-resnet18-digits-{seed}"] for seed in (0, 1))  # The suite is for seed 0 alone.
    assert (whole["core_worst_case_success_rate"], whole["worst_case_success_rate"]) == (0.2, 0.3)
    assert (core["core_worst_case_success_rate"], core["worst_case_success_rate"]) == (0.1, None)
    assert whole["suite"] == {"guide": 0.15} and core["suite"] == {} and core["train_seconds"] == 1.5
    assert outcomes.right_images(whole).tolist() == [True, False, True]
    before = sweeping.outcome("table7")
    for name in first:
        shutil.rmtree(sweeping.folder / name)
    sweeping("table7")
    assert sweeping.done == first and sweeping.outcome("table7") == before
    assert (sweeping.results / "runs.jsonl").read_text() == content
    sweeping("table7", batch_size=16)  # Other settings: nothing of it stands for them.
    assert sweeping.done == first + first
    sweeping("table7", data=("greek",), batch_size=16, options={"overwrite": True})
    assert sweeping.done == 2 * first + [name for name in first if "greek" in name]
    lines = [json.loads(line)["run"] for line in (sweeping.results / "runs.jsonl").read_text().splitlines()]
    assert set(lines) == set(first)  # What the others said is not lost.


def test_a_dry_run_counts_as_done_what_a_sweep_would_not_do_again(sweeping, monkeypatch, capsys):
    monkeypatch.setattr(estimate.cost, "seconds_of_pass", lambda network, images: 1.0)

    few = {"data": ("digits",), "seeds": 1, "choose_feature_weight": True}

    def to_do(options=(), **changes):
        capsys.readouterr()
        sweeping("table2", options={"dry_run": True, **dict(options)}, **few, **changes)
        printed = capsys.readouterr().out
        due, runs = map(int, re.search(r"(\d+) of (\d+) runs to do", printed).groups())
        assert printed.count("\nto do ") + printed.startswith("to do ") == due
        assert printed.count("\ndone ") + printed.startswith("done ") == runs - due
        return due, printed

    every, _ = to_do()
    assert every > 12 and not sweeping.folder.exists()
    sweeping("table2", **few)
    assert len(sweeping.done) == every and to_do()[0] == 0
    assert to_do(options={"overwrite": True})[0] == every
    due, printed = to_do(batch_size=7)
    assert due == every and f"{every} of them would be missing, among them trials/digits/" in printed
    for name in sweeping.done:
        shutil.rmtree(sweeping.folder / name)
    assert to_do()[0] == 0 and to_do(batch_size=7)[0] == every  # runs.jsonl has them, with their settings


@pytest.mark.parametrize("scale", ["embedded", "photos"])
def test_what_the_repository_keeps_is_of_these_settings(sweeping, scale):
    """Else the next sweep would do hours of runs again."""
    committed = files.Path(__file__).parents[2] / "results" / f"reproduce-{scale}" / "runs.jsonl"
    sweeping.results.mkdir(parents=True)
    shutil.copy(committed, sweeping.results)
    config = get_config(f"methods,{scale}")
    config.reproduce.update(seeds=1, few_seeds=1)
    reproduce(config, command="COMMAND", workdir=str(sweeping.folder))
    names = {json.loads(line)["run"] for line in committed.read_text().splitlines()}
    assert len(names) > 5 and not names & set(sweeping.done)
    # What is done anew was never done.
    assert {name.partition("-")[0] for name in sweeping.done} <= {"neuron_distance", "pubdef", "vaccination"}


def test_a_sweep_that_is_interrupted_keeps_what_is_done(sweeping):
    sweeping.broken["delta_r-resnet18-greek-0"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        sweeping("table7")
    names = [json.loads(line)["run"] for line in (sweeping.results / "runs.jsonl").read_text().splitlines()]
    assert 0 < len(names) < 8 and set(names) == set(sweeping.done)


def test_kept_outcomes_that_are_damaged_are_named(sweeping):
    sweeping("table7")
    (sweeping.results / "runs.jsonl").write_text("{")
    with pytest.raises(UserError, match="runs.jsonl is damaged; remove it, and runs without a folder are done again"):
        sweeping("table7")


def test_the_matched_regime_has_its_own_data_sets(sweeping):
    sweeping("table7_matched", matched={"feature_weight": 5.0, "steps": 1200, "swa_steps": 200, "data": ("greek",)})
    assert {RunRef.parse(name).data for name in sweeping.done} == {"greek"}
    config = sweeping.config("delta_r+swa@matched-resnet18-greek-1")
    assert config["method"]["feature_weight"] == 5 and config["schedule"]["steps"] == 1200
    assert config["schedule"]["swa"] and config["schedule"]["swa_steps"] == 200
    outcome = sweeping.outcome("table7_matched")
    assert outcome["datasets"] == ["greek"] and outcome["rows"][0]["cells"]["greek"]["seeds"] == [0, 1]


def test_a_second_sweep_in_the_folder_is_refused(sweeping):
    with sweep.lock_sweep(sweeping.folder), pytest.raises(UserError, match="another process works in"):
        sweeping("table7")
    assert not sweeping.done


def test_another_config_is_refused():
    from configs import default

    with pytest.raises(UserError, match="--mode=reproduce goes with --config=configs/reproduce.py"):
        reproduce(default.get_config(), command="")
