"""How far every part of every claim lies beyond its threshold, as PNG and SVG."""

import textwrap

import numpy as np

from reno_tf.reporting.rendering import encode, subplots
from reno_tf.reproduction.drawing.artefact_figures import legend_entry
from reno_tf.reproduction.result_types import JudgedClaim
from reno_tf.reproduction.verdicts import HELD, NOT_HELD, UNDECIDED

_STYLES = {HELD: ("tab:green", "o"), NOT_HELD: ("tab:red", "X"), UNDECIDED: ("0.45", "D")}


def draw_claims(judged: list[JudgedClaim]) -> dict[str, bytes]:
    """{"claims.png", "claims.svg"} of what `judging.judge` gave; a panel for percentage points, one for the rest."""
    names = [f"{claim.number}{', matched' * claim.matched}" for claim in judged]
    parts = [(name, part) for name, claim in zip(names, judged, strict=True) for part in claim.parts]
    panels = [[entry for entry in parts if entry[1].unit == unit] for unit in ("points", "")]
    heights = [len(panel) + 1 for panel in panels]
    size = (10, 0.42 * sum(heights) + 1.6)
    figure, axes = subplots(2, 1, size=size, height_ratios=heights)
    for ax, panel, unit in zip(axes, panels, ("percentage points", "no unit"), strict=True):
        limits = _limits([part for _, part in panel])
        for row, (_, part) in enumerate(panel):
            _draw_part(ax, row, part, limits)
        ax.axvline(0, color="k", lw=1)
        labels = [textwrap.fill(f"({name}) {part.rule}", 66) for name, part in panel]
        ax.set_yticks(range(len(panel)), labels, fontsize=8)
        ax.set(ylim=(len(panel) - 0.4, -0.6), xlim=limits)
        ax.set_xlabel(f"beyond the threshold, on the claimed side ({unit})")
        ax.grid(alpha=0.3, axis="x")
    handles = [legend_entry(*style, name) for name, style in _STYLES.items()]
    handles += [legend_entry("0.4", "|", "one data set"), legend_entry("tab:red", "|", "one on the other side")]
    handles.append(legend_entry("0.4", ">", "one farther off"))
    handles += [legend_entry("k", "*", "the paper, on its data", face="none")]
    figure.legend(handles=handles, fontsize=8, loc="outside upper center", ncols=len(handles))
    return encode("claims", figure)


def _limits(parts) -> tuple[float, float]:
    """What the axis shows: means, intervals and the paper. A data set far off must not squeeze these."""
    shown = [0.0]
    for part in parts:
        values = [part.mean, *(part.interval or []), part.paper and part.paper.mean]
        shown += [_beyond(part, value) for value in values if value is not None]
    margin = 0.15 * (max(shown) - min(shown)) or 1.0
    return min(shown) - margin, max(shown) + margin


def _beyond(part, value) -> float:
    return (value - part.threshold) * (1 if part.side == ">" else -1)


def _draw_part(ax, row, part, limits):
    """Mean, 95 % interval, data sets and paper as distances to the threshold; an arrow for what lies outside."""

    def plot(values, style, **options):
        ax.plot([_beyond(part, value) for value in values], [row] * len(values), style, **options)

    color, marker = _STYLES[part.verdict]
    plot(part.interval or [], "-", color=color, lw=2.5, alpha=0.6)
    for one in part.per_dataset.values():
        if one.mean is not None:
            place = _beyond(part, one.mean)
            style, size = ("<", 7) if place < limits[0] else (">", 7) if place > limits[1] else ("|", 11)
            side = "0.4" if one.claimed_side else "tab:red"
            ax.plot(np.clip(place, *limits), row, style, color=side, ms=size, clip_on=False)
    if part.mean is None:
        ax.text(0, row, "  no number", va="center", fontsize=8, color=color)
    else:
        plot([part.mean], marker, color=color)
    if part.paper:
        plot([part.paper.mean], "*", color="k", mfc="none", ms=9)
