"""One evaluation: several attacks, their worst case, the controls; on a linear network."""

import csv
import dataclasses
import errno
import functools
import io
import weakref

import numpy as np
import photos
import pytest
import tensorflow as tf
from conftest import long
from PIL import Image
from toys import CLASSES, linear_dataset, linear_teacher

from reno_tf import attacks, records, reporting
from reno_tf.attacks import Budget
from reno_tf.data import Photos, Split, leaks
from reno_tf.errors import UserError
from reno_tf.evaluation import (
    Attacker,
    Crafting,
    Network,
    Pictures,
    Suite,
    asking,
    evaluate,
    own_images,
    predict,
    stored_answers,
    suite,
    worst_case,
)
from reno_tf.evaluation.suite import references

_BUDGET = Budget(epsilon=0.3, step_size=0.1, steps=4)


def _suite(*names, **changes) -> Suite:
    """The attacks of these names, or what every run tries, with a curve of one point."""
    attacks = references(*names) if names else suite.core().attacks
    small = {"name": "suite", "budget": _BUDGET, "curve": (2.0,), "curve_images": 8}
    return Suite(attacks=attacks, **small | changes)


def _crafting(cache=None, **changes):
    return Crafting(batch_size=8, cache=cache and str(cache), **changes)


@pytest.fixture(scope="module")
def student():
    return linear_teacher(seed=4)


@pytest.fixture(scope="module")
def dataset(student):
    return linear_dataset(student)


def _attacker(dataset, student, **others) -> Attacker:
    """Has the teacher and five images; the student is there for the white box."""
    networks = {"teacher": Network.of(linear_teacher()), "student": Network.of(student), **others}
    return Attacker(networks=networks, own_images=own_images(dataset.validation, 5))


def _measure(tried, dataset, student, *, cache=None, attacker=None, crafting=None, folder=None, pictures=None):
    attacker = attacker or _attacker(dataset, student)
    crafting = dataclasses.replace(crafting or _crafting(cache), answers=folder, pictures=pictures)
    return evaluate(student, attacker, dataset, tried, undefended=True, crafting=crafting)


def _results(measured) -> dict:
    """As results.json has them, without the seconds."""
    return records.to_json(measured.evaluation) | {"seconds": None}


def _crafters(tried, dataset, student):
    """{name: attack} of everything that the suite runs."""
    crafters, attacker = {}, _attacker(dataset, student)
    for member in tried.plan(attacker.models):
        images = dataset.test if not crafters else dataset.test.first(tried.images)
        others = {"own": attacker.own_images, "attacked": images.floats(), None: None}[member.entry.others]
        model = attacker.models[member.entry.network]
        crafters[member.name] = member.attack.on(model, tried.budget, others=others)
    return crafters


def _hits(crafters, student, images, labels):
    """{name: whether each image is fooled}; all of them are right when clean."""
    return {name: predict(student, attack(images).numpy()) != labels for name, attack in crafters.items()}


def test_a_first_look_chooses_the_attacks_that_fool_together(dataset, student, monkeypatch):
    """Of three attacks, of which the second best adds nothing to the best, the best and the third are taken."""
    tried = _suite("pixel", "neurons", neurons=(0, 1, 2), chosen=2)
    names = ["neurons neuron 0", "neurons neuron 1", "neurons neuron 2"]
    fools = dict(zip(names, ([0, 1, 2], [0, 1], [5]), strict=True))

    def look(attack):
        labels = np.array(attack.attacked.split.labels)
        wrong = np.isin(np.arange(len(labels)), fools[attack.member.name])
        return np.where(wrong, 1 - labels, labels)

    monkeypatch.setattr(asking._OneAttack, "look", look)
    results = _results(_measure(tried, dataset, student))
    assert results["worst_case"]["attacks"] == ["pixel", names[0], names[2]]
    whole = {row["name"]: row for row in _results(_measure(_suite("pixel", *names), dataset, student))["suite"]}
    rows = {row["name"]: row for row in results["suite"]}
    assert rows[names[0]] == whole[names[0]] and rows[names[2]] == whole[names[2]]  # A look changes nothing of them.


@pytest.mark.parametrize("chosen", [0, 3, 9])
def test_all_are_tried_where_no_fewer_are_wanted(dataset, student, chosen, monkeypatch):
    monkeypatch.setattr(asking._OneAttack, "look", lambda attack: pytest.fail("a look"))
    results = _results(_measure(_suite("pixel", "neurons", neurons=(0, 1, 2), chosen=chosen), dataset, student))
    assert len(results["worst_case"]["attacks"]) == 4


