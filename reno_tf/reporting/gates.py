"""What an audit found, judged by the gates of a pipeline: one case for the worst case, one for each attack in it."""

import dataclasses
import enum
import os
from pathlib import Path

from reno_tf.reporting import metrics


class Outcome(enum.StrEnum):
    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    UNDEFINED = "undefined"  # No image was attacked, so there is no rate.


@dataclasses.dataclass(frozen=True)
class Gates:
    """Success rates, as fractions, that are too high. A gate is crossed by an interval that lies above it."""

    warn_above: float | None = None
    fail_above: float | None = None

    def judge(self, interval: list[float] | None) -> Outcome:
        if interval is None:
            return Outcome.UNDEFINED
        for gate, outcome in ((self.fail_above, Outcome.FAILED), (self.warn_above, Outcome.WARNED)):
            if gate is not None and interval[0] > gate:
                return outcome
        return Outcome.PASSED

    def crossed(self, outcome: Outcome) -> str:
        """The gate of this outcome, in words."""
        flag = "fail_above" if outcome is Outcome.FAILED else "warn_above"
        return f"the {100 * getattr(self, flag):g} % of --{flag}"


@dataclasses.dataclass(frozen=True)
class Case:
    """The success of one attack, or of all together, on the images that the model gets right.

    rate: a fraction. interval: Wilson's 95 % one. Both are None where no image was attacked. epsilon: the largest
    change of a pixel, in `unit`.
    """

    name: str
    rate: float | None
    interval: list[float] | None
    epsilon: float
    unit: str
    outcome: Outcome
    gate: str | None  # that it crosses, in words

    @property
    def sentence(self) -> str:
        """One line, as "the worst case turns wrong 41.7 % [38.9, 44.5] of the images that the model gets right"."""
        if self.rate is None:
            return f"{self.name} is undefined: no attack that counts met an image that the model gets right"
        percent = metrics.percent(self.rate, self.interval)
        line = f"{self.name} turns wrong {percent} of the images that the model gets right"
        return f"{line}, surely more than {self.gate}" if self.gate else line


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """An audit, for a pipeline. model: its path from the working directory, or its name if it lies outside."""

    model: str
    model_sha256: str
    teacher: str
    teacher_sha256: str
    dataset: str
    clean_accuracy: float
    num_images: int  # that the worst case is of
    seconds: float
    cases: tuple[Case, ...]  # the worst case first


def worst_case_of(results: dict, gates: Gates) -> Case:
    """The worst case of a results.json."""
    return _case("the worst case", results, results["attack"], "worst_case_success_rate", gates)


def findings_of(results: dict, gates: Gates) -> Findings:
    """What the results.json of an audit says."""
    attacks = [row for row in results["suite"] if row["counts"] and row["attack"]]
    if not results["suite"] and not results["attack"]["outside"]:  # One attack was tried alone.
        attacks = [results | {"name": results["attack"]["name"]}]
    cases = [_case(row["name"], row, row["attack"], "attack_success_rate", gates) for row in attacks]
    audit, teacher = results["audit"], results["teacher"]
    return Findings(
        model=_relative(audit["path"]),
        model_sha256=audit["sha256"],
        teacher=_without_folders(teacher["name"]),
        teacher_sha256=teacher["sha256"],
        dataset=results["dataset"]["name"],
        clean_accuracy=results["clean_accuracy"],
        num_images=results["worst_case"]["num_images"],
        seconds=results["seconds"]["craft"] + results["seconds"]["evaluate"],
        cases=(worst_case_of(results, gates), *cases),
    )


def _case(name, row, attack, key, gates):
    interval = row[f"{key}_ci95"]
    outcome = gates.judge(interval)
    gate = gates.crossed(outcome) if outcome in (Outcome.WARNED, Outcome.FAILED) else None
    return Case(name, row[key], interval, attack["epsilon"], attack["unit"], outcome, gate)


def _relative(path):
    """Nothing that tells where on the machine it lies."""
    relative = Path(os.path.relpath(path))
    return _printable(relative.name if ".." in relative.parts else relative.as_posix())


def _without_folders(teacher):
    """ "backbone/weights", whose weights may be a file's path."""
    backbone, _, weights = teacher.partition("/")
    return _printable(f"{backbone}/{Path(weights).name}")


def _printable(text):
    """What neither UTF-8 nor XML can hold becomes a question mark."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
