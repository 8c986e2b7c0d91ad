"""`reno_audit`, a fixture of pytest for whoever has a model.

    def test_model(reno_audit):
        audit = reno_audit("model.keras", teacher="imagenet", data="photos")
        assert audit.worst_case < 0.2

Where the project is installed, pytest finds it. It loads nothing: the audit is a process of its own, of main.py, so the
tests' process keeps its Keras and its settings.
"""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_MAIN = Path(__file__).with_name("main.py")


@dataclasses.dataclass(frozen=True)
class Audit:
    """What an audit measured. Rates are fractions, with Wilson's 95 % interval. report: the file report.html."""

    worst_case: float
    worst_case_interval: tuple[float, float]
    clean_accuracy: float
    attack_success_rate: float
    report: Path
    results: dict = dataclasses.field(repr=False)  # the content of results.json


@dataclasses.dataclass
class Auditor:
    """What the fixture `reno_audit` gives. folder: for the audits without a workdir; cache: for their images."""

    folder: Path
    cache: Path
    audits: int = 0

    def __call__(
        self,
        student: str | os.PathLike,
        *,
        backbone: str | None = None,
        teacher: str | os.PathLike | None = None,
        data: str | os.PathLike | None = None,
        attack: str | None = None,
        epsilon: float | None = None,
        images: int | None = None,
        workdir: str | os.PathLike | None = None,
        flags: Sequence[str] = (),
    ) -> Audit:
        """Audits the model as `main.py --mode=audit` does; docs/audit.md says how.

        data: a folder of photos, a subfolder for each class. epsilon: in [0, 1] pixels. images: how many are attacked.
        workdir: where the report goes, and a finished audit is found again; None: pytest's tmp_path. flags: more words
        of the command line. The test fails with the program's own line where the audit does.
        """
        words = {"--student": student, "--backbone": backbone, "--teacher": teacher, "--attack": attack}
        words |= {"--config.attack.epsilon": epsilon, "--config.attack.images": images}
        words |= {"--config.data.name": "folder", "--config.data.dir": data} if data is not None else {}
        if workdir is None:
            self.audits += 1
            workdir = self.folder / f"audit{self.audits}"
            words |= {"--config.attack.cache": self.cache}
        given = [f"{name}={value}" for name, value in words.items() if value is not None]
        _run([f"--workdir={workdir}", *given, *flags])
        return _read(Path(workdir))


@pytest.fixture
def reno_audit(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    """Audits a model: `reno_audit("model.keras", teacher=..., data=...).worst_case`."""
    return Auditor(tmp_path / "reno_audit", tmp_path_factory.getbasetemp() / "reno_audit_cache")


def _run(flags):
    command = [sys.executable, str(_MAIN), "--mode=audit", *flags]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    print(done.stdout, end="")  # pytest shows it where the test fails.
    if done.returncode:
        pytest.fail(f"no audit: {done.stderr.strip()}", pytrace=False)
    print(done.stderr, end="", file=sys.stderr)


def _read(workdir) -> Audit:
    results = json.loads((workdir / "results.json").read_text(encoding="utf-8"))
    if results["worst_case_success_rate"] is None:
        pytest.fail("the worst case is undefined: no attack that counts met an image that the model gets right", False)
    return Audit(
        worst_case=results["worst_case_success_rate"],
        worst_case_interval=tuple(results["worst_case_success_rate_ci95"]),
        clean_accuracy=results["clean_accuracy"],
        attack_success_rate=results["attack_success_rate"],
        report=workdir / "report.html",
        results=results,
    )
