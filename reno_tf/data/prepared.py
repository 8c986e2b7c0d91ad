"""Builds of this project's data sets in tensorflow-datasets' folder, told apart from what others keep there."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from reno_tf import files, ownership
from reno_tf.errors import UserError

_BUILD = (
    r"(dataset_info|features|metadata)\.json",
    r"label\.labels\.txt",
    r"\w+-\w+\.(array_record|tfrecord)-\d{5}-of-\d{5}",
    r"index-\w+\.npz",
)


def own_builds(root: Path, name: str) -> Iterator[Path]:
    """The folders ROOT/NAME/VERSION and ROOT/NAME/CONFIG/VERSION of builders of this project, with nothing else inside.

    No link is followed below `root`.
    """
    for depth in ("*", "*/*"):
        for info in sorted((root / name).glob(f"{depth}/dataset_info.json")):
            if _is_own(info.parent, root):
                yield info.parent


def _is_own(build, root):
    try:
        info = files.read_json(build / "dataset_info.json")
        place = [info[key] for key in ("name", "configName", "version") if key in info]
        is_ours = info["moduleName"].startswith("reno_tf.") and build == root.joinpath(*place)
    except (OSError, UserError, KeyError, TypeError, AttributeError):
        return False
    follows_no_link = build.resolve() == root.resolve() / build.relative_to(root)
    return is_ours and follows_no_link and not any(ownership.foreign(build, _BUILD))


def remove(build: Path) -> None:
    """Deletes a build of `own_builds`, and its CONFIG and NAME if they hold nothing else but a lock."""
    name = files.read_json(build / "dataset_info.json")["name"]
    shutil.rmtree(build, ignore_errors=True)
    for folder in build.parents:
        with contextlib.suppress(OSError):
            if [path.name for path in folder.iterdir()] == [ownership.LOCK]:
                (folder / ownership.LOCK).unlink()
            folder.rmdir()
        if folder.name == name:
            break
