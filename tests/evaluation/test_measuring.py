"""One evaluation: several attacks, their worst case, the controls; on a linear network."""

import csv
import dataclasses
import errno
import functools
import io
import weakref

import numpy as np
import pytest
import tensorflow as tf
from conftest import long
from PIL import Image
from small_network import tiny
from toys import CLASSES, linear_teacher

from configs.default import get_config
from reno_tf import attacks, models, reporting, settings
from reno_tf.data import Dataset, Split, leaks
from reno_tf.errors import UserError
from reno_tf.evaluation import measure, predict, suite, surrogate, worst
from reno_tf.training import Transfer, students


def _settings(method="finetune", **changes):
    config = get_config()
    config.attack.update({"steps": 4, "step_size": 0.1, "epsilon": 0.3, "batch_size": 8, "own_images": 5})
    config.attack.update(changes)
    config.curve.update({"images": 8, "factors": (2.0,)})
    config.steps.update({"train": 2, "swa": 2, "swa_period": 1})
    config.update({"batch_size": 4, "interval": 1})
    return settings.read(config, method)


@pytest.fixture(scope="module")
def student():
    return linear_teacher(seed=4)


@pytest.fixture(scope="module")
def dataset(student):
    rng = np.random.default_rng(0)

    def split(count):
        images = rng.integers(0, 256, [count, 4, 4, 3]).astype(np.uint8)
        return Split(images, predict(student, images.astype(np.float32) / 255))  # All are right.

    return Dataset("toy", ["a", "b", "c"], split(6), split(9), split(12))


def _target(chosen, dataset, student, **others):
    networks = {"teacher": linear_teacher(), "student": student}
    known = {name: (model, models.sha256(models.save(model))) for name, model in networks.items()}
    return suite.target(chosen, dataset, known | others)


def _measure(chosen, dataset, student, **options):
    return measure.measure(chosen, _target(chosen, dataset, student), dataset, undefended=True, **options)


def _crafters(chosen, target):
    """{name: attack} of everything that the settings run."""
    found = {}
    for member in suite.plan(chosen.attack, target.networks):
        model = target.networks[member.entry.network][0]
        tried = target if not found else target.first(chosen.attack.images)
        others = {"own": target.own_images, "attacked": tried.images, None: None}[member.entry.others]
        found[member.name] = member.attack.on(model, chosen.attack.budget, others=others)
    return found


def _hits(crafters, student, images, labels):
    """{name: whether each image is fooled}; all of them are right when clean."""
    return {name: predict(student, attack(images).numpy()) != labels for name, attack in crafters.items()}


def test_a_suite_is_as_strong_as_its_worst_case_and_the_white_box_does_not_count(tmp_path, dataset, student):
    names = ("pixel", "neurons", "disruption stage2", "universal", "white_box")
    chosen = _settings(preset="suite", suite=names, neurons=(0, 5), cache=str(tmp_path))
    measured = _measure(chosen, dataset, student)
    images, labels = dataset.test.floats(), dataset.test.labels
    hits = _hits(_crafters(chosen, _target(chosen, dataset, student)), student, images, labels)
    counted = ["pixel", "neurons neuron 0", "neurons neuron 5", "disruption stage2", "universal"]
    assert list(hits) == [*counted, "white_box"]
    results, rows = measured.results, {row["name"]: row for row in measured.results["suite"]}
    for name, hit in hits.items():
        assert rows[name]["attack_success_rate"] == pytest.approx(hit.mean()) and rows[name]["gradients"] == 4, name
        assert ("outside the threat model" in (rows[name]["outside"] or "")) == (name == "white_box")
    both = hits["neurons neuron 0"] | hits["neurons neuron 5"]
    assert rows["neurons, worst case of 2"]["attack_success_rate"] == pytest.approx(both.mean())
    assert results["attack_success_rate"] == pytest.approx(hits["pixel"].mean())  # The headline is the first.
    worst = np.any([hits[name] for name in counted], axis=0)
    assert results["worst_case_success_rate"] == pytest.approx(worst.mean())
    assert results["worst_case_success_rate"] > results["attack_success_rate"]
    assert results["worst_case"] | {"enough": None} == {
        "attacks": counted,
        "num_images": 12,
        "num_attacked": 12,
        "enough": None,
    }
    assert results["attack"]["preset"] == "suite" and results["attack"]["name"] == "pixel"
    assert results["num_attacked"] == 12 and results["clean_accuracy"] == 1


