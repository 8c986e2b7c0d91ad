"""Every attack of a run, one in memory at a time: built, run, counted, dropped."""

import contextlib
import dataclasses
import functools
import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import logging

from reno_tf import attacks, files, hardware, progress
from reno_tf.data import Split, imagefile
from reno_tf.data.photos import Floats
from reno_tf.errors import UserError
from reno_tf.evaluation import rates
from reno_tf.settings import Attack, Settings

_SHOWN = 8  # adversarial images of the first attack that are kept to be looked at


@dataclasses.dataclass(frozen=True)
class Target:
    """What attacks are made from and tried on."""

    networks: dict  # {"teacher": (model, SHA-256 of what it computes), "student": ..., "surrogate", "ensemble"}
    split: Split  # the images that are attacked, with their labels
    own_images: np.ndarray  # what the attacker has beside them, float32 [N, H, W, 3]

    @property
    def student(self):
        return self.networks["student"][0]

    @functools.cached_property
    def images(self):
        return self.split.floats()

    @functools.cached_property
    def content(self) -> str:
        """SHA-256 of the attacked images."""
        return self.split.digest()

    def first(self, count: int) -> "Target":
        """The same with the first `count` images alone, 0: all; the attacker still has all of his own."""
        if not 0 < count < len(self.split):
            return self
        return dataclasses.replace(self, split=self.split.take(np.arange(count)))


@dataclasses.dataclass(frozen=True)
class Member:
    """One attack of a suite."""

    group: str  # its key in the registry
    name: str  # the group, with the variant's label
    attack: attacks.Attack
    counts: bool  # whether it is among what the attacker can do

    @property
    def entry(self) -> attacks.AttackEntry:
        return attacks.ATTACKS[self.group]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What is left of an attack once it is dropped.

    predicted: the student's answers to its images, int64 [N]; rounded: those to the images rounded to 8 bits, where
    that was asked for. Of all attacks but the first, which keeps both sets, `predicted` are these too.
    """

    member: Member
    parameters: dict  # all that it depends on
    gradients: int  # of each image
    predicted: np.ndarray
    rounded: np.ndarray | None
    seconds: float  # of crafting
    shown: np.ndarray  # the first images of the first attack, float32 [<= 8, H, W, 3]
    extra: dict  # what `while_built` gave

    @property
    def final(self) -> np.ndarray:
        """The answers to the images that the attacker would hand in."""
        return self.predicted if self.rounded is None else self.rounded


def plan(settings: Attack, networks: dict) -> list[Member]:
    """The attacks that are run, the headline first. Raises UserError for what a network has not.

    All that count are in the ball and unit of the first, so that one budget means the same for all.
    """
    members = []
    for chosen in settings.members:
        group, _ = attacks.split(chosen)
        entry = attacks.ATTACKS[group]
        for label, attack in attacks.variants(chosen, networks[entry.network][0], **settings.changes).items():
            within = members and members[0].attack
            if within and not entry.outside:
                attack = attack.changed(ball=within.ball, unit=within.unit)
            counts = entry.network != "student" and not (members and entry.outside)
            members.append(Member(group, f"{group} {label}".strip(), attack, counts))
    return members


def check(settings: Settings, teacher, dataset) -> None:
    """Raises UserError, before hours are spent, for an attack or a size that the teacher or the data forbid."""
    wanted, (height, width) = settings.networks.image_size, dataset.test.images.shape[1:3]
    if wanted and (height, width) != (wanted, wanted):
        raise UserError(f"config.model.image_size={wanted}, but the images of {dataset.name} are {height}x{width}")
    # The other networks have the teacher's stages, and a head.
    stand_in = (teacher, "")
    for member in plan(settings.attack, dict.fromkeys(("teacher", "surrogate", "ensemble", "student"), stand_in)):
        if member.entry.network == "teacher":
            member.attack.objective.on(teacher)
    if settings.surrogate and (settings.report.split == "validation" or not len(dataset.validation)):
        raise UserError(
            "the attacker's own student learns from the validation split: it needs config.split=test "
            "and config.data.validation_per_class of at least 1"
        )


def run(
    settings: Attack,
    target: Target,
    *,
    folder: Path | None = None,
    while_built: Callable | None = None,
    save: tuple[Path, int] | None = None,
) -> tuple[list[Outcome], list[dict]]:
    """Runs every attack of the suite and keeps what the student said: the first on all images, the others on the first.

    An attack whose gradient is zero everywhere is skipped, with a warning, unless it is the first.

    Args:
      folder: keeps the answers to each attack, so that an interrupted suite goes on where it was.
      save: a folder, and how many of the first images of each attack it gets as 8-bit PNGs.
      while_built: (whether it is the first, crafter, craft) -> anything that JSON has: what else the attack is used
        for before it is dropped. craft: (crafter, a `Target`) -> its adversarial images.

    Returns the outcomes, and {"name", "why"} of those that were skipped.
    """
    outcomes, skipped, beginning = [], [], target.first(settings.images)
    for member in plan(settings, target.networks):
        first = not outcomes and not skipped
        try:
            attacked = target if first else beginning
            outcomes.append(_run(settings, attacked, member, folder, while_built, save, first))
        except attacks.ZeroGradient as error:
            if first:
                raise UserError(f"{member.name}: {error}") from None
            logging.warning("%s is skipped: %s", member.name, error)
            skipped.append({"name": member.name, "why": str(error)})
        hardware.release_memory()
    return outcomes, skipped


def _run(settings, target, member, folder, while_built, save, first) -> Outcome:
    network, digest = target.networks[member.entry.network]
    others = {"own": target.own_images, "attacked": target.images, None: None}[member.entry.others]
    options = {"seed": settings.seed, "precision": settings.precision}
    crafter = member.attack.on(network, settings.budget, others=others, **options)
    kept = folder and folder / f"{_key(settings, target, crafter, digest, first)}.npz"
    found = kept and _read(kept)
    pictures = _pictures(save, member.name, len(target.split))
    if not found or not all(path.is_file() for path in pictures):
        found = _answers(settings, target, member.name, crafter, digest, while_built, pictures, first)
        if kept:
            _write(kept, found)
    return Outcome(member=member, parameters=crafter.parameters, gradients=crafter.gradients, **found)


def _pictures(save, name, count) -> list[Path]:
    """The files of an attack's first images."""
    folder, wanted = save or (None, 0)
    return [folder / name.replace(" ", "-") / f"{place:05d}.png" for place in range(min(wanted, count))]


