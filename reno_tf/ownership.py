"""What this project writes, by name. Nothing else is deleted, and no link is followed."""

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from absl import logging

from reno_tf.errors import UserError

MARKER, LOCK = ".reno_tf", ".lock"  # Files in the folder of a run: that it is one, and who writes it.

# Paths, each part a regular expression of its own. One that ends in "/" is an empty folder.
SAVED_MODEL = (
    r"(saved_model|fingerprint)\.pb",
    r"variables/variables\.(index|data-\d{5}-of-\d{5})",
    r"assets/",
    r"assets\.extra/(class_names\.txt|model_card\.md|tf_serving_warmup_requests)",
)
ANSWERS = r"[0-9a-f]{32}\.npz"  # of a suite that is interrupted
CHECKPOINT = r"ckpt-\d+\.(index|data-\d{5}-of-\d{5})"
CHECKPOINT_BEGUN = r"ckpt-\d+_temp"
CHECKPOINT_PART = r"part-\d{5}-of-\d{5}\.(index|data-\d{5}-of-\d{5})(\.tempstate\d+)?"
_STUDENT = (
    re.escape(MARKER),
    re.escape(LOCK),
    r"history\.jsonl",
    r"reno_tf_error\.log",
    rf"checkpoints/.+/({CHECKPOINT}|interval\.json|checkpoint(\.tmp\w+)?)",
    rf"checkpoints/.+/{CHECKPOINT_BEGUN}/{CHECKPOINT_PART}",
    r"tensorboard/events\.out\.tfevents\..+",
    r"tensorboard/plugins/profile/[\d_]+/.+\.pb",
)
TRAINING = (*_STUDENT, *(rf"sibling\d+/{path}" for path in _STUDENT))
_ALONE = (
    *TRAINING,
    r"(config|data|results|curve|convergence)\.json",
    r"images\.csv",
    r"report\.(md|html|sarif)",
    r"junit\.xml",
    r"figures/(training|data|examples|epsilon|convergence|exposure|lineage)\.png",
    rf"suite/{ANSWERS}",
    r"images/.+/\d{5}\.png",
    *(f"export/.+/1/{path}" for path in SAVED_MODEL),
    *(rf"export/.+/\.export-\w+/model/{path}" for path in SAVED_MODEL),  # Its process was killed.
    *(f"surrogate-[0-9a-f]{{16}}/{path}" for path in TRAINING),
)
RUN = (*_ALONE, *(f"renofeation/{path}" for path in _ALONE))  # An audit's, for comparison.

_TEMPORARY = re.compile(r"\.(.+)\.\w{8}\.part")  # of `files.write_bytes`, whose process was killed


def foreign(folder: Path, names: Iterable[str], *, parents: tuple[str, ...] = ()) -> Iterator[Path]:
    """What lies in the folder, at any depth, and has none of the `names`: patterns as `RUN`. A link never has."""
    for entry in sorted(folder.iterdir()):
        parts, is_folder = (*parents, entry.name), entry.is_dir()
        if entry.is_symlink() or not any(_fits(parts, is_folder, name.split("/")) for name in names):
            yield entry
        elif is_folder:
            yield from foreign(entry, names, parents=parts)


def _fits(parts, is_folder, names) -> bool:
    if not is_folder and (temporary := _TEMPORARY.fullmatch(parts[-1])):
        parts = (*parts[:-1], temporary[1])
    right_depth = len(parts) < len(names) if is_folder else len(parts) == len(names)
    return right_depth and all(re.fullmatch(name, component) for name, component in zip(names, parts, strict=False))


def _is_any(patterns, name) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def clear_run(workdir: Path) -> None:
    """Deletes what runs wrote there, all but marker and settings, which the next run replaces; a line names the rest.

    Raises UserError, and deletes nothing, if the folders to be deleted hold anything else.
    """
    tops = {name.split("/")[0] for name in RUN}
    others = list(foreign(workdir, RUN))
    entries = [entry for entry in workdir.iterdir() if entry not in others or _is_any(tops, entry.name)]
    if inside := [path for path in others if any(path.is_relative_to(entry) for entry in entries)]:
        why = f"{inside[0]} is not what a run writes, so nothing in {workdir} is deleted"
        raise UserError(f"{why}; move it out of there, or choose another --workdir")
    if others:
        logging.warning("%s keeps what no run wrote: %s", workdir, ", ".join(path.name for path in others))
    # Killed in the middle, it is not a finished run.
    for entry in sorted(entries, key=lambda entry: entry.name != "results.json"):
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name not in (MARKER, LOCK, "config.json"):
            entry.unlink()


def remove(folder: Path, name: str) -> None:
    """Deletes the files directly in the folder that have the name, a regular expression; then the folder, if empty."""
    with contextlib.suppress(OSError):  # Another process may delete too.
        for entry in folder.iterdir():
            if re.fullmatch(name, entry.name) and entry.is_file() and not entry.is_symlink():
                entry.unlink(missing_ok=True)
        folder.rmdir()
