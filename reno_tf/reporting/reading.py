"""Reads many files below a folder, and notes those that cannot be read."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

from reno_tf.errors import UserError

_FOREIGN = (AttributeError, KeyError, TypeError, ValueError)  # What reading another version's file as ours raises.


@dataclasses.dataclass(frozen=True)
class Unread:
    """file: its path from the folder."""

    file: str
    why: str


@dataclasses.dataclass
class Reader:
    folder: Path
    unread: list[Unread] = dataclasses.field(default_factory=list)

    def read_all(self, paths: Iterable[Path], read: Callable[[Path], object]) -> list:
        """What `read` makes of each file; those that it cannot read go to `unread`."""
        contents = []
        for path in sorted(paths):
            try:
                contents.append(read(path))
                continue
            except (UserError, OSError) as error:
                why = str(error).removeprefix(f"{path} ")
            except _FOREIGN as error:
                why = f"is of another version ({type(error).__name__}: {error})"
            self.unread.append(Unread(inside(path, self.folder), why))
        return contents


def inside(path: Path, folder: Path) -> str:
    """The path from the folder; what is not UTF-8 in it becomes a question mark."""
    return path.relative_to(folder).as_posix().encode(errors="replace").decode()