def test_a_look_is_a_short_attack(dataset, student):
    """The best of the neurons by three gradients of 0.8 of the radius."""
    tried = _suite("pixel", "neurons", neurons=(0, 1, 2, 3, 4), chosen=1)
    found = _results(_measure(tried, dataset, student))["worst_case"]["attacks"][1]
    images, labels = dataset.test.floats(), dataset.test.labels
    hits = {}
    for name, crafter in _crafters(tried, dataset, student).items():
        short = crafter.within(Budget(epsilon=0.3, step_size=0.24, steps=3))
        hits[name] = (predict(student, short(images).numpy()) != labels).sum()
    del hits["pixel"]
    assert hits[found] == max(hits.values()) > min(hits.values())


def test_a_suite_is_as_strong_as_its_worst_case_and_the_white_box_does_not_count(tmp_path, dataset, student):
    tried = _suite("pixel", "neurons", "disruption stage2", "universal", "white_box", neurons=(0, 5))
    results = _results(_measure(tried, dataset, student, cache=tmp_path))
    images, labels = dataset.test.floats(), dataset.test.labels
    hits = _hits(_crafters(tried, dataset, student), student, images, labels)
    counted = ["pixel", "neurons neuron 0", "neurons neuron 5", "disruption stage2", "universal"]
    assert list(hits) == [*counted, "white_box"]
    rows = {row["name"]: row for row in results["suite"]}
    for name, hit in hits.items():
        assert rows[name]["attack_success_rate"] == pytest.approx(hit.mean()) and rows[name]["gradients"] == 4, name
        assert rows[name]["counts"] == (rows[name]["outside"] is None) == (name != "white_box")
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
    tried = _suite(images=5)
    measured = _measure(tried, dataset, student)
    crafters, results = _crafters(tried, dataset, student), _results(measured)
    assert list(crafters) == ["pixel", "disruption stage1", "disruption stage2", "disruption penultimate"]
    images, labels = dataset.test.floats(), dataset.test.labels
    pixel = predict(student, crafters["pixel"](images).numpy()) != labels
    hits = [pixel[:5], *_hits(crafters, student, images[:5], labels[:5]).values()]
    assert results["attack_success_rate"] == pytest.approx(pixel.mean())
    assert results["worst_case_success_rate"] == pytest.approx(np.any(hits, axis=0).mean())
    assert results["worst_case"]["num_images"] == 5 and results["num_attacked"] == 12
    answers = measured.answers
    assert [len(one) for one in (answers.clean, answers.headline.final, answers.noise[1.0, 0])] == [12] * 3


def test_noise_gets_as_many_draws_as_there_are_attacks(dataset, student):
    tried = _suite(images=7, budget=Budget(epsilon=0.6, step_size=0.1, steps=4))
    results, crafter = _results(_measure(tried, dataset, student)), _crafters(tried, dataset, student)["pixel"]
    images, labels = dataset.test.floats(), dataset.test.labels
    draws = [predict(student, crafter.noise(images, draw=draw).numpy()) != labels for draw in range(4)]
    assert len({draw.tobytes() for draw in draws}) > 1
    assert results["noise_success_rate"] == pytest.approx(draws[0].mean())
    worst = np.any([draw[:7] for draw in draws], axis=0).mean()
    assert results["worst_case_noise_success_rate"] == pytest.approx(worst)


@pytest.mark.parametrize("first", ["reference", "l2", "paper"])
def test_what_counts_is_in_the_ball_of_the_first(first, dataset, student, monkeypatch):
    monkeypatch.setattr(attacks.units, "normalization", lambda network: ([0.5] * 3, [0.25] * 3))
    headline, *others = _suite(first, "disruption").plan(_attacker(dataset, student).models)
    assert headline.counts and len(others) == 3
    for member in others:
        assert (member.attack.ball, member.attack.unit) == (headline.attack.ball, headline.attack.unit)
        assert member.counts


def _flat_teacher():
    """linear_teacher, but its second stage does not answer to the input."""
    model = linear_teacher()
    layer = model.get_layer("conv2")
    layer.kernel.assign(tf.zeros_like(layer.kernel))
    return model


