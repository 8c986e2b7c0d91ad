"""Tables as CSV, in which names are data: a spreadsheet computes none of them."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

_FORMULA = re.compile(r"[\t\n]|\s*[=+\-@＝＋－＠]")  # as OWASP lists what begins one
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")


def comma_separated(rows: Iterable[Sequence]) -> str:
    """The rows as CSV; text that would begin a formula has an apostrophe before it, numbers stay numbers."""
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows([_harmless(cell) for cell in row] for row in rows)
    return content.getvalue()


def _harmless(cell):
    text = str(cell).replace("\r", " ")  # Some readers would end the row there.
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
