"""Defences whose method is known: what each keeps, and how often it falls for an attack through its own twin.

    python benchmarks/copied_defences.py --archives=ARCHIVES        # docs/data.md says how to fill ARCHIVES

TrashNet at 64x64, EfficientNet-Lite0, ε = 0.02, 400 steps at a learning rate of 0.01; everything on validation images
(60 a class), so that it may guide a choice. A twin is the same method from the same photographs with another seed: an
upper bound of what who copies it can do. Attacks have nine gradients of 0.4 ε on the first 300 images. Students that
are trained already, below --workdir, are taken as they are.
"""

import argparse
import dataclasses
import functools
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT)]

_EPSILON, _STEPS, _RATE, _IMAGES = 0.02, 400, 0.01, 300
_BUDGET = {"epsilon": _EPSILON, "step_size": 0.4 * _EPSILON, "steps": 9}
_THROUGH_TWIN = ("twin", "twin_neuron", "twin_disruption")  # of the disruptions those of the last four layers
_REACH = 2.5  # as in reno_tf/methods/attacked_images.py


def prototypes() -> dict:
    """{name: method}"""
    import tensorflow as tf

    from reno_tf.attacks.balls import Limits
    from reno_tf.attacks.descent import Descent
    from reno_tf.attacks.objectives import negative_cross_entropy
    from reno_tf.methods import attacked_images, finetune, vaccination

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class ThroughItself(vaccination.Vaccination):
        """At every other step images are attacked through the student itself, not through the teacher."""

        loss_share: float = 0.0  # of the images, whose cross-entropy is raised there; the others as through the teacher

        def perturb(self, step):
            def itself(images, outputs):
                return step.student(images, training=False)

            def own():
                by_features = self.attack(step, itself)
                if not self.loss_share:
                    return by_features
                pick = attacked_images._draw(step, 7, [1, 1, 1]) < self.loss_share
                return tf.where(pick, self._raised(step), by_features)

            return tf.cond(step.number % 2 == 0, lambda: self.attack(step, step.teacher), own)

        def _raised(self, step):
            draw = functools.partial(attacked_images._draw, step)
            radius = self.largest_radius * attacked_images.radius_factors(draw(0, [1, 1, 1]), self.attacked)
            start = step.images + radius * (2 * draw(3, step.images.shape[1:]) - 1)
            limits = Limits(radius, _REACH / self.attack_steps * radius, self.attack_steps)

            def loss(images, number):
                return negative_cross_entropy(step.student(images, training=False)["logits"], step.labels)

            return Descent().run(loss, step.images, start, limits)

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class HalfRandom(vaccination.Vaccination):
        """Each kernel begins half way between the teacher's and noise of the same deviation, the defender's secret."""

        secret: int = 0  # seed of the noise

        def prepare(self, preparation):
            import numpy as np

            draw = np.random.default_rng(self.secret)
            for weight in preparation.student.weights:
                if "kernel" in weight.name and not weight.name.startswith("head"):
                    values = weight.numpy()
                    noise = values.std() * draw.standard_normal(values.shape).astype(values.dtype)
                    weight.assign(0.5 * values + 0.5 * noise)

    shared = {"epsilon": _EPSILON}
    return {
        "finetune": lambda seed: finetune.Finetune(weight_decay=1e-4),
        "vaccination": lambda seed: vaccination.Vaccination(**shared),
        "vaccination, also through itself": lambda seed: ThroughItself(**shared),
        "vaccination, also through itself, one gradient, half by the loss": lambda seed: ThroughItself(
            **shared, attack_steps=1, loss_share=0.5, epsilon_factor=1.25
        ),
        "vaccination from half random weights": lambda seed: HalfRandom(**shared, secret=1001 + seed),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", required=True, help="the folder of TrashNet's archive")
    parser.add_argument("--only", help="one of them, by its name")
    parser.add_argument("--seeds", type=int, default=2, help="of each; the second is the twin of the first")
    parser.add_argument("--steps", type=int, default=_STEPS)
    parser.add_argument("--workdir", default="runs/copied_defences")
    parser.add_argument("--output", default="results/benchmarks/copied_defences.json")
    options = parser.parse_args()
    from reno_tf import files, hardware

    laboratory, found = _Laboratory.open(options.archives, Path(options.workdir), options.steps), {}
    for name, method in prototypes().items():
        if options.only in (None, name):
            found[name] = laboratory.measure(name, method, options.seeds)
            print(name, found[name], flush=True)
    content = {"epsilon": _EPSILON, "steps": options.steps, "images": _IMAGES, "machine": hardware.device_name()}
    files.write_json(Path(options.output), content | {"found": found})


@dataclasses.dataclass(frozen=True)
class _Laboratory:
    dataset: object
    teacher: object
    job: object
    folder: Path

    @classmethod
    def open(cls, archives, folder, steps):
        from configs import photos
        from reno_tf import settings
        from reno_tf.commands import common

        config = photos.get_config()
        config.data.update(name="trashnet", dir=archives, size=64, validation_per_class=60)
        config.precision, config.steps.passes, config.steps.train = "float32", 0.0, steps
        config.optimizer.learning_rate = _RATE
        run_settings = settings.read(config, "finetune")
        common.seed_everything(0)
        dataset = common.load_data(run_settings.data, seed=0)
        return cls(dataset, common.build_teacher(run_settings.networks).model, run_settings.job, folder)

    def measure(self, name, method, seeds) -> dict:
        """In percent, a list over the seeds; those through the twin are of the first seed alone."""
        import numpy as np

        from reno_tf.evaluation import predict

        students, seconds = zip(*(self._train(name, method(seed), seed) for seed in range(seeds)), strict=True)
        measured = {"clean": [], "worst of seven": [], "noise": [], "seconds": [round(one) for one in seconds]}
        for student in students:
            whole = predict(student, self.dataset.validation.floats())
            measured["clean"].append(_percent(whole == self.dataset.validation.labels))
            wrong = self._fooled(student, self._through_teacher)
            measured["worst of seven"].append(_percent(np.any(wrong, axis=0)))
            measured["noise"].append(_percent(self._fooled(student, [self._noise()])[0]))
        if seeds > 1:
            through = self._through_twin(students[1])
            wrong = dict(zip(through, self._fooled(students[0], through.values()), strict=True))
            measured["through its twin, by the loss"] = _percent(wrong["twin"])
            measured["through its twin, worst of seven"] = _percent(np.any(list(wrong.values()), axis=0))
        return measured

    @functools.cached_property
    def attacked(self):
        split = self.dataset.validation.first(_IMAGES)
        return split.floats()[:], split.labels

    def _train(self, name, method, seed):
        from reno_tf import training

        ours = self.job.schedule
        schedule = dataclasses.replace(method.schedule, steps=ours.steps, learning_rate=ours.learning_rate)
        job = dataclasses.replace(self.job, method=method, schedule=schedule, seed=seed, interval=100)
        folder = self.folder / f"{name.replace(' ', '-').replace(',', '')}-{seed}"
        student = job.train(job.transfer(self.dataset, self.teacher), self.dataset, folder)
        return student, training.seconds(folder)

    @functools.cached_property
    def _through_teacher(self):
        from reno_tf import attacks

        images, _ = self.attacked
        crafters = [_crafters(name, self.teacher) for name in ("pixel", "disruption")]
        return [attacks.craft(crafter, images) for one in crafters for crafter in one.values()]

    def _through_twin(self, twin):
        from reno_tf import attacks

        images, _ = self.attacked
        crafters = {}
        for name in _THROUGH_TWIN:
            crafters |= {f"{name} {label}".strip(): one for label, one in _crafters(name, twin).items()}
        late = {name: one for name, one in crafters.items() if not name.endswith(("stage1", "stage2"))}
        return {name: attacks.craft(crafter, images) for name, crafter in late.items()}

    def _noise(self):
        import numpy as np

        images, _ = self.attacked
        return np.asarray(_crafters("pixel", self.teacher)[""].noise(images))

    def _fooled(self, student, sets):
        """For each set, whether an image is wrong, of those that are right when clean."""
        from reno_tf.evaluation import predict

        images, labels = self.attacked
        right = predict(student, images) == labels
        return [(predict(student, one) != labels)[right] for one in sets]


def _crafters(name, network):
    from reno_tf import attacks

    return attacks.build(name, network, attacks.Budget(**_BUDGET), precision="float32")


def _percent(wrong) -> float:
    return round(100 * float(wrong.mean()), 1)


if __name__ == "__main__":
    main()
