"""The one exception that means: the user, not the program, made the mistake."""


class UserError(ValueError):
    """Says in one line what is wrong and what is allowed; `main.py` prints it and exits with 2."""


def choose(kind: str, name: str, choices) -> str:
    """Returns `name` if it is one of `choices`, else raises `UserError` naming them all."""
    if name not in choices:
        raise UserError(f"unknown {kind} {name!r}; choose one of: {', '.join(sorted(choices))}")
    return name
