"""What runs are called: their folders' names, by which a sweep also keeps what they gave."""

import dataclasses
import re

_ESCAPE = "%"
_BETWEEN = _ESCAPE + "-/\\\0"  # What no part of a name may hold, for a folder is one name and "-" stands between.
_OF_VARIANTS = "+@"  # What a variant begins with.


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRef:
    """A run by what it is of. Its name: METHOD[VARIANT][-NETWORK]-DATA-SEED.

    variant: what differs from the method as it is, "+swa" or "@lambda=5"; network: "" where the name does without it.
    Raises ValueError for a part that no name can have.
    """

    method: str
    data: str
    seed: int
    variant: str = ""
    network: str = ""

    def __post_init__(self):
        if not (self.method and self.data) or self.seed < 0 or self.variant[:1] not in ("", *_OF_VARIANTS):
            raise ValueError(f"no run is called by {self!r}")

    def __str__(self) -> str:
        first = escape(self.method, _BETWEEN + _OF_VARIANTS) + escape(self.variant)
        return "-".join([first, *([escape(self.network)] if self.network else []), escape(self.data), str(self.seed)])

    @classmethod
    def parse(cls, name: str) -> "RunRef":
        """The run of that name. Raises ValueError if `str` gives no such name."""
        if not (parts := re.fullmatch(r"([^-+@]+)([+@][^-]*)?(?:-([^-]+))?-([^-]+)-(\d+)", name)):
            raise ValueError(f"no name of a run: {name!r}")
        method, variant, network, data, seed = (part or "" for part in parts.groups())
        names = {"method": method, "variant": variant, "network": network, "data": data}
        found = cls(**{key: _plain(part) for key, part in names.items()}, seed=int(seed))
        if str(found) != name:
            raise ValueError(f"no name of a run: {name!r}")
        return found


def escape(part: str, characters: str = _BETWEEN) -> str:
    """The part of a name, in which "%2D" stands for "-"."""
    return "".join(f"{_ESCAPE}{ord(one):02X}" if one in characters else one for one in part)


def _plain(part: str) -> str:
    return re.sub(f"{_ESCAPE}([0-9A-F]{{2}})", lambda code: chr(int(code[1], 16)), part)
