"""The results page's content: runs, artefacts and claims below a folder, and the files that cannot be read."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.reporting import artefact_files, charts, finished_runs, seeds
from reno_tf.reporting.finished_runs import Run, inside
from reno_tf.reporting.metrics import ASR, CLEAN
from reno_tf.reporting.pictures import webp

_DRAWN = ("figure3", "table7")  # The ablations have bars.
_CLAIM = ("scale", "number", "statement", "rule", "verdict", "reason", "fails_on")
_PART = ("statistic", "side", "threshold", "unit", "mean", "interval", "n_seeds", "verdict")
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
    pictures = [folder / run.folder / "figures" / "examples.png" for run in finished_runs.exemplary(runs)]
    return Found(
        runs=runs,
        trials=len(paths) - len(shown),
        outcomes=[one for one in outcomes if one],
        claims=sum(read_all(claims, lambda path: [claim(content) for content in files.read_json(path)]), []),
        examples=dict(read_all(pictures, lambda path: (inside(path.parents[1], folder), webp(path)))),
        skipped=skipped,
    )


def outcome(content: dict, paper: dict | None = None) -> dict:
    """An artefact's outcome (results/<artefact>.json). paper: what the paper prints of it, as an outcome."""
    pairs = itertools.product(content["datasets"], (CLEAN, ASR)) if content["artefact"] in _DRAWN else ()
    bars = [(data, metric, charts.bar_chart(content, data, metric)) for data, metric in pairs]
    shown = {"bars": [bar for bar in bars if bar[-1]], "labels": seeds.distinct(content, "label")}
    return (
        artefact_files.facts(content, paper)
        | {key: str(content[key]) for key in ("artefact", "scale", "command")}
        | shown
    )


def claim(content: Mapping) -> dict:
    """A judged claim (of claims.json)."""
    parts = [_part(part) for part in content["parts"]]
    return {key: content[key] for key in _CLAIM} | {"scale": str(content["scale"]), "parts": parts}


def _part(part):
    """A part of a claim, with the axis of its chart; the axis is None if nothing stands beside the threshold."""
    sides = {data: {key: row[key] for key in ("mean", "claimed_side")} for data, row in part["per_dataset"].items()}
    shown = {key: part[key] for key in _PART} | {"per_dataset": sides, "paper": (part["paper"] or {}).get("mean")}
    means = (shown["mean"], shown["paper"], *(row["mean"] for row in sides.values()))
    values = [value for value in (*means, *(part["interval"] or ())) if value is not None]
    return shown | {"x": charts.axis([0, part["threshold"], *values], 14, 286, ticks=4) if values else None}


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
