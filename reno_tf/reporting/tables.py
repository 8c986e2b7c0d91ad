"""An artefact's outcome as the cells of a table, and numbers as text."""

import math
from collections.abc import Mapping

from reno_tf.reproduction import summary
from reno_tf.reproduction.artefacts import ASR, CLEAN


def table(outcome: Mapping, paper: Mapping | None = None) -> dict:
    """An artefact's outcome as text.

    Args:
      paper: the paper's numbers in the same form.

    Returns:
      {"datasets", "metrics": labels, "groups": {name: [{"label", "n", "cells", "paper"}]}}; cells: mean ±
      standard deviation for each data set and metric; paper: the same of the paper's row, None if it has none there.
    """
    datasets, metrics = outcome.get("datasets", []), outcome.get("metrics", [CLEAN, ASR])
    printed = {_key(row): _cells(row, datasets, metrics) for row in (paper or {}).get("rows", [])}
    groups = {}
    for row in outcome.get("rows", []):
        counts = sorted({len(cell.get("seeds", [])) for cell in _on(row, datasets)}) or [0]
        theirs = printed.get(_key(row), [])
        groups.setdefault(row.get("group", ""), []).append(
            {
                "label": row.get("label", ""),
                "n": "–".join(str(count) for count in dict.fromkeys((counts[0], counts[-1]))),
                "cells": _cells(row, datasets, metrics),
                "paper": theirs if set(theirs) - {"–"} else None,
            }
        )
    return {"datasets": datasets, "metrics": list(map(summary.label, metrics)), "groups": groups}


def _key(row):
    return row.get("group", ""), row.get("label", "")


def _on(row, datasets):
    return [row.get("cells", {}).get(data, {}) for data in datasets]


def _cells(row, datasets, metrics):
    return [spread(cell.get(metric, []), metric) for cell in _on(row, datasets) for metric in metrics]


def spread(values: list[float | None], metric: str) -> str:
    """Mean ± standard deviation over seeds, and how many are undefined if some are: "86.5 ± 2.1"."""
    scale = summary.scale(metric)
    found = summary.summarise([scale * value for value in values if value is not None])
    if not found:
        return "undefined" if values else "–"
    places = 1 if scale == 100 else decimals(found.mean)
    text = number(found.mean, places)
    if found.std is not None:
        text += f"\u00a0±\u00a0{number(found.std, places)}"
    return text + (f" ({len(values) - found.seeds} undefined)" if found.seeds < len(values) else "")


def number(value: float | None, places: int | None = None) -> str:
    """With so many decimals, or with three figures in all: 1234, 36.6, −0.0123; None is a dash."""
    if value is None:
        return "–"
    return f"{value:.{decimals(value) if places is None else places}f}".replace("-", "−")


def decimals(value: float) -> int:
    """After how many decimals a number has three figures; at most four."""
    return min(4, max(0, 2 - math.floor(math.log10(abs(value))))) if value else 0
