"""Runs a suite, one attack in memory at a time: crafted, shown to the student, dropped. Only the answers stay."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from reno_tf import attacks, files, hardware, progress
from reno_tf.data import Split, imagefile
from reno_tf.data.photos import Floats, Photos
from reno_tf.errors import UserError
from reno_tf.evaluation.answers import Answers, AttackAnswers
from reno_tf.evaluation.attacker import CRAFTING, Attacker, Crafting, Network
from reno_tf.evaluation.stored_answers import StoredAnswers, file_name, read_answers, write_answers
from reno_tf.evaluation.suite import Member, Suite
from reno_tf.results import Skipped

_TRACED = 100  # images whose objective is followed step by step, where there is no first look
_SHOWN = 8  # adversarial images of each attack that are kept for a look
_LOOK = 32  # images of a first look, of every batch where there is one, so that no second shape is compiled, and traced
_DECODED = 2**28  # bytes of photos that are kept decoded
_LOOK_STEPS, _LOOK_REACH = 3, 2.4  # its gradients, and how far they reach together, of the radius


def predict(student, images, *, batch_size: int = 100, progress: Callable[[Iterable], Iterable] = iter) -> np.ndarray:
    """The predicted class of each image, int64 [N]; `progress` wraps the iterable of batch offsets.

    `images`: float32 [N, H, W, 3] in [0, 1], an array or anything with `len` that gives arrays when it is sliced.
    """
    offsets = progress(range(0, len(images), batch_size))
    return np.concatenate([_classify(student, tf.constant(images[i : i + batch_size])).numpy() for i in offsets])


def _classify(student, images):
    # One trace for each student, whatever the size of the batch; TensorFlow keeps it as long as the student lives.
    spec = tf.TensorSpec([None, *images.shape[1:]], images.dtype)
    return _classes.get_concrete_function(student, spec)(images=images)


@tf.function
def _classes(student, images):
    return tf.argmax(student(images, training=False)["logits"], axis=-1)


def check_student(student, labels, class_names=None) -> None:
    """Raises UserError if the student's classes are not those of the labels (or of `class_names`)."""
    output = getattr(student, "output", None)  # Any callable may be a student.
    classes = output["logits"].shape[-1] if output is not None else len(class_names)
    if class_names is not None and classes != len(class_names):
        raise UserError(f"the student tells {classes} classes apart, but the data set has {len(class_names)}")
    if len(labels) and not (np.min(labels) >= 0 and np.max(labels) < classes):
        raise UserError(
            f"the student's classes are 0 to {classes - 1}, but the labels go from {np.min(labels)} to {np.max(labels)}"
        )


def ask(
    student: Network,
    attacker: Attacker,
    split: Split,
    suite: Suite,
    *,
    crafting: Crafting = CRAFTING,
) -> Answers:
    """What the student answers to the split's images, clean and under every attack of the suite.

    An attack whose network is absent is skipped; an attack whose gradient is zero everywhere too, with a warning. If
    either is the headline, it raises UserError.
    """
    return _Asking(student.model, student.digest, attacker, suite, crafting).answers(suite.attacked(split))