def _answers(settings, target, name, crafter, digest, while_built, pictures, first) -> dict:
    """What an outcome has of the images that the attack crafts."""
    craft, started = functools.partial(_craft, settings, digest, name), time.monotonic()
    eight_bit = settings.eight_bit and not first
    adversarial = craft(crafter, target, eight_bit=eight_bit)
    seconds = time.monotonic() - started
    predicted = predict(target.student, Floats(adversarial) if eight_bit else adversarial, name)
    rounded = predicted if eight_bit else None
    if settings.eight_bit and first:
        rounded = predict(target.student, _Rounded(crafter, adversarial, target.images), f"{name}, rounded")
    for place, path in enumerate(pictures):
        image = slice(place, place + 1)
        pixels = adversarial[image]
        pixels = pixels if pixels.dtype == np.uint8 else crafter.levels(pixels, target.images[image]).numpy()
        files.write_bytes(path, imagefile.png(np.asarray(pixels[0])))
    shown = np.array(adversarial[: _SHOWN if first else 0], np.float32)
    del adversarial  # The cache may need its room.
    extra = while_built(first, crafter, craft) if while_built else {}
    return {"predicted": predicted, "rounded": rounded, "seconds": seconds, "shown": shown, "extra": extra}


class _Rounded:
    """Float images as the nearest 8-bit ones in the ball, computed when they are indexed."""

    def __init__(self, crafter, adversarial, images):
        self._crafter, self._adversarial, self._images = crafter, adversarial, images

    def __len__(self):
        return len(self._images)

    def __getitem__(self, chosen):
        levels = self._crafter.levels(self._adversarial[chosen], self._images[chosen])
        return levels.numpy().astype(np.float32) / 255


def _key(settings, target, crafter, digest, first) -> str:
    """A name for the answers, of all that they depend on."""
    facts = [crafter.parameters, digest, target.content, target.networks["student"][1], settings.eight_bit, first]
    return files.digest(json.dumps(facts, sort_keys=True).encode())[:32]


def _write(path, found):
    content = io.BytesIO()
    arrays = {key: found[key] for key in ("predicted", "rounded", "shown") if found[key] is not None}
    np.savez(content, facts=json.dumps({"seconds": found["seconds"], "extra": found["extra"]}), **arrays)
    try:
        files.write_bytes(path, content.getvalue())
    except OSError as error:
        logging.warning("%s: %s; an interrupted suite would begin anew", path.parent, error.strerror)


def _read(path) -> dict | None:
    damaged = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
    with contextlib.suppress(*damaged), np.load(path, allow_pickle=False) as content:
        arrays = {key: content[key] for key in ("predicted", "shown")}
        return {**arrays, "rounded": content.get("rounded"), **json.loads(str(content["facts"]))}
    return None


def _craft(settings, digest, name, crafter: attacks.Crafter, target: Target, *, eight_bit=False) -> np.ndarray:
    """The adversarial images, from the cache if they lie there."""
    return attacks.craft_once(
        crafter,
        target.images,
        teacher=digest,
        folder=settings.cache,
        content=target.content,
        limit=settings.cache_limit * 1e9,
        eight_bit=eight_bit,
        batch_size=settings.batch_size,
        progress=functools.partial(progress.bar, label=f"crafting {name}", unit="batch"),
    )


def predict(student, images, label: str) -> np.ndarray:
    """`rates.predict` with a progress bar."""
    return rates.predict(student, images, progress=functools.partial(progress.bar, label=f"evaluating {label}"))


def target(settings: Settings, dataset, networks: dict) -> Target:
    """What is attacked by these settings."""
    attacked = split(settings, dataset)
    own = dataset.validation if len(dataset.validation) and settings.report.split == "test" else attacked
    drawn = np.random.default_rng(settings.attack.seed).permutation(len(own))[: settings.attack.own_images]
    return Target(networks, attacked, own.take(drawn).floats())


def split(settings: Settings, dataset):
    """The images that are attacked; a quick suite has the first of them alone."""
    found = dataset.test if settings.report.split == "test" else dataset.validation
    wanted = settings.attack.images if settings.attack.preset == "quick" else 0
    return found.take(np.arange(wanted)) if 0 < wanted < len(found) else found