def test_every_run_has_the_core_beside_its_attack(dataset, student):
    chosen = _settings(cache="", images=5)
    measured = _measure(chosen, dataset, student)
    crafters = _crafters(chosen, _target(chosen, dataset, student))
    assert list(crafters) == ["pixel", "disruption stage1", "disruption stage2", "disruption penultimate"]
    images, labels = dataset.test.floats(), dataset.test.labels
    pixel = predict(student, crafters["pixel"](images).numpy()) != labels
    hits = [pixel[:5], *_hits(crafters, student, images[:5], labels[:5]).values()]
    assert measured.results["attack_success_rate"] == pytest.approx(pixel.mean())
    assert measured.results["worst_case_success_rate"] == pytest.approx(np.any(hits, axis=0).mean())
    assert measured.results["worst_case"]["num_images"] == 5 and measured.results["num_attacked"] == 12
    assert [len(measured.answers[key]) for key in ("clean", "adversarial", "noise")] == [12] * 3


def test_noise_gets_as_many_draws_as_there_are_attacks(dataset, student):
    chosen = _settings(cache="", images=7, epsilon=0.6)
    measured = _measure(chosen, dataset, student)
    crafter = _crafters(chosen, _target(chosen, dataset, student))["pixel"]
    images, labels = dataset.test.floats(), dataset.test.labels
    draws = [predict(student, crafter.noise(images, draw=draw).numpy()) != labels for draw in range(4)]
    assert len({draw.tobytes() for draw in draws}) > 1
    assert measured.results["noise_success_rate"] == pytest.approx(draws[0].mean())
    worst = np.any([draw[:7] for draw in draws], axis=0).mean()
    assert measured.results["worst_case_noise_success_rate"] == pytest.approx(worst)


@pytest.mark.parametrize("first", ["reference", "l2", "paper"])
def test_what_counts_is_in_the_ball_of_the_first(first, dataset, student, monkeypatch):
    monkeypatch.setattr(attacks.units, "normalization", lambda network: ([0.5] * 3, [0.25] * 3))
    chosen = _settings(preset=first, cache="")
    headline, *others = suite.plan(chosen.attack, _target(chosen, dataset, student).networks)
    assert headline.counts and len(others) == 3
    for member in others:
        assert (member.attack.ball, member.attack.unit) == (headline.attack.ball, headline.attack.unit)
        assert member.counts


def _outcomes(fooled, labels):
    """An outcome for each row of whether each image is fooled."""
    member = suite.plan(_settings().attack, {"teacher": (linear_teacher(), "")})[0]
    named = [dataclasses.replace(member, name=name) for name in fooled]
    rest = {"parameters": {}, "gradients": 1, "rounded": None, "seconds": 0, "shown": None, "extra": {}}
    answers = [np.where(hit, labels + 1, labels) for hit in fooled.values()]
    return [suite.Outcome(member=m, predicted=a, **rest) for m, a in zip(named, answers, strict=True)]


def test_the_fewest_attacks_that_are_enough_are_named():
    labels = np.zeros(300, int)
    half, third, rest, two = (np.zeros(300, bool) for _ in range(4))
    half[:150], third[100:250], rest[50:280], two[298:] = True, True, True, True
    fooled = {"half": half, "third": third, "rest": rest, "two": two}
    few = worst.measure(labels, labels, _outcomes(fooled, labels), [labels])["worst_case"]["enough"]
    assert few == {"attacks": ["half", "rest"], "success_rate": pytest.approx(280 / 300)}  # Within 2 of 282.
    scattered = {str(number): np.arange(300) % 5 == number for number in range(5)}
    few = worst.measure(labels, labels, _outcomes(scattered, labels), [labels])["worst_case"]["enough"]
    assert few == {"attacks": ["0", "1", "2"], "success_rate": pytest.approx(0.6)}


def test_the_worst_case_of_the_core_stands_beside_that_of_more():
    labels, fooled = np.zeros(4, int), {name: np.arange(4) == place for place, name in enumerate("abcd")}
    outcomes = _outcomes(fooled, labels)

    def core(names):
        return worst.measure(labels, labels, outcomes, [labels], core=names).get("core_worst_case_success_rate")

    assert (core(("b",)), core(("b", "d")), core(("c",))) == (0.5, 0.75, 0.5)  # The first is always in it.
    assert core(()) is None and core(("b", "e")) is None  # None was asked for, or it was not tried.
    assert core(("b", "c", "d")) is None  # It is all that was tried.


def test_a_student_that_is_never_right_has_no_worst_case():
    labels = np.zeros(4, int)
    found = worst.measure(labels, labels + 1, _outcomes({"a": np.ones(4, bool)}, labels), [labels])
    assert found["worst_case_success_rate"] is None and found["worst_case"]["enough"] is None