@dataclasses.dataclass(frozen=True)
class _Asking:
    student: object
    digest: str | None
    attacker: Attacker
    suite: Suite
    crafting: Crafting
    looked: dict = dataclasses.field(default_factory=dict)  # name -> crafter of the first look: it is compiled once

    @property
    def batch_size(self) -> int:
        """Of crafting, in images."""
        return min(_LOOK, self.crafting.batch_size) if self.suite.chosen else self.crafting.batch_size

    @property
    def num_traced(self) -> int:
        return _LOOK if self.suite.chosen else _TRACED

    def answers(self, split) -> Answers:
        attacked = _Attacked(split)
        tried = attacked.first(self.suite.images)
        started = time.monotonic()
        clean = self._predict(attacked.images, "clean")
        asking = time.monotonic() - started
        started = time.monotonic()
        members = self._best_of(self.suite.plan(self.attacker.models), tried, clean)
        looking = time.monotonic() - started
        answered, skipped, controls = [], self._absent(), None
        for member in members:
            is_headline = member is members[0]
            try:
                one = self._once(member, attacked if is_headline else tried, is_headline, members)
                answered.append(one.attack)
                controls = controls or one
            except attacks.ZeroGradient as error:
                if is_headline:
                    raise UserError(f"{member.name}: {error}") from None
                logging.warning("%s is skipped: %s", member.name, error)
                skipped.append(Skipped(member.name, str(error)))
            hardware.release_memory()
        return Answers(
            labels=np.asarray(split.labels),
            clean=clean,
            epsilon=self.suite.budget.epsilon,
            num_tried=len(tried.split),
            attacks=tuple(answered),
            noise=controls.noise,
            convergence=controls.convergence,
            skipped=tuple(skipped),
            crafting=looking + sum(attack.crafting for attack in answered),
            asking=asking + sum(attack.asking for attack in answered),
        )

    def _best_of(self, members: list[Member], tried: "_Attacked", clean: np.ndarray) -> list[Member]:
        """The headline, and the suite's `chosen` that fool the student together on most of the first images."""
        headline, *others = members
        if not self.suite.chosen or len(others) <= self.suite.chosen:
            return members
        look = tried.first(_LOOK)
        fooled = [self._fooled_at_a_look(member, look, clean) for member in others]
        best: list[int] = []
        together = np.zeros(len(look.split), bool)
        for _ in range(self.suite.chosen):
            left = [place for place in range(len(others)) if place not in best]
            best.append(max(left, key=lambda place: ((together | fooled[place]).sum(), fooled[place].sum())))
            together |= fooled[best[-1]]
        chosen = [others[place] for place in sorted(best)]
        for name in self.looked.keys() - {member.name for member in chosen}:
            del self.looked[name]
        return [headline, *chosen]

    def _fooled_at_a_look(self, member, look, clean) -> np.ndarray:
        """bool [N], for each of the images of `look`; none for an attack whose gradient is zero everywhere."""
        network, labels = self.attacker.networks[member.entry.network], np.asarray(look.split.labels)
        crafter = self.looked[member.name] = self._crafter(member, network, look)
        radius = crafter.budget.epsilon
        budget = attacks.Budget(epsilon=radius, step_size=_LOOK_REACH / _LOOK_STEPS * radius, steps=_LOOK_STEPS)
        try:
            one = _OneAttack(self, member, crafter.within(budget), network.digest, look)
            return (one.look() != labels) & (clean[: len(labels)] == labels)
        except attacks.ZeroGradient:
            return np.zeros(len(labels), bool)

    def _absent(self) -> list[Skipped]:
        """The attacks whose network is absent. Raises UserError if the headline is one of them."""
        networks = [ref.entry.network for ref in self.suite.attacks]
        absent = {name: self.attacker.why_absent(name) for name in networks if name not in self.attacker.networks}
        self.suite.refuse_without_headline(absent)
        return [Skipped(str(ref), absent[ref.entry.network]) for ref in self.suite.through(set(absent))]

    def _once(self, member: Member, attacked: "_Attacked", is_headline: bool, members) -> StoredAnswers:
        """The answers to one attack, from the folder if they are there."""
        network = self.attacker.networks[member.entry.network]
        crafter = self._crafter(member, network, attacked)
        digests, wanted = (network.digest, attacked.digest, self.digest), self._wanted(member, members)
        folder, pictures = self.crafting.answers, self.crafting.pictures
        tells_apart = folder and None not in digests
        path = folder / file_name([crafter.parameters, *digests, wanted]) if tells_apart else None
        pngs = pictures.files(member.name, len(attacked.split)) if pictures else []
        answers = read_answers(path, member, crafter) if path else None
        if not answers or not all(png.is_file() for png in pngs):
            answers = _OneAttack(self, member, crafter, network.digest, attacked).run(is_headline, members, pngs)
            if path:
                write_answers(path, answers)
        return answers

    def _wanted(self, member, members) -> list:
        """What is asked beside the attack itself."""
        suite, counting, is_headline = self.suite, sum(member.counts for member in members), member is members[0]
        beside = [suite.balls, suite.images, counting] if is_headline else [suite.smaller_balls(member.reference)]
        return [_SHOWN, suite.eight_bit, suite.curve_images, *beside]

    def _crafter(self, member, network, attacked):
        others = {"own": self.attacker.own_images, "attacked": attacked.images, None: None}[member.entry.others]
        suite, precision = self.suite, self.crafting.precision
        if member.name in self.looked:
            return self.looked.pop(member.name)
        return member.attack.on(network.model, suite.budget, others=others, seed=suite.seed, precision=precision)

    def _predict(self, images, label: str) -> np.ndarray:
        return predict(self.student, images, progress=functools.partial(progress.bar, label=f"evaluating {label}"))


class _Attacked:
    """A split that is attacked, with what is computed from it once."""

    def __init__(self, split):
        self.split = split
        self._beginnings: dict[int, _Attacked] = {}

    @functools.cached_property
    def images(self):
        """float32 in [0, 1]; photos are decoded once if they are not too many, and else whenever they are used."""
        photos = self.split.images
        is_few = isinstance(photos, Photos) and math.prod(photos.shape) <= _DECODED
        return Floats(photos[:]) if is_few else self.split.floats()

    @functools.cached_property
    def digest(self) -> str:
        return self.split.digest()

    def first(self, count: int) -> "_Attacked":
        if not 0 < count < len(self.split):
            return self
        if count not in self._beginnings:
            self._beginnings[count] = _Attacked(self.split.first(count))
        return self._beginnings[count]


