"""The names of runs: of their folders, and in a sweep of their results."""

import dataclasses
import re

_ESCAPE = "%"
_BETWEEN = _ESCAPE + "-/\\\0"  # No part of a name may hold these: a folder is one name, and "-" stands between parts.
_OF_VARIANTS = "+@"  # What a variant begins with.


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRef:
    """What a run is of, and so its name: METHOD[VARIANT][-NETWORK]-DATA-SEED.

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
            raise ValueError(f"no run can be named by {self!r}")

    def __str__(self) -> str:
        first = escape(self.method, _BETWEEN + _OF_VARIANTS) + escape(self.variant)
        return "-".join([first, *([escape(self.network)] if self.network else []), escape(self.data), str(self.seed)])

    @classmethod
    def parse(cls, name: str) -> "RunRef":
        """The run of that name. Raises ValueError if `str` does not give such a name."""
        if not (match := re.fullmatch(r"([^-+@]+)([+@][^-]*)?(?:-([^-]+))?-([^-]+)-(\d+)", name)):
            raise ValueError(f"not the name of a run: {name!r}")
        method, variant, network, data, seed = (group or "" for group in match.groups())
        names = {"method": method, "variant": variant, "network": network, "data": data}
        ref = cls(**{key: _plain(value) for key, value in names.items()}, seed=int(seed))
        if str(ref) != name:
            raise ValueError(f"not the name of a run: {name!r}")
        return ref


def escape(text: str, characters: str = _BETWEEN) -> str:
    """The part of a name, in which "%2D" stands for "-"."""
    return "".join(f"{_ESCAPE}{ord(one):02X}" if one in characters else one for one in text)


def _plain(text: str) -> str:
    return re.sub(f"{_ESCAPE}([0-9A-F]{{2}})", lambda code: chr(int(code[1], 16)), text)