def _flat_teacher():
    """linear_teacher, but its second stage does not answer to the input."""
    model = linear_teacher()
    layer = model.get_layer("conv2")
    layer.kernel.assign(tf.zeros_like(layer.kernel))
    return model


@pytest.mark.long
def test_an_attack_without_gradient_is_skipped_by_name(dataset, student, tmp_path):
    chosen, flat = _settings(cache="", images=8), (_flat_teacher(), "flat")
    target = suite.target(chosen, dataset, {"teacher": flat, "student": (student, "s")})
    measured = measure.measure(chosen, target, dataset, undefended=True)
    (skipped,) = measured.results["skipped"]
    assert skipped["name"] == "disruption stage2" and "gradient is zero everywhere" in skipped["why"]
    assert measured.results["worst_case"]["attacks"] == ["pixel", "disruption stage1", "disruption penultimate"]
    markdown = _reported(tmp_path, measured, chosen, dataset)
    assert "**Skipped:** disruption stage2: the attack cannot work" in markdown
    with pytest.raises(UserError, match="disruption stage2: the attack cannot work"):
        alone = _settings(cache="", preset="suite", suite=("disruption stage2", "pixel"))
        suite.run(alone.attack, target)


@pytest.mark.long
def test_an_interrupted_suite_goes_on_where_it_was(dataset, student, tmp_path, monkeypatch):
    chosen = _settings(cache="", images=8, eight_bit=True)
    target = functools.partial(_target, chosen, dataset, student)
    whole = measure.measure(chosen, target(), dataset, undefended=True, folder=tmp_path / "whole")
    crafted, craft = [], attacks.PGD.crafter._attack

    def interrupted(crafter, *arguments):
        crafted.append(crafter.objective.outputs[0])
        if len(crafted) > stop:
            raise KeyboardInterrupt
        return craft(crafter, *arguments)

    monkeypatch.setattr(attacks.PGD.crafter, "_attack", interrupted)
    stop = 5  # The headline takes two batches and its curve two, stage1 one; then the end.
    with pytest.raises(KeyboardInterrupt):
        measure.measure(chosen, target(), dataset, undefended=True, folder=tmp_path / "run")
    assert crafted == ["penultimate"] * 4 + ["stage1", "stage2"]
    (damaged, *_) = sorted((tmp_path / "run").glob("*.npz"))
    stop = 100
    again = measure.measure(chosen, target(), dataset, undefended=True, folder=tmp_path / "run")
    assert crafted[6:] == ["stage2", "penultimate"]
    assert again.results | {"seconds": 0} == whole.results | {"seconds": 0} and again.curve == whole.curve
    np.testing.assert_array_equal(again.shown, whole.shown)
    damaged.write_bytes(damaged.read_bytes()[:50])  # A file that is cut short is done again.
    mended = measure.measure(chosen, target(), dataset, undefended=True, folder=tmp_path / "run")
    assert mended.results | {"seconds": 0} == whole.results | {"seconds": 0}