@dataclasses.dataclass
class _OneAttack:
    """One attack: its images crafted, shown to the student, and dropped."""

    asking: _Asking
    member: Member
    crafter: attacks.Crafter
    digest: str | None  # of the network
    attacked: _Attacked

    def __post_init__(self):
        self._crafting, self._asking_seconds = 0.0, 0.0

    def run(self, is_headline: bool, members, pngs: list[Path]) -> StoredAnswers:
        suite = self.asking.suite
        eight_bit = suite.eight_bit and not is_headline
        adversarial = self._craft(self.crafter, self.attacked, eight_bit=eight_bit)
        at = {1.0: self._ask(Floats(adversarial) if eight_bit else adversarial, self.member.name)}
        rounded = at[1.0] if eight_bit else None
        if suite.eight_bit and is_headline:
            images = _Rounded(self.crafter, adversarial, self.attacked.images)
            rounded = self._ask(images, f"{self.member.name}, rounded")
        self._write_pictures(pngs, adversarial)
        shown = np.array(Floats(adversarial)[:_SHOWN] if eight_bit else adversarial[:_SHOWN], np.float32)
        del adversarial  # The cache may need its room.
        at |= self._within_other_balls(is_headline)
        noise = self._noise(members) if is_headline else {}
        convergence = self._convergence() if is_headline else []
        attack = AttackAnswers(
            reference=self.member.reference,
            counts=self.member.counts,
            gradients=self.crafter.gradients,
            parameters=self.crafter.parameters,
            at=at,
            rounded=rounded,
            shown=shown,
            crafting=self._crafting,
            asking=self._asking_seconds,
        )
        return StoredAnswers(attack, noise, convergence)

    def look(self) -> np.ndarray:
        """The student's answers, and nothing kept."""
        return self._ask(self._craft(self.crafter, self.attacked))

    def _within_other_balls(self, is_headline) -> dict[float, np.ndarray]:
        """The curve of the headline, which has 0 too; of another attack, what the core's or its exposure needs."""
        suite, answers = self.asking.suite, {}
        beginning = self.attacked.first(suite.curve_images)
        for factor in suite.balls if is_headline else suite.smaller_balls(self.member.reference):
            other = self.crafter.within(self.crafter.budget.scaled(factor))
            answers[factor] = self._ask(self._craft(other, beginning))
        return answers

    def _noise(self, members) -> dict[tuple[float, int], np.ndarray]:
        """Answers to a draw for each attack that counts, the first on all images; and to one in each other ball."""
        suite, crafter = self.asking.suite, self.crafter
        noise = {(1.0, 0): self._ask(attacks.Noisy(crafter, self.attacked.images), "noise")}
        tried, beginning = self.attacked.first(suite.images), self.attacked.first(suite.curve_images)
        for draw in range(1, sum(member.counts for member in members)):
            noise[1.0, draw] = self._ask(attacks.Noisy(crafter, tried.images, draw=draw), f"noise {draw}")
        for factor in suite.balls:
            other = crafter.within(crafter.budget.scaled(factor))
            noise[factor, 0] = self._ask(attacks.Noisy(other, beginning.images))
        return noise

    def _convergence(self) -> list[float]:
        images, size = self.attacked.images[: self.asking.num_traced], self.asking.batch_size
        started = time.monotonic()
        trace = attacks.trace_once(self.crafter, images, teacher=self.digest, folder=self._folder, batch_size=size)
        self._crafting += time.monotonic() - started
        return trace

    @property
    def _folder(self) -> str | None:
        return self.asking.crafting.cache if self.digest else None

    def _craft(self, crafter, attacked: _Attacked, *, eight_bit=False) -> np.ndarray:
        """The adversarial images, from the cache if they are there."""
        crafting, started = self.asking.crafting, time.monotonic()
        images = attacks.craft_once(
            crafter,
            attacked.images,
            teacher=self.digest,
            folder=self._folder,
            content=attacked.digest,
            limit=crafting.cache_limit,
            eight_bit=eight_bit,
            batch_size=self.asking.batch_size,
            progress=functools.partial(progress.bar, label=f"crafting {self.member.name}", unit="batch"),
        )
        self._crafting += time.monotonic() - started
        return images

    def _ask(self, images, label: str | None = None) -> np.ndarray:
        started = time.monotonic()
        student = self.asking.student
        answers = self.asking._predict(images, label) if label else predict(student, images)
        self._asking_seconds += time.monotonic() - started
        return answers

    def _write_pictures(self, pngs, adversarial):
        for place, path in enumerate(pngs):
            pixels, clean = (images[place : place + 1] for images in (adversarial, self.attacked.images))
            pixels = pixels if pixels.dtype == np.uint8 else self.crafter.levels(pixels, clean).numpy()
            files.write_bytes(path, imagefile.png(np.asarray(pixels[0])))


class _Rounded:
    """Float images as the nearest 8-bit ones in the ball, computed when they are indexed."""

    def __init__(self, crafter, adversarial, images):
        self._crafter, self._adversarial, self._images = crafter, adversarial, images

    def __len__(self):
        return len(self._images)

    def __getitem__(self, indices):
        levels = self._crafter.levels(self._adversarial[indices], self._images[indices])
        return levels.numpy().astype(np.float32) / 255