@pytest.mark.long
def test_an_attack_without_gradient_is_skipped_by_name(dataset, student, tmp_path):
    attacker = _attacker(dataset, student, teacher=Network(_flat_teacher(), "flat"))
    measured = _measure(_suite(images=8), dataset, student, attacker=attacker)
    (skipped,) = measured.evaluation.skipped
    assert skipped.name == "disruption stage2" and "gradient is zero everywhere" in skipped.why
    assert measured.evaluation.worst_case_of.attacks == ("pixel", "disruption stage1", "disruption penultimate")
    assert "**Skipped:** disruption stage2: the attack cannot work" in _reported(tmp_path, measured, dataset)
    with pytest.raises(UserError, match="disruption stage2: the attack cannot work"):
        _measure(_suite("disruption stage2", "pixel"), dataset, student, attacker=attacker)


def test_an_attack_whose_network_is_not_there_is_skipped_but_for_the_headline(dataset, student):
    """Where the attacker's own student could not be trained, the next attack is not the headline in silence."""
    attacker = _attacker(dataset, student).without(surrogate="it learned nothing", student="a file")
    evaluation = _measure(_suite("pixel", "surrogate", "white_box"), dataset, student, attacker=attacker).evaluation
    assert {row.name: row.why for row in evaluation.skipped} == {
        "surrogate": "it learned nothing",
        "white_box": "a file",
    }
    assert evaluation.worst_case_of.attacks == ("pixel",)
    with pytest.raises(UserError, match="surrogate.*it learned nothing"):
        _measure(_suite("surrogate", "pixel"), dataset, student, attacker=attacker)


def test_photographs_are_measured_as_arrays_are(student, dataset, monkeypatch):
    """Their views are computed when they are asked for; those of a few, once for all attacks."""
    encoded, read = [photos.encode(photos.picture(20, 24, seed)) for seed in range(6)], []
    views = Photos(lambda number: read.append(number) or encoded[number], range(6), size=4)
    test = Split(views, np.arange(6) % CLASSES)
    decoded = Split(np.round(255 * test.floats()[:]).astype(np.uint8), test.labels)
    tried = _suite("pixel", "universal", images=3)
    expected, counts = worst_case(student, linear_teacher(), decoded, suite=tried), []
    for limit in (asking._DECODED, 0):
        monkeypatch.setattr(asking, "_DECODED", limit)
        read.clear()
        found = worst_case(student, linear_teacher(), test, suite=tried)
        counts.append(len(read))
        assert found["pixel"].total == expected["pixel"].total and found.clean_accuracy == expected.clean_accuracy
    assert counts[0] < counts[1] / 2


def test_answers_of_what_has_no_digest_are_not_taken_for_anothers(student, dataset, tmp_path):
    always = lambda images, training=False: {"logits": tf.one_hot(tf.zeros(len(images), tf.int32), CLASSES)}  # noqa: E731
    plain = lambda images, training=False: student(images, training=training)  # noqa: E731
    found = [_measure(_suite("pixel"), dataset, one, folder=tmp_path / "suite") for one in (plain, always)]
    alone = _measure(_suite("pixel"), dataset, always)
    assert _results(found[1]) == _results(alone) != _results(found[0])
    assert not (tmp_path / "suite").exists()


@pytest.mark.long
def test_an_interrupted_suite_goes_on_where_it_was(dataset, student, tmp_path, monkeypatch):
    measured = functools.partial(_measure, _suite(images=8, eight_bit=True), dataset, student)
    whole = measured(folder=tmp_path / "whole")
    crafted, craft = [], attacks.PGD.crafter._attack

    def interrupted(crafter, *arguments):
        crafted.append(crafter.objective.outputs[0])
        if len(crafted) > stop:
            raise KeyboardInterrupt
        return craft(crafter, *arguments)

    monkeypatch.setattr(attacks.PGD.crafter, "_attack", interrupted)
    stop = 5  # The headline takes two batches and its curve two, stage1 one; then the end.
    with pytest.raises(KeyboardInterrupt):
        measured(folder=tmp_path / "run")
    assert crafted == ["penultimate"] * 4 + ["stage1", "stage2"]
    (damaged, *_) = sorted((tmp_path / "run").glob("*.npz"))
    stop = 100
    again = measured(folder=tmp_path / "run")
    assert crafted[6:] == ["stage2", "penultimate"]
    assert _results(again) == _results(whole) and again.curve == whole.curve
    for ours, theirs in zip(again.answers.attacks, whole.answers.attacks, strict=True):
        np.testing.assert_array_equal(ours.shown, theirs.shown)
    damaged.write_bytes(damaged.read_bytes()[:50])  # A file that is cut short is done again.
    assert _results(measured(folder=tmp_path / "run")) == _results(whole)
    # What took time before the interruption counts: the headline was not crafted again.
    seconds = again.evaluation.seconds
    headline = again.answers.headline
    assert seconds.craft >= round(headline.crafting, 3) > 0 and seconds.evaluate >= round(headline.asking, 3) > 0


