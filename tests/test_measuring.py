"""One evaluation: several attacks, their worst case, the controls; on a linear network."""

import functools

import numpy as np
import pytest
from conftest import tiny
from toys import CLASSES, linear_teacher

from configs.default import get_config
from reno_tf import attacks, models, reporting, settings
from reno_tf.data import Dataset, Split
from reno_tf.errors import UserError
from reno_tf.evaluation import attacking, controls, measuring, surrogate
from reno_tf.evaluation import rates as evaluation


def _config(method="finetune", **changes):
    config = get_config()
    config.attack.update({"steps": 4, "step_size": 0.1, "epsilon": 0.3, "batch_size": 8, "own_images": 5})
    config.attack.update(changes)
    config.curve.update({"images": 8, "factors": (2.0,)})
    config.steps.update({"train": 2, "swa": 2, "swa_period": 1})
    config.update({"batch_size": 4, "interval": 1})
    return settings.resolve(config, method)


@pytest.fixture(scope="module")
def student():
    return linear_teacher(seed=4)


@pytest.fixture(scope="module")
def dataset(student):
    rng = np.random.default_rng(0)

    def split(count):
        images = rng.integers(0, 256, [count, 4, 4, 3]).astype(np.uint8)
        return Split(images, evaluation.predict(student, images.astype(np.float32) / 255))  # All are right.

    return Dataset("toy", ["a", "b", "c"], split(6), split(9), split(12))


def _know(config, dataset, student, train_surrogate=None):
    teacher = linear_teacher()
    hashes = (models.sha256(models.save(model)) for model in (teacher, student))
    teacher, student = zip((teacher, student), hashes, strict=True)
    split = measuring.attacked_split(config, dataset)
    return attacking.know(config, dataset, split, teacher=teacher, student=student, train_surrogate=train_surrogate)


def test_a_suite_is_as_strong_as_its_worst_case_and_the_white_box_does_not_count(tmp_path, dataset, student):
    names = ("pixel", "neurons", "universal", "white_box")
    config = _config(preset="suite", suite=names, neurons=(0, 5), cache=str(tmp_path))
    known = _know(config, dataset, student)
    measured = measuring.measure(config, known, dataset, undefended=True)
    images, labels = dataset.test.floats(), dataset.test.labels
    hits = {
        entry.name: np.asarray(student(entry.attack(images))["logits"]).argmax(1) != labels
        for entry in attacking.entries(config, known)
    }
    assert list(hits) == ["pixel", "neurons neuron 0", "neurons neuron 5", "universal", "white_box"]
    results, rows = measured.results, {row["name"]: row for row in measured.results["suite"]}
    for name, hit in hits.items():
        assert rows[name]["attack_success_rate"] == pytest.approx(hit.mean()), name
        assert ("outside the threat model" in (rows[name]["outside"] or "")) == (name == "white_box")
    both = hits["neurons neuron 0"] | hits["neurons neuron 5"]
    assert rows["neurons, worst case of 2"]["attack_success_rate"] == pytest.approx(both.mean())
    assert results["attack_success_rate"] == pytest.approx((hits["pixel"] | both | hits["universal"]).mean())
    assert results["attack"]["preset"] == "suite" and results["attack"]["neuron"] == 0
    assert results["num_attacked"] == 12 and results["clean_accuracy"] == 1


def test_the_controls_of_an_evaluation(tmp_path, dataset, student):
    config = _config(cache=str(tmp_path))
    known = _know(config, dataset, student)
    measured = measuring.measure(config, known, dataset, undefended=True)
    assert measured.results["suite"] == []
    assert [point["epsilon"] for point in measured.curve] == pytest.approx([0, 0.3, 0.6])
    assert [point["num_images"] for point in measured.curve] == [8, 12, 8]
    assert measured.curve[0]["attack_success_rate"] == 0 and measured.curve[0]["noise_success_rate"] == 0
    attack = attacks.penultimate_pgd(known.models["teacher"][0], epsilon=0.3, step_size=0.1, steps=4)
    expected = [
        np.mean(
            attack.loss(
                attacks.penultimate_pgd(known.models["teacher"][0], epsilon=0.3, step_size=0.1, steps=n)(
                    dataset.test.floats()[:8]
                )
            )
        )
        for n in (0, 4)
    ]
    assert len(measured.convergence) == 5
    np.testing.assert_allclose([measured.convergence[0], measured.convergence[-1]], expected, rtol=1e-5)
    names = ["converged", "zero epsilon", "stronger than noise", "rises with epsilon", "large epsilon"]
    assert [row["name"] for row in measured.results["checks"]] == names


