"""The results page's content: runs, artefacts and claims below a folder, and the files that cannot be read."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.reporting import finished_runs
from reno_tf.reporting.finished_runs import Run, inside
from reno_tf.reporting.page_content import claim, outcome
from reno_tf.reporting.pictures import webp
from reno_tf.reporting.series import exemplary

_FOREIGN = (AttributeError, KeyError, TypeError, ValueError)  # What another version's file gives, read as ours.


@dataclasses.dataclass(frozen=True)
class Found:
    """runs, outcomes, claims: what the readers of these names give.

    trials: how many runs are left out because a hyper-parameter was chosen by them.
    examples: a run's folder -> WebP of its adversarial examples.
    skipped: {"file", "why"} of what could not be read.
    """

    runs: list[Run]
    trials: int
    outcomes: list[dict]
    claims: list[dict]
    examples: dict[str, bytes]
    skipped: list[dict]


def gather(folder: Path, *, paper: Mapping[str, dict]) -> Found:
    """Reads all that the page shows.

    Args:
      paper: artefact -> the numbers that the paper prints of it, as an outcome.
    """
    skipped = []

    def read_all(paths: Iterable[Path], read: Callable) -> list:
        """The content of each file; files that `read` cannot read go to `skipped`."""
        found = []
        for path in sorted(paths):
            try:
                found.append(read(path))
            except (UserError, OSError) as error:
                skipped.append({"file": inside(path, folder), "why": str(error).removeprefix(f"{path} ")})
            except _FOREIGN as error:
                why = f"is of another version ({type(error).__name__}: {error})"
                skipped.append({"file": inside(path, folder), "why": why})
        return found

    paths = list(folder.rglob("results.json"))
    shown = [path for path in paths if not _is_trial(path)]
    runs = read_all(shown, lambda path: finished_runs.read(path, folder))
    claims = set(folder.rglob("claims.json"))
    outcomes = read_all(set(folder.rglob("results/*.json")) - claims, lambda path: _outcome(path, paper))
    pictures = [folder / run.folder / "figures" / "examples.png" for run in exemplary(runs)]
    return Found(
        runs=runs,
        trials=len(paths) - len(shown),
        outcomes=[one for one in outcomes if one],
        claims=sum(read_all(claims, lambda path: [claim(content) for content in files.read_json(path)]), []),
        examples=dict(read_all(pictures, lambda path: (inside(path.parents[1], folder), webp(path)))),
        skipped=skipped,
    )


def _is_trial(path) -> bool:
    """Whether a sweep made this run to choose a hyper-parameter, and keeps it with the others of its kind."""
    data = path.parents[1]
    return data.parent.name == "trials" and (data.parent / f"{data.name}-grid" / "trials.json").is_file()


def _outcome(path, paper):
    """An artefact's outcome; None if the file is something else."""
    content = files.read_json(path)
    if isinstance(content, dict) and "artefact" in content:
        return outcome(content, paper.get(content["artefact"]))
    return None