def test_answers_that_cannot_be_kept_are_done_without(dataset, student, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    warnings = []
    monkeypatch.setattr(stored_answers.files, "write_bytes", full)
    monkeypatch.setattr(stored_answers.logging, "warning", lambda text, *values: warnings.append(text % values))
    measured = _measure(_suite(images=8), dataset, student, folder=tmp_path / "suite")
    assert len(measured.answers.attacks) == 4 and len(warnings) == 4
    assert "No space left on device; an interrupted" in warnings[0]


@pytest.mark.long
def test_rounded_images_are_kept_as_bytes_and_counted_beside_the_float_ones(dataset, student, tmp_path):
    tried = _suite(images=8, eight_bit=True, budget=Budget(epsilon=0.05, step_size=0.1, steps=4))
    measured = _measure(tried, dataset, student, cache=tmp_path)
    images, labels = dataset.test.floats(), dataset.test.labels
    rounded = {}
    for name, attack in _crafters(tried, dataset, student).items():
        levels = attack.levels(attack(images), images).numpy()
        assert levels.dtype == np.uint8
        assert np.abs(levels.astype(int) - dataset.test.images).max() == 12  # 0.05 of 255 is 12.75.
        rounded[name] = predict(student, levels.astype(np.float32) / 255) != labels
    results = _results(measured)
    rows = {row["name"]: row for row in results["suite"]}
    assert results["attack_success_rate_8bit"] == pytest.approx(rounded["pixel"].mean())
    for name in rounded:
        assert rows[name]["attack_success_rate"] == pytest.approx(rounded[name][:8].mean()), name
    assert results["worst_case_success_rate"] == pytest.approx(np.any([hit[:8] for hit in rounded.values()], 0).mean())
    sets = [np.load(path, mmap_mode="r") for path in tmp_path.glob("*.npy")]
    assert sorted(str(one.dtype) for one in sets if len(one) == 8 and one.dtype == np.uint8) == ["uint8"] * 3
    assert "Rounded to 8 bits" in _reported(tmp_path / "report", measured, dataset)
    assert "attack_success_rate_8bit" not in _results(_measure(_suite(), dataset, student))


@pytest.mark.long
def test_a_budget_of_nothing_and_a_single_step_are_measured(dataset, student, tmp_path):
    still = _measure(_suite(budget=Budget(epsilon=0.0, step_size=0.1, steps=4)), dataset, student)
    assert still.evaluation.attack_success_rate.hits == still.evaluation.worst_case.hits == 0
    assert _reported(tmp_path / "still", still, dataset)
    single = _measure(_suite(budget=Budget(epsilon=0.3, step_size=0.1, steps=1)), dataset, student)
    assert len(single.answers.convergence) == 2 and single.answers.headline.gradients == 1
    assert _reported(tmp_path / "single", single, dataset)


def test_the_controls_of_an_evaluation(tmp_path, dataset, student):
    measured = _measure(_suite(), dataset, student, cache=tmp_path)
    convergence = measured.answers.convergence
    assert [row.name for row in measured.evaluation.suite][::4] == ["pixel", "disruption, worst case of 3"]
    assert [point.epsilon for point in measured.curve] == pytest.approx([0, 0.3, 0.6])
    assert [point.num_images for point in measured.curve] == [8, 12, 8]
    assert measured.curve[0].attack_success_rate.hits == measured.curve[0].noise_success_rate.hits == 0
    attack = attacks.penultimate_pgd(linear_teacher(), epsilon=0.3, step_size=0.1, steps=4)
    images = dataset.test.floats()  # More than a batch.
    nowhere = attack.within(attacks.Budget(epsilon=0.3, step_size=0.1, steps=0))
    expected = [np.mean(attack.loss(x)) for x in (nowhere(images), attack(images))]
    assert len(convergence) == 5
    np.testing.assert_allclose([convergence[0], convergence[-1]], expected, rtol=1e-5)
    names = ["converged", "zero epsilon", "stronger than noise", "rises with epsilon", "large epsilon"]
    assert [row.name for row in measured.evaluation.checks] == names


def test_the_exposure_is_each_attacks_success_at_several_epsilon(dataset, student):
    tried = _suite("pixel", "neurons", neurons=(0, 5), curve=(0.5, 2.0), exposure=True)
    rows = _measure(tried, dataset, student).exposure
    assert [row.name for row in rows] == ["pixel", "neurons"]
    crafters, labels = _crafters(tried, dataset, student), dataset.test.labels[:8]
    for row, names in zip(rows, (["pixel"], ["neurons neuron 0", "neurons neuron 5"]), strict=True):
        assert list(row.rates) == ["0.15", "0.3"]
        for factor, rate in zip((0.5, 1.0), row.rates.values(), strict=True):
            scaled = [crafters[name].within(crafters[name].budget.scaled(factor)) for name in names]
            wrong = [predict(student, attack(dataset.test.floats()[:8]).numpy()) != labels for attack in scaled]
            assert rate == pytest.approx(np.any(wrong, axis=0).mean())
    assert _measure(dataclasses.replace(tried, exposure=False), dataset, student).exposure == []


def test_the_curve_has_the_worst_case_of_the_core_up_to_the_runs_epsilon(dataset, student):
    tried = _suite("pixel", "disruption", "neurons", neurons=(0,), curve=(0.25, 0.5, 2.0), images=10)
    tried = dataclasses.replace(tried, budget=Budget(epsilon=0.8, step_size=0.2, steps=4))
    measured = _measure(tried, dataset, student)
    crafters, labels, images = _crafters(tried, dataset, student), dataset.test.labels, dataset.test.floats()[:]
    core = [name for name in crafters if not name.startswith("neurons")]
    assert [point.epsilon for point in measured.curve] == pytest.approx([0, 0.2, 0.4, 0.8, 1.6])
    expected = [0.0]
    for factor, count in ((0.25, 8), (0.5, 8), (1.0, 10)):
        scaled = [crafters[name].within(crafters[name].budget.scaled(factor)) for name in core]
        wrong = [predict(student, attack(images[:count]).numpy()) != labels[:count] for attack in scaled]
        expected.append(np.any(wrong, axis=0).mean())
    *inside, beyond = [point.core_worst_case_success_rate for point in measured.curve]
    assert [rate.rate for rate in inside] == expected and beyond is None and 0 < expected[2] < expected[3]
    assert [rate.total for rate in inside] == [8, 8, 8, 10]
    assert inside[-1] == measured.evaluation.core_worst_case_success_rate
    by_hand = 0.125 * (expected[0] + expected[1]) + 0.125 * (expected[1] + expected[2]) + 0.25 * sum(expected[2:])
    assert measured.evaluation.mean_worst_case_success_rate == pytest.approx(by_hand)


def test_each_image_and_each_class_is_accounted_for(dataset, student, tmp_path):
    measured = _measure(_suite("pixel", "disruption stage1", "white_box", images=8), dataset, student)
    rows = list(csv.DictReader(io.StringIO(measured.table)))
    assert list(rows[0]) == ["image", "file", "label", "clean", "pixel", "disruption stage1", "white_box", "worst"]
    assert [int(row["image"]) for row in rows] == list(range(12)) and rows[3]["file"] == ""
    names, results = dataset.class_names, _results(measured)
    assert [row["label"] for row in rows] == [names[label] for label in dataset.test.labels]
    fooled = [row["pixel"] != row["label"] for row in rows]
    assert np.mean(fooled) == pytest.approx(results["attack_success_rate"])  # All are right when clean.
    assert all(row["white_box"] == row["worst"] == "" for row in rows[8:])
    beaten = [{row["pixel"], row["disruption stage1"]} != {row["label"]} for row in rows[:8]]
    assert [row["worst"] != row["label"] for row in rows[:8]] == beaten  # The white box does not count.
    assert np.mean(beaten) == pytest.approx(results["worst_case_success_rate"])
    assert sum(row["num_images"] for row in results["per_class"]) == 12
    for row in results["per_class"]:
        members = [number for number, image in enumerate(rows) if image["label"] == row["class"]]
        assert row["clean_accuracy"] == 1.0 and row["num_images"] == len(members)
        assert row["attack_success_rate"] == pytest.approx(np.mean([fooled[number] for number in members]))
        first = [beaten[number] for number in members if number < 8]
        assert row["worst_case_success_rate"] == (pytest.approx(np.mean(first)) if first else None)


def test_successes_are_counted_of_all_images_too(dataset, student):
    """Two of the labels are another's, so that the student gets them wrong when clean."""
    labels = dataset.test.labels.copy()
    labels[:2] = (labels[:2] + 1) % 3
    other = dataclasses.replace(dataset, test=Split(dataset.test.images, labels))
    results = _results(_measure(_suite("pixel"), other, student))
    assert results["num_attacked"] == 10
    for rate in ("attack_success_rate", "worst_case_success_rate"):
        assert results[f"{rate}_of_all"] == pytest.approx(results[rate] * 10 / 12)


def test_adversarial_images_are_kept_as_pngs_in_the_ball(dataset, student, tmp_path):
    tried, pictures = _suite("pixel", "disruption stage1", images=8), Pictures(tmp_path / "images", 3)
    measured = functools.partial(_measure, tried, dataset, student, folder=tmp_path / "suite")
    measured()
    assert not (tmp_path / "images").exists()
    measured(pictures=pictures)  # Also where the answers were kept before.
    files = sorted(path.relative_to(tmp_path / "images").as_posix() for path in tmp_path.rglob("*.png"))
    assert files == [f"{name}/0000{n}.png" for name in ("disruption-stage1", "pixel") for n in range(3)]
    for name in files:
        pixels = np.asarray(Image.open(tmp_path / "images" / name)).astype(int)
        clean = dataset.test.images[int(name[-5])].astype(int)
        assert 0 < np.abs(pixels - clean).max() <= 0.3 * 255
    before = (tmp_path / "images" / files[0]).stat().st_mtime_ns
    measured(pictures=pictures)
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
    crafting = _crafting(tmp_path, cache_limit=limit)
    assert len(_measure(_suite(*names), dataset, student, crafting=crafting).evaluation.suite) == 17
    assert len(most) == 14 and max(most) == 1
    assert 0.5 * limit < max(sizes) <= limit


def test_the_next_student_costs_its_forward_passes_only(tmp_path, dataset, student, monkeypatch):
    measured = functools.partial(_measure, _suite("pixel", "universal", "guide"), dataset, cache=tmp_path)
    first = measured(student)
    for kind in (attacks.PGD.crafter, attacks.Universal.crafter):
        monkeypatch.setattr(kind, "_attack", lambda *_: pytest.fail("crafted again"))
        monkeypatch.setattr(kind, "trace", lambda *_: pytest.fail("traced again"))
    measured(linear_teacher(seed=5))
    again = measured(student)
    assert _results(again) == _results(first) and again.curve == first.curve


@pytest.mark.parametrize("preset", long("universal", "l2", "white_box", "stages"))
def test_any_attack_can_be_the_only_one(dataset, student, preset):
    tried = _suite(preset, "disruption")
    measured = _measure(tried, dataset, student)
    assert measured.curve[0].epsilon == 0 and measured.curve[0].attack_success_rate.hits == 0
    assert all(row.counts == (row.name != "white_box") for row in measured.evaluation.suite)
    attack, asr = measured.evaluation.attack, measured.evaluation.attack_success_rate.rate
    assert attack["source"] == ("student" if preset == "white_box" else "teacher")
    assert (attack["outside"] is not None) == (preset in ("l2", "white_box"))
    first, *_ = _crafters(tried, dataset, student).values()
    hit = np.asarray(student(first(dataset.test.floats()))["logits"]).argmax(1) != dataset.test.labels
    assert asr == pytest.approx(hit.mean()) and measured.evaluation.worst_case_of.attacks


def _reported(folder, measured, attacked, **changes):
    """report.md of an audit."""
    results = {"method": "finetune", "seed": 0, "split": "test", "dataset": attacked.facts()}
    results |= {"teacher": {"name": "toy/weights", "sha256": "0" * 64}}
    results["audit"] = {"exposure": [{"name": "white_box", "outside": "", "rates": {"0.1": 0.5}}], "comparison": []}
    results["audit"] |= {"input_range": "0..1", "geometry": "", "outputs": "logits", "format": "Keras 2", "draws": 1}
    results["audit"] |= {"has_gradient": True, "asked": [], "label_order_was_matched": False, "unmatched": ["b"]}
    results["audit"] |= {"image_size": [4, 4], "tied": []}
    material = reporting.Material(
        results=results | records.to_json(measured.evaluation) | changes,
        config={},
        curve=records.to_json(measured.curve),
        convergence=measured.answers.convergence,
        examples=reporting.Examples.choose(measured.attacked, measured.answers, measured.class_names),
        command="",
    )
    reporting.write_report_files(folder, material)
    return (folder / "report.md").read_text()


@pytest.mark.long
def test_a_report_says_which_model_was_attacked(tmp_path, dataset, student):
    measured = _measure(_suite("white_box", "disruption"), dataset, student)
    for source, sentence in {
        "student": "the attack white_box alone, on the student itself, which the attacker does not have, turns",
        "teacher": "alone, through toy/weights, the public teacher, turns",
        "surrogate": "alone, through a student of the attacker's own, made from toy/weights, turns",
        "ensemble": "alone, through students of the attacker's own, made from toy/weights, turns",
    }.items():
        attack = measured.evaluation.attack | {"source": source}
        assert sentence in _reported(tmp_path, measured, dataset, attack=attack), source
    markdown = (tmp_path / "report.md").read_text()
    assert "(outside the threat model: it has the student)" in markdown
    assert markdown.index("An attacker who tries 3 attacks of one size") < markdown.index("white_box alone")
    names = [line.split("|")[1].strip() for line in markdown.splitlines() if line.startswith("|")]
    assert names.index("The worst case of all attacks") < names.index("Attack success rate (ASR)")
    assert "| *white_box* |" in markdown and ("alone come" in markdown or "The best three" in markdown)


@pytest.mark.long
def test_a_report_names_the_leaks_and_counts_what_was_attacked(tmp_path, dataset, student):
    attacked = dataclasses.replace(dataset, test=dataset.test.first(6))  # Half of them, as in a quick audit.
    measured = _measure(_suite("pixel", "disruption stage1"), attacked, student)
    leak = leaks.Leak("test/a|b.jpg", "train/c.jpg", same=True, other_label=False)
    leaking = dataclasses.replace(dataset, leaks=leaks.Leaks(test=(leak,))).facts()
    markdown = _reported(tmp_path, measured, attacked, dataset=leaking)
    assert "(out of 6)" in markdown and leaking["num_test"] == 12
    pages = {"test/a\\|b.jpg": markdown, "test/a|b.jpg": (tmp_path / "report.html").read_text()}
    for file, text in pages.items():
        assert "1 of 12 test images is also a training image" in text and f"{file} = train/c.jpg" in text
    assert "Leaks" not in _reported(tmp_path, measured, attacked)


_HOSTILE = [f"=1+{number} a|b\n# c\n`<script>alert(1)</script>[x](javascript:y)" for number in range(CLASSES)]


def test_names_of_classes_and_files_are_data(tmp_path, dataset, student):
    files = np.array([f"=cmd{number}.jpg" for number in range(len(dataset.test))])
    named = dataclasses.replace(dataset, class_names=_HOSTILE, test=dataclasses.replace(dataset.test, files=files))
    measured = _measure(_suite("pixel"), named, student)
    report = _reported(tmp_path, measured, named, method=_HOSTILE[2])
    pages = {"report": report, "html": (tmp_path / "report.html").read_text()}
    pages["card"] = reporting.model_card(
        {"method": _HOSTILE[2], "seed": 0, "split": "test", "dataset": named.facts(), **_results(measured)}
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


def test_any_callable_is_a_student_and_a_teacher(dataset, student):
    """They have no digest, so nothing of theirs is kept."""
    teacher = linear_teacher()
    evaluation = worst_case(
        lambda images, training=False: {"logits": student(images)["logits"]},
        lambda images: teacher(images),
        dataset.test,
        suite=_suite("pixel", "universal", "surrogate", "white_box"),
        crafting=_crafting(),
    )
    measured = _measure(_suite("pixel", "universal"), dataset, student)
    assert evaluation.attack_success_rate == measured.evaluation.attack_success_rate
    assert {row.name for row in evaluation.skipped} == {"surrogate", "white_box"}
    assert evaluation.clean_accuracy.rate == 1
    assert evaluation["pixel"].rate <= evaluation.worst_case.rate == evaluation.worst_case_success_rate.rate