def test_a_ball_that_the_steps_cannot_cross_gets_longer_ones():
    config = _config()  # 4 steps of 0.1, epsilon 0.3
    assert controls._changes(config, 1.25) == {"epsilon": 0.375}
    assert controls._changes(config, 2.0) == {"epsilon": 0.6, "step_size": 0.2}
    assert controls._changes(config, 0.0) == {"epsilon": 0.0}


def test_the_next_student_costs_its_forward_passes_only(tmp_path, dataset, student, monkeypatch):
    config = _config(cache=str(tmp_path), preset="suite", suite=("pixel", "universal", "guide"))
    first = measuring.measure(config, _know(config, dataset, student), dataset, undefended=True)
    for kind in (attacks.PGD, attacks.Universal):
        monkeypatch.setattr(kind, "attack", lambda *_: pytest.fail("crafted again"))
        monkeypatch.setattr(kind, "trace", lambda *_: pytest.fail("traced again"))
    other = linear_teacher(seed=5)
    measuring.measure(config, _know(config, dataset, other), dataset, undefended=True)
    again = measuring.measure(config, _know(config, dataset, student), dataset, undefended=True)
    assert again.results | {"seconds": None} == first.results | {"seconds": None}
    assert again.curve == first.curve


@pytest.mark.parametrize("preset", ["universal", "l2", "white_box", "stages"])
def test_any_attack_can_be_the_only_one(dataset, student, preset):
    config = _config(preset=preset, cache="")
    measured = measuring.measure(config, _know(config, dataset, student), dataset, undefended=True)
    assert measured.curve[0]["epsilon"] == 0 and measured.curve[0]["attack_success_rate"] == 0
    assert len(measured.results["suite"]) == (3 if preset == "stages" else 0)  # two stages and their worst case
    assert all(row["outside"] is None for row in measured.results["suite"])
    attack, asr = measured.results["attack"], measured.results["attack_success_rate"]
    assert attack["source"] == ("student" if preset == "white_box" else "teacher")
    assert (attack["outside"] is not None) == (preset in ("l2", "white_box"))
    alone = attacking.entries(config, _know(config, dataset, student))[0].attack(dataset.test.floats())
    hit = np.asarray(student(alone)["logits"]).argmax(1) != dataset.test.labels
    assert asr == pytest.approx(hit.mean()) if preset != "stages" else asr >= hit.mean()


def test_a_report_says_which_model_was_attacked(tmp_path, dataset, student):
    teacher, config = {"name": "toy/weights", "sha256": "0" * 64}, _config(preset="white_box", cache="")
    measured = measuring.measure(config, _know(config, dataset, student), dataset, undefended=True)
    facts = {"method": "finetune", "seed": 0, "split": "test", "teacher": teacher, "dataset": dataset.facts()}
    facts["audit"] = {"exposure": [{"name": "white_box", "outside": "", "rates": {"0.1": 0.5}}], "comparison": []}
    facts["audit"] |= {"input_range": "0..1", "asked": {}, "label_order": [0, 1, 2], "image_size": [4, 4]}
    results = facts | measured.results
    pieces = {key: getattr(measured, key) for key in ("curve", "convergence", "examples")}
    for source, told in {
        "student": "the attack on the student itself, which the attacker does not have turns",
        "teacher": "the attack through toy/weights, the public teacher turns",
        "surrogate": "the attack through a student of the attacker's own, made from toy/weights turns",
    }.items():
        results["attack"]["source"] = source
        reporting.write(
            *(tmp_path,), results=results, config=config.to_dict(), history=[], seen=None, command="", **pieces
        )
        assert told in (tmp_path / "report.md").read_text(), source
    assert "(outside the threat model: it has the student)" in (tmp_path / "report.md").read_text()


