"""What is not the program's fault: a user's mistake, and a model that is more exposed than it may be."""

import re


class UserError(ValueError):
    """Says in one line what is wrong and what is allowed; `main.py` prints it and exits with 2."""


class TooExposed(Exception):
    """Says in one line how exposed a model is, beyond what was allowed; `main.py` prints it and exits with 1."""


def choose(kind: str, name: str, choices) -> str:
    """Returns `name` if it is one of `choices`, else raises `UserError` naming them all."""
    if name not in choices:
        raise UserError(f"unknown {kind} {name!r}; choose one of: {', '.join(sorted(choices))}")
    return name


def one_line(error: Exception) -> str:
    """What a library's error says, cut to 200 characters and without the addresses of Python's objects."""
    told = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(str(error).split()))
    return told[:200] or type(error).__name__


def reason(error) -> str:
    """What the operating system said, of an error of TensorFlow's, whose message names files and nodes before it."""
    return error.message.rsplit("; ", 1)[-1].split(" [Op:")[0]
