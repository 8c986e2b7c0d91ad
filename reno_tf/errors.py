"""What is not the program's fault: a user's mistake, and a model that is more exposed than it may be."""

import difflib
import re

_SHOWN = 16  # of the names that may be chosen


class UserError(ValueError):
    """Says in one line what is wrong and what is allowed; `main.py` prints it and exits with 2."""


class TooExposed(Exception):
    """Says in one line how exposed a model is, beyond what was allowed; `main.py` prints it and exits with 1."""


def choose(kind: str, name: str, choices) -> str:
    """Returns `name` if it is one of `choices`, else raises `UserError` naming them, or the nearest of many."""
    if name not in choices:
        raise UserError(f"unknown {kind} {name!r}; {suggest(name, choices)}")
    return name


def suggest(name: str, choices) -> str:
    """What may stand in the place of `name`: "did you mean pixel? choose one of: paper, pixel"."""
    choices = sorted(map(str, choices), key=lambda choice: (-_likeness(str(name), choice), choice))
    meant = [choice for choice in choices[:3] if _likeness(str(name), choice) > 0.6]
    question = f"did you mean {' or '.join(meant)}? " if meant else ""
    if len(choices) > _SHOWN:
        return f"{question}choose one of: {', '.join(choices[:_SHOWN])}, or {len(choices) - _SHOWN} others"
    return f"{question}choose one of: {', '.join(sorted(choices))}"


def _likeness(name, choice):
    """From 0 to 1; a name inside of the other one is near."""
    name, choice = name.lower()[:100], choice.lower()
    ratio = difflib.SequenceMatcher(None, name, choice).ratio()
    return max(ratio, 0.7) if len(name) > 2 and name in choice else ratio


def one_line(error: Exception) -> str:
    """What a library's error says, cut to 200 characters and without the addresses of Python's objects."""
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(str(error).split()))
    return text[:200] or type(error).__name__


def reason(error) -> str:
    """The operating system's words in an error of TensorFlow's, whose message names files and nodes before them."""
    return error.message.rsplit("; ", 1)[-1].split(" [Op:")[0]