def test_answers_that_cannot_be_kept_are_done_without(dataset, student, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    warnings = []
    monkeypatch.setattr(suite.files, "write_bytes", full)
    monkeypatch.setattr(suite.logging, "warning", lambda text, *values: warnings.append(text % values))
    chosen = _settings(cache="", images=8)
    outcomes, _ = suite.run(chosen.attack, _target(chosen, dataset, student), folder=tmp_path / "suite")
    assert len(outcomes) == 4 and len(warnings) == 4 and "No space left on device; an interrupted" in warnings[0]


@pytest.mark.long
def test_rounded_images_are_kept_as_bytes_and_counted_beside_the_float_ones(dataset, student, tmp_path):
    chosen = _settings(cache=str(tmp_path), images=8, eight_bit=True, epsilon=0.05)
    measured = _measure(chosen, dataset, student)
    target = _target(chosen, dataset, student)
    images, labels = dataset.test.floats(), dataset.test.labels
    rounded = {}
    for name, attack in _crafters(chosen, target).items():
        levels = attack.levels(attack(images), images).numpy()
        assert levels.dtype == np.uint8
        assert np.abs(levels.astype(int) - dataset.test.images).max() == 12  # 0.05 of 255 is 12.75.
        rounded[name] = predict(student, levels.astype(np.float32) / 255) != labels
    results, rows = measured.results, {row["name"]: row for row in measured.results["suite"]}
    assert results["attack_success_rate_8bit"] == pytest.approx(rounded["pixel"].mean())
    for name in rounded:
        assert rows[name]["attack_success_rate"] == pytest.approx(rounded[name][:8].mean()), name
    assert results["worst_case_success_rate"] == pytest.approx(np.any([hit[:8] for hit in rounded.values()], 0).mean())
    sets = [np.load(path, mmap_mode="r") for path in tmp_path.glob("*.npy")]
    assert sorted(str(one.dtype) for one in sets if len(one) == 8 and one.dtype == np.uint8) == ["uint8"] * 3
    assert "Rounded to 8 bits" in _reported(tmp_path / "report", measured, chosen, dataset)
    assert "attack_success_rate_8bit" not in _measure(_settings(cache=""), dataset, student).results


@pytest.mark.long
def test_a_budget_of_nothing_and_a_single_step_are_measured(dataset, student, tmp_path):
    still = _measure(_settings(cache="", epsilon=0.0), dataset, student)
    assert still.results["attack_success_rate"] == still.results["worst_case_success_rate"] == 0
    assert _reported(tmp_path / "still", still, _settings(cache="", epsilon=0.0), dataset)
    single = _measure(_settings(cache="", steps=1), dataset, student)
    assert len(single.convergence) == 2 and single.results["attack"]["gradients"] == 1
    assert _reported(tmp_path / "single", single, _settings(cache="", steps=1), dataset)


def test_the_controls_of_an_evaluation(tmp_path, dataset, student):
    chosen = _settings(cache=str(tmp_path))
    measured = _measure(chosen, dataset, student)
    assert [row["name"] for row in measured.results["suite"]][::4] == ["pixel", "disruption, worst case of 3"]
    assert [point["epsilon"] for point in measured.curve] == pytest.approx([0, 0.3, 0.6])
    assert [point["num_images"] for point in measured.curve] == [8, 12, 8]
    assert measured.curve[0]["attack_success_rate"] == 0 and measured.curve[0]["noise_success_rate"] == 0
    attack = attacks.penultimate_pgd(linear_teacher(), epsilon=0.3, step_size=0.1, steps=4)
    images = dataset.test.floats()[:8]
    nowhere = attack.within(attacks.Budget(epsilon=0.3, step_size=0.1, steps=0))
    expected = [np.mean(attack.loss(x)) for x in (nowhere(images), attack(images))]
    assert len(measured.convergence) == 5
    np.testing.assert_allclose([measured.convergence[0], measured.convergence[-1]], expected, rtol=1e-5)
    names = ["converged", "zero epsilon", "stronger than noise", "rises with epsilon", "large epsilon"]
    assert [row["name"] for row in measured.results["checks"]] == names


def test_the_exposure_is_each_attacks_success_at_several_epsilon(dataset, student):
    chosen = _settings(preset="suite", suite=("pixel", "neurons"), neurons=(0, 5), cache="")
    chosen = dataclasses.replace(chosen, report=dataclasses.replace(chosen.report, curve_factors=(0.5, 2.0)))
    rows = _measure(chosen, dataset, student, exposure=True).exposure
    assert [row["name"] for row in rows] == ["pixel", "neurons"]
    crafters, labels = _crafters(chosen, _target(chosen, dataset, student)), dataset.test.labels[:8]
    for row, names in zip(rows, (["pixel"], ["neurons neuron 0", "neurons neuron 5"]), strict=True):
        assert list(row["rates"]) == ["0.15", "0.3"]
        for factor, rate in zip((0.5, 1.0), row["rates"].values(), strict=True):
            found = [attack.within(attack.budget.scaled(factor)) for name, attack in crafters.items() if name in names]
            wrong = [predict(student, attack(dataset.test.floats()[:8]).numpy()) != labels for attack in found]
            assert rate == pytest.approx(np.any(wrong, axis=0).mean())
    assert _measure(chosen, dataset, student).exposure == []


def test_each_image_and_each_class_is_accounted_for(dataset, student, tmp_path):
    chosen = _settings(preset="suite", suite=("pixel", "disruption stage1", "white_box"), images=8, cache="")
    measured = _measure(chosen, dataset, student)
    rows = list(csv.DictReader(io.StringIO(measured.table)))
    assert list(rows[0]) == ["image", "file", "label", "clean", "pixel", "disruption stage1", "white_box", "worst"]
    assert [int(row["image"]) for row in rows] == list(range(12)) and rows[3]["file"] == ""
    names, results = dataset.class_names, measured.results
    assert [row["label"] for row in rows] == [names[label] for label in dataset.test.labels]
    fooled = [row["pixel"] != row["label"] for row in rows]
    assert np.mean(fooled) == pytest.approx(results["attack_success_rate"])  # All are right when clean.
    assert all(row["white_box"] == row["worst"] == "" for row in rows[8:])
    beaten = [{row["pixel"], row["disruption stage1"]} != {row["label"]} for row in rows[:8]]
    assert [row["worst"] != row["label"] for row in rows[:8]] == beaten  # The white box does not count.
    assert np.mean(beaten) == pytest.approx(results["worst_case_success_rate"])
    assert sum(row["num_images"] for row in results["per_class"]) == 12
    for row in results["per_class"]:
        own = [number for number, image in enumerate(rows) if image["label"] == row["class"]]
        assert row["clean_accuracy"] == 1.0 and row["num_images"] == len(own)
        assert row["attack_success_rate"] == pytest.approx(np.mean([fooled[number] for number in own]))
        first = [beaten[number] for number in own if number < 8]
        assert row["worst_case_success_rate"] == (pytest.approx(np.mean(first)) if first else None)


def test_successes_are_counted_of_all_images_too(dataset, student):
    """Two of the labels are another's, so that the student gets them wrong when clean."""
    labels = dataset.test.labels.copy()
    labels[:2] = (labels[:2] + 1) % 3
    other = dataclasses.replace(dataset, test=Split(dataset.test.images, labels))
    results = _measure(_settings(cache="", core=()), other, student).results
    assert results["num_attacked"] == 10
    for rate in ("attack_success_rate", "worst_case_success_rate"):
        assert results[f"{rate}_of_all"] == pytest.approx(results[rate] * 10 / 12)


def test_adversarial_images_are_kept_as_pngs_in_the_ball(dataset, student, tmp_path):
    chosen = _settings(preset="suite", suite=("pixel", "disruption stage1"), images=8, cache="")
    options = {"folder": tmp_path / "suite", "save": (tmp_path / "images", 3)}
    _measure(chosen, dataset, student, folder=options["folder"])
    assert not (tmp_path / "images").exists()
    _measure(chosen, dataset, student, **options)  # Also where the answers were kept before.
    files = sorted(path.relative_to(tmp_path / "images").as_posix() for path in tmp_path.rglob("*.png"))
    assert files == [f"{name}/0000{n}.png" for name in ("disruption-stage1", "pixel") for n in range(3)]
    for name in files:
        kept = np.asarray(Image.open(tmp_path / "images" / name)).astype(int)
        clean = dataset.test.images[int(name[-5])].astype(int)
        assert 0 < np.abs(kept - clean).max() <= 0.3 * 255
    before = (tmp_path / "images" / files[0]).stat().st_mtime_ns
    _measure(chosen, dataset, student, **options)
    assert (tmp_path / "images" / files[0]).stat().st_mtime_ns == before


@pytest.mark.long
def test_one_attack_is_in_memory_at_a_time_and_the_cache_keeps_its_limit(tmp_path, dataset, student, monkeypatch):
    alive, most, sizes, make = weakref.WeakSet(), [], [], attacks.Crafter.__init__

    def count(crafter, *arguments, **options):
        alive.add(crafter)
        most.append(len(alive))
        sizes.append(sum(path.stat().st_size for path in tmp_path.glob("*.npy")))
        make(crafter, *arguments, **options)

    monkeypatch.setattr(attacks.Crafter, "__init__", count)
    names = ("pixel", "neurons", "stages", "joint", "disruption", "guide", "universal", "universal_lift")
    limit = 2.5 * (128 + 12 * 4 * 4 * 3 * 4 + 32)  # Bytes of a set, with its header and checksum.
    chosen = _settings(preset="suite", suite=names, cache=str(tmp_path), cache_limit=limit / 1e9)
    assert len(_measure(chosen, dataset, student).results["suite"]) == 17
    assert len(most) == 14 and max(most) == 1
    assert 0.5 * limit < max(sizes) <= limit


def test_the_next_student_costs_its_forward_passes_only(tmp_path, dataset, student, monkeypatch):
    chosen = _settings(cache=str(tmp_path), preset="suite", suite=("pixel", "universal", "guide"))
    first = _measure(chosen, dataset, student)
    for kind in (attacks.PGD.crafter, attacks.Universal.crafter):
        monkeypatch.setattr(kind, "_attack", lambda *_: pytest.fail("crafted again"))
        monkeypatch.setattr(kind, "trace", lambda *_: pytest.fail("traced again"))
    _measure(chosen, dataset, linear_teacher(seed=5))
    again = _measure(chosen, dataset, student)
    assert again.results | {"seconds": None} == first.results | {"seconds": None}
    assert again.curve == first.curve


@pytest.mark.parametrize("preset", long("universal", "l2", "white_box", "stages"))
def test_any_attack_can_be_the_only_one(dataset, student, preset):
    chosen = _settings(preset=preset, cache="")
    measured = _measure(chosen, dataset, student)
    assert measured.curve[0]["epsilon"] == 0 and measured.curve[0]["attack_success_rate"] == 0
    assert all((row["outside"] is not None) == (row["name"] == "white_box") for row in measured.results["suite"])
    attack, asr = measured.results["attack"], measured.results["attack_success_rate"]
    assert attack["source"] == ("student" if preset == "white_box" else "teacher")
    assert (attack["outside"] is not None) == (preset in ("l2", "white_box"))
    first, *_ = _crafters(chosen, _target(chosen, dataset, student)).values()
    hit = np.asarray(student(first(dataset.test.floats()))["logits"]).argmax(1) != dataset.test.labels
    assert asr == pytest.approx(hit.mean()) and measured.results["worst_case"]["attacks"]


def _reported(folder, measured, chosen, attacked, **changes):
    """report.md of an audit."""
    facts = {"method": "finetune", "seed": 0, "split": "test", "dataset": attacked.facts()}
    facts |= {"teacher": {"name": "toy/weights", "sha256": "0" * 64}}
    facts["audit"] = {"exposure": [{"name": "white_box", "outside": "", "rates": {"0.1": 0.5}}], "comparison": []}
    facts["audit"] |= {"input_range": "0..1", "geometry": "", "outputs": "logits", "format": "Keras 2", "draws": 1}
    facts["audit"] |= {"has_gradient": True, "asked": [], "label_order_was_matched": False, "unmatched": ["b"]}
    facts["audit"] |= {"image_size": [4, 4]}
    pieces = {"curve": measured.curve, "convergence": measured.convergence, "config": chosen.as_json()}
    pieces["examples"] = reporting.Examples.choose(
        attacked.test, measured.shown, attacked.class_names, **measured.answers
    )
    results = facts | measured.results | changes
    reporting.write(folder, results=results, history=[], seen=None, command="", **pieces)
    return (folder / "report.md").read_text()


@pytest.mark.long
def test_a_report_says_which_model_was_attacked(tmp_path, dataset, student):
    chosen = _settings(preset="white_box", cache="")
    measured = _measure(chosen, dataset, student)
    for source, told in {
        "student": "the attack white_box alone, on the student itself, which the attacker does not have, turns",
        "teacher": "alone, through toy/weights, the public teacher, turns",
        "surrogate": "alone, through a student of the attacker's own, made from toy/weights, turns",
        "ensemble": "alone, through students of the attacker's own, made from toy/weights, turns",
    }.items():
        attack = measured.results["attack"] | {"source": source}
        assert told in _reported(tmp_path, measured, chosen, dataset, attack=attack), source
    markdown = (tmp_path / "report.md").read_text()
    assert "(outside the threat model: it has the student)" in markdown
    assert markdown.index("An attacker who tries 3 attacks of one size") < markdown.index("white_box alone")
    names = [line.split("|")[1].strip() for line in markdown.splitlines() if line.startswith("|")]
    assert names.index("The worst case of all attacks") < names.index("Attack success rate (ASR)")
    assert "| *white_box* |" in markdown and ("alone come" in markdown or "The best three" in markdown)


_HOSTILE = [f"=1+{number} a|b\n# c\n`<script>alert(1)</script>[x](javascript:y)" for number in range(CLASSES)]


def test_names_of_classes_and_files_are_data(tmp_path, dataset, student):
    files = np.array([f"=cmd{number}.jpg" for number in range(len(dataset.test))])
    named = dataclasses.replace(dataset, class_names=_HOSTILE, test=dataclasses.replace(dataset.test, files=files))
    chosen = _settings(cache="", core=())
    measured = _measure(chosen, named, student)
    report = _reported(tmp_path, measured, chosen, named, method=_HOSTILE[2])
    pages = {"report": report, "html": (tmp_path / "report.html").read_text()}
    pages["card"] = reporting.model_card(
        {"method": _HOSTILE[2], "seed": 0, "split": "test", "dataset": named.facts(), **measured.results}
        | {"teacher": {"name": "toy/weights", "sha256": "0"}},
        image_shape=(4, 4, 3),
        geometry="zoom",
    )
    for name, page in pages.items():
        assert "<script>alert" not in page and "&lt;script&gt;" in page, name
        assert "\n# c" not in page or name == "html", name
    assert "[x](javascript" not in report and "\\[x\\](javascript" in report
    assert "a\\|b # c \\`&lt;" in report
    rows = list(csv.reader(io.StringIO(measured.table)))[1:]
    assert [row[1] for row in rows] == [f"'{file}" for file in files]
    assert {row[2] for row in rows} <= {f"'{name}" for name in _HOSTILE}


@pytest.mark.long
def test_a_report_names_the_leaks_and_counts_what_was_attacked(tmp_path, dataset, student):
    chosen = _settings(preset="quick", images=6, cache="")
    attacked = dataclasses.replace(dataset, test=dataset.test.take(np.arange(6)))  # Half of them, in a quick audit.
    measured = _measure(chosen, attacked, student)
    leak = leaks.Leak("test/a|b.jpg", "train/c.jpg", same=True, other_label=False)
    leaking = dataclasses.replace(dataset, leaks=leaks.Leaks(test=(leak,))).facts()
    markdown = _reported(tmp_path, measured, chosen, attacked, dataset=leaking)
    assert "(out of 6)" in markdown and leaking["num_test"] == 12
    for text in (markdown, (tmp_path / "report.html").read_text()):
        assert "1 of 12 test images is also a training image" in text and "test/a|b.jpg = train/c.jpg" in text
    assert "Leaks" not in _reported(tmp_path, measured, chosen, attacked)


def _surrogate_settings(**changes):
    config = get_config()
    config.attack.update({"preset": "surrogate", "surrogate": "finetune"})
    config.steps.train = 2
    config.update({"batch_size": 4, "interval": 1, **changes})
    return settings.read(config).surrogate


@pytest.fixture
def toy_students(monkeypatch):
    """Untrained students are linear networks."""

    def build(chosen, num_classes):
        assert num_classes == CLASSES
        return linear_teacher(seed=chosen.seed)

    monkeypatch.setattr(students, "build_student", build)


def _teacher():
    model = linear_teacher()
    return model, models.sha256(models.save(model))


def test_the_surrogate_is_trained_once_and_on_the_attackers_images_alone(
    tmp_path, dataset, student, monkeypatch, toy_students
):
    chosen, teacher = _surrogate_settings(), _teacher()
    train = functools.partial(surrogate.train_once, chosen, tmp_path)
    trained = train(dataset, teacher)
    model, digest = trained["surrogate"]
    assert list(trained) == ["surrogate"]  # Fine-tuning averages nothing.
    assert digest == models.sha256(models.save(model)) != models.sha256(models.save(student))

    def fail(*_):
        raise RuntimeError("trained again")

    monkeypatch.setattr(Transfer, "train_step", fail)
    others = Dataset("toy", dataset.class_names, dataset.test, dataset.validation, dataset.train)
    assert train(others, teacher)["surrogate"][1] == digest
    attacked = _settings(preset="surrogate", surrogate="finetune", cache="")
    target = _target(attacked, dataset, student, surrogate=(model, digest))
    outcome = suite.run(attacked.attack, target)[0][0]
    assert outcome.member.entry.network == "surrogate" and outcome.member.counts
    with pytest.raises(RuntimeError, match="trained again"):
        train(Dataset("toy", dataset.class_names, dataset.train, dataset.test, dataset.train), teacher)
    assert len(surrogate.kept(tmp_path)) == 2  # The second was begun.


def test_the_surrogate_of_a_folder_that_cannot_be_written_is_not_kept(dataset, monkeypatch, toy_students):
    warnings = []
    monkeypatch.setattr(surrogate.logging, "warning", lambda text, *values: warnings.append(text % values))
    model, digest = surrogate.train_once(_surrogate_settings(), "/proc", dataset, _teacher())["surrogate"]
    assert digest == models.sha256(models.save(model))
    assert len(warnings) == 1 and warnings[0].startswith("/proc: ") and "is not kept" in warnings[0]


def test_a_surrogate_that_learned_nothing_is_left_out_by_name(dataset, student):
    images = np.random.default_rng(1).integers(0, 256, [2000, 4, 4, 3]).astype(np.uint8)
    answers = predict(student, images.astype(np.float32) / 255)
    few = np.concatenate([np.flatnonzero(answers == label)[:5] for label in range(3)])
    assert surrogate.why_useless(student, Split(images[few], answers[few])) is None
    guessing = linear_teacher(seed=9)
    guessing.layers[-1].set_weights([np.zeros_like(value) for value in guessing.layers[-1].get_weights()])
    labels = np.arange(12) % 3
    why = surrogate.why_useless(guessing, Split(dataset.test.images, labels))
    assert why == "the attacker's own student gets 4 of 12 images right, no more than chance"
    few = dataset.test.images[:2]
    assert surrogate.why_useless(guessing, Split(few, labels[:2])) is None  # Two images tell nothing of it.
    chosen = _settings(preset="suite", suite=("pixel", "surrogate", "ensemble", "guide"), surrogate="finetune")
    assert chosen.without({"surrogate", "ensemble"}).attack.members == ("pixel", "guide")
    headline = _settings(preset="surrogate", core=("ensemble", "disruption"), surrogate="finetune")
    assert headline.without({"surrogate", "ensemble"}).attack.members == ("surrogate", "disruption")


def test_the_surrogate_of_a_mixed_run_is_attacked_in_float32(tmp_path, dataset, images, monkeypatch):
    def build(chosen, num_classes):
        return tiny(num_classes=num_classes, precision=chosen.training.precision)

    monkeypatch.setattr(students, "build_student", build)
    teacher = tiny()
    known = (teacher, models.sha256(models.save(teacher)))
    mixed = _surrogate_settings(precision="mixed_bfloat16")
    model, _ = surrogate.train_once(mixed, tmp_path, dataset, known)["surrogate"]
    assert not models.is_mixed(model)
    (attack,) = attacks.build(
        "surrogate", model, attacks.Budget(steps=1)
    ).values()  # Freezes it, and checks that it can.
    assert (attack(images) != images).numpy().any()


def test_what_cannot_be_done_is_said_before_the_training(dataset):
    teacher = linear_teacher()
    with pytest.raises(UserError, match="neuron must be from 0 to 5, not 16"):
        suite.check(_settings(neuron=16), teacher, dataset)
    with pytest.raises(UserError, match="the attacker's own student learns from the validation split"):
        empty = Dataset("toy", dataset.class_names, dataset.train, dataset.test.take([]), dataset.test)
        suite.check(_settings(preset="surrogate"), teacher, empty)
    with pytest.raises(UserError, match="unknown variant of disruption 'stage7'; .*choose one of: penultimate, stage1"):
        suite.check(_settings(core=("disruption stage7",)), teacher, dataset)


def test_the_attackers_own_images_are_not_the_attacked(dataset, student):
    target = _target(_settings(), dataset, student)
    validation = {image.tobytes() for image in dataset.validation.floats()}
    assert len(target.own_images) == 5 and {image.tobytes() for image in target.own_images} <= validation


@pytest.mark.long
def test_an_averaged_surrogate_brings_an_ensemble_around_it(tmp_path, dataset, monkeypatch):
    def build(chosen, num_classes):
        return tiny(num_classes=num_classes, seed=chosen.seed, precision=chosen.training.precision)

    monkeypatch.setattr(students, "build_student", build)
    monkeypatch.setattr(surrogate, "_SAMPLES", 2)
    config = get_config()
    config.attack.update({"preset": "ensemble", "surrogate": "renofeation"})
    config.steps.update({"train": 2, "swa": 4, "swa_period": 1})
    config.update({"batch_size": 4, "interval": 2})
    chosen, teacher = settings.read(config).surrogate, tiny(seed=5)
    known = (teacher, models.sha256(models.save(teacher)))
    train = functools.partial(surrogate.train_once, chosen, tmp_path, dataset, known)
    found, again = train(), train()  # The second is read from the checkpoints.
    (average, _), (ensemble, digest) = found["surrogate"], found["ensemble"]
    assert len(ensemble.members) == 3 and ensemble.members[0] is average and again["ensemble"][1] == digest
    weights = [np.concatenate([w.numpy().ravel() for w in m.trainable_variables]) for m in ensemble.members]
    off = np.array(weights[1:]) - weights[0]
    assert (np.abs(off).max(1) > 0).all() and np.abs(off).max() < 0.5
    statistics = [model.get_layer("stem_bn").moving_mean.numpy() for model in ensemble.members]
    assert all(np.abs(one - statistics[0]).max() > 0 for one in statistics[1:])
    (attack,) = attacks.build("ensemble", ensemble, attacks.Budget(steps=6), precision="float32").values()
    images = np.random.default_rng(0).uniform(size=(4, 8, 8, 3)).astype(np.float32)
    assert attack.trace(images)[-1] < attack.trace(images)[0]