def _build(config, num_classes):
    assert num_classes == CLASSES
    return linear_teacher(seed=config.seed)


def test_the_surrogate_is_trained_once_and_on_the_attackers_images_alone(tmp_path, dataset, student, monkeypatch):
    config = _config(preset="surrogate", surrogate="finetune", cache="")
    rival = settings.resolve_surrogate(config_of("surrogate"))
    train = functools.partial(surrogate.train_once, rival, tmp_path, _build)
    known = _know(config, dataset, student, train)
    model, digest = known.models["surrogate"]
    assert digest == models.sha256(models.save(model)) != known.models["student"][1]

    def fail(*_):
        raise RuntimeError("trained again")

    monkeypatch.setattr(surrogate.Transfer, "train_step", fail)
    others = Dataset("toy", dataset.class_names, dataset.test, dataset.validation, dataset.train)
    again = train(others, known.models["teacher"])
    assert again[1] == digest
    (entry,) = attacking.entries(config, known)
    assert entry.through == digest and entry.outside is None
    with pytest.raises(RuntimeError, match="trained again"):
        train(Dataset("toy", dataset.class_names, dataset.train, dataset.test, dataset.train), known.models["teacher"])


def test_the_surrogate_of_a_folder_that_cannot_be_written_is_not_kept(dataset, student, monkeypatch):
    warnings = []
    monkeypatch.setattr(surrogate.logging, "warning", lambda text, *values: warnings.append(text % values))
    train = functools.partial(surrogate.train_once, settings.resolve_surrogate(config_of("surrogate")), "/proc", _build)
    model, digest = _know(_config(preset="surrogate", cache=""), dataset, student, train).models["surrogate"]
    assert digest == models.sha256(models.save(model))
    assert len(warnings) == 1 and warnings[0].startswith("/proc: ") and "is not kept" in warnings[0]


def test_the_surrogate_of_a_mixed_run_is_attacked_in_float32(tmp_path, dataset, images):
    rival = settings.resolve_surrogate(config_of("surrogate"))
    rival.precision = "mixed_bfloat16"

    def build(config, num_classes):
        return tiny(num_classes=num_classes, precision=config.precision)

    teacher = tiny()
    known = (teacher, models.sha256(models.save(teacher)))
    model, _ = surrogate.train_once(rival, tmp_path, build, dataset, known)
    assert not models.is_mixed(model)
    adversarial = attacks.ATTACKS["surrogate"](model, steps=1)(images)  # Which freezes it, and checks that it can.
    assert (adversarial != images).numpy().any()


def config_of(preset):
    config = get_config()
    config.attack.update({"preset": preset, "surrogate": "finetune"})
    config.steps.train = 2
    config.update({"batch_size": 4, "interval": 1})
    return config


def test_what_cannot_be_done_is_said_before_the_training(dataset):
    teacher = linear_teacher()
    with pytest.raises(UserError, match="neuron must be from 0 to 5, not 16"):
        attacking.check(_config(neuron=16), teacher, dataset)
    with pytest.raises(UserError, match="the surrogate learns from the validation split"):
        empty = Dataset("toy", dataset.class_names, dataset.train, dataset.test.take([]), dataset.test)
        attacking.check(_config(preset="surrogate"), teacher, empty)
    assert settings.resolve_surrogate(_config()) is None


def test_the_attackers_own_images_are_not_the_attacked(dataset, student):
    config = _config()
    known = _know(config, dataset, student)
    validation = {image.tobytes() for image in dataset.validation.floats()}
    assert len(known.own_images) == 5 and {image.tobytes() for image in known.own_images} <= validation
