"""Reads what a JavaScript module holds, an object or bytes in base64, as text. Nothing of it is run."""

import base64
import json
import re
from collections.abc import Collection
from pathlib import Path

from reno_tf.errors import UserError

_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"|\'[^\'\\"]*\'|![01]|[A-Za-z_$][\w$]*|-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?|'
    r"[{}\[\],:]|\s+",
    re.DOTALL,
)
_BASE64 = re.compile(r"[\"'`]([A-Za-z0-9+/]{4,}={0,2})[\"'`]")


def object_in(text: str, keys: Collection[str], origin) -> str:
    """The first object of the module that begins with one of the keys, as JSON; not all of it is JSON if it is code.

    Raises UserError if there is none.
    """
    if not (start := re.search(rf"{{\s*[\"']?(?:{'|'.join(keys)})\b", text)):
        raise UserError(f"{origin} holds no object that begins with one of: {', '.join(keys)}")
    parts, depth, place = [], 0, start.start()
    while match := _TOKEN.match(text, place):
        token, place = match[0], match.end()
        parts.append(_json_of(token, is_key=text[place : place + 1] == ":"))
        depth += (token in ("{", "[")) - (token in ("}", "]"))
        if not depth:
            break
    return "".join(parts)


def _json_of(token, *, is_key) -> str:
    """JSON for one token of JavaScript: a key without quotes, !0 for true, .5 for 0.5, a text between single quotes."""
    if token[0] == "'":
        return json.dumps(token[1:-1])
    if token[0] == "!":
        return "true" if token == "!0" else "false"
    if is_key and token[0] != '"':
        return json.dumps(token)
    return re.sub(r"^(-?)\.", r"\g<1>0.", token)


def bytes_in(module: Path) -> bytes:
    """What the longest base64 text of the module holds. Raises UserError if it is cut short, or there is none."""
    try:
        return base64.b64decode(max(_BASE64.findall(module.read_text()), key=len), validate=True)
    except ValueError:  # It is not a text, has no base64, or this ends before its padding.
        raise UserError(f"{module} holds nothing in base64, or not all of it") from None
