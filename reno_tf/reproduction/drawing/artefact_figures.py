"""The pictures of the artefacts, as PNG and SVG."""

import dataclasses
import itertools

import matplotlib
import numpy as np
from matplotlib.lines import Line2D

from reno_tf.reporting.metrics import ASR, CLEAN, CORE, FEATURES, WEIGHTS, WORST
from reno_tf.reporting.rendering import encode, subplots
from reno_tf.reporting.seeds import summarise
from reno_tf.reproduction import lines
from reno_tf.reproduction.result_types import Outcome
from reno_tf.results import METRICS

# Pairs of a full and a light hue: first all that are full. No grey.
_HUES = matplotlib.colormaps["tab20"].colors
_COLORS = [color for color in (*_HUES[::2], *_HUES[1::2]) if len(set(color)) > 1]
_MARKERS = "osD^vP*Xh<>"
_SHARED = {"sharex": True, "squeeze": False}


def draw_artefact(outcome: Outcome) -> dict[str, bytes]:
    """{file name: content} of the artefact's picture; error bars are one standard deviation over seeds."""
    kinds = {"defences": _frontier, "figure1": _distances, "figure3": _ablation, "figure4": _weights}
    picture = kinds.get(outcome.artefact.removesuffix("_matched"), _trade_off)
    return encode(outcome.artefact, picture(outcome))


def legend_entry(color, marker, label, face=None):
    """An entry of a legend."""
    return Line2D([], [], ls="", color=color, marker=marker, mfc=face or color, label=label)


def _distances(outcome):
    """Figure 1: attack success against both distances."""
    figure, axes = subplots(1, 2, size=(10.5, 4.4), sharey=True)
    for ax, metric in zip(axes, (FEATURES, WEIGHTS), strict=True):
        points = _scatter(ax, outcome, outcome.rows, metric, ASR)
        rho = lines.rank_correlation(*np.reshape(points, (-1, 2)).T)
        ax.set_title(f"Spearman's ρ of the points: {'undefined' if np.isnan(rho) else f'{rho:.2f}'}", fontsize=10)
    axes[1].set_ylabel("")
    _legend(figure, outcome, datasets=outcome.datasets, loc="outside right center")
    return figure


def _trade_off(outcome):
    """Clean accuracy against the success of the paper's attack and, where it is given, the worst case of the core;
    a column for each group."""
    groups = lines.distinct(outcome, "group")
    rates = [ASR, CORE] if CORE in outcome.metrics else [ASR]
    size = (max(6.5, 3.4 * len(groups) + 1.8), 3.6 * len(rates) + 0.8)
    figure, axes = subplots(len(rates), len(groups), size=size, **_SHARED, sharey=True)
    for (rate, group), ax in zip(itertools.product(rates, groups), axes.flat, strict=True):
        _scatter(ax, outcome, [row for row in outcome.rows if row.group == group], CLEAN, rate)
        ax.set_title(group if rate == ASR else "", fontsize=10)
        ax.label_outer()
    axes[0, 0].set_xlim(right=103)  # Of all panels, and after all: their points decide where it begins.
    _legend(figure, outcome, datasets=outcome.datasets, loc="outside right center")
    return figure


def _frontier(outcome):
    """Clean accuracy against the worst cases, a column for each data set, a marker for each network. The line joins the
    methods that no other beats in both."""
    datasets, rates, groups = outcome.datasets, (CORE, WORST), lines.distinct(outcome, "group")
    figure, axes = subplots(2, len(datasets), size=(3.6 * len(datasets) + 2.6, 7.6), squeeze=False, sharex="col")
    for (rate, data), ax in zip(itertools.product(rates, datasets), axes.flat, strict=True):
        points = []
        for group, marker in zip(groups, _MARKERS, strict=False):
            rows = [row for row in outcome.rows if row.group == group]
            points += _scatter(ax, dataclasses.replace(outcome, datasets=(data,)), rows, CLEAN, rate, markers=marker)
        best = [(x, y) for x, y in sorted(points) if not any(a >= x and b < y or a > x and b <= y for a, b in points)]
        ax.plot(*np.reshape(best, (-1, 2)).T, "-", color="0.6", lw=1, zorder=0)
        ax.set_title(data if rate == CORE else "", fontsize=10)
        ax.label_outer()
    handles = [legend_entry(_color(outcome, label), "o", label) for label in lines.distinct(outcome, "label")]
    pairs = zip(groups, _MARKERS, strict=False)
    handles += [legend_entry("k", marker, group, face="none") for group, marker in pairs]
    figure.legend(handles=handles, fontsize=8, loc="outside right center")
    return figure


def _scatter(ax, outcome, rows, x, y, markers=_MARKERS):
    """A point for each row and data set, a colour a label, a marker a data set. Returns the points."""
    points = []
    for row, (data, marker) in itertools.product(rows, zip(outcome.datasets, itertools.cycle(markers), strict=False)):
        if at := _summaries(row, data, x, y):
            points.append([one.mean for one in at])
            xerr, yerr = ([one.std] if one.std else None for one in at)
            style = {"color": _color(outcome, row.label), "marker": marker, "ms": 7, "mec": "k", "mew": 0.6}
            ax.errorbar(*points[-1], xerr=xerr, yerr=yerr, **style, elinewidth=1, alpha=0.85)
    _name_axes(ax, x, y)
    return points


def _ablation(outcome):
    """Figure 3: bars of the average over the data sets, then of each."""
    panels, metrics = ["average", *outcome.datasets], (CLEAN, ASR)
    figure, axes = subplots(2, len(panels), size=(2.3 * len(panels) + 0.6, 5.4), **_SHARED, sharey="row")
    for line in (line for line in lines.lines_of(outcome) if line.metric in metrics):
        *cells, average = line.columns(outcome.datasets)
        for ax, cell in zip(axes[metrics.index(line.metric)], (average, *cells), strict=True):
            if cell:
                ax.bar(_place(outcome, line.row), cell.mean, width=0.19, color=_color(outcome, line.row.label))
                ax.errorbar(_place(outcome, line.row), cell.mean, yerr=cell.std or 0, color="k", elinewidth=1)
    for ax, panel in zip(axes[0], panels, strict=True):
        ax.set_title(panel, fontsize=10, fontweight="bold" if panel == "average" else None)
    groups = lines.distinct(outcome, "group")
    for place, ax in np.ndenumerate(axes):
        ax.set_xticks(range(len(groups)), groups, fontsize=8)
        ax.set(ylim=(0, 100), ylabel="" if place[1] else _axis(metrics[place[0]]))
        ax.grid(alpha=0.3, axis="y")
    _legend(figure, outcome, "s", loc="outside lower center", ncols=len(lines.distinct(outcome, "label")))
    return figure


def _place(outcome, row):
    """The bar's place: groups at 0, 1, …; in a group side by side."""
    inside = [other.label for other in outcome.rows if other.group == row.group]
    beside = 0.2 * (inside.index(row.label) - (len(inside) - 1) / 2)
    return lines.distinct(outcome, "group").index(row.group) + beside


def _weights(outcome):
    """Figure 4: clean accuracy against attack success along DELTA's weight; a star at the chosen one."""
    figure, ax = subplots(size=(7, 4.8))
    for index, data in enumerate(outcome.datasets):
        color, points = _COLORS[index % len(_COLORS)], {}
        for row in outcome.rows:
            if at := _summaries(row, data, CLEAN, ASR):
                points[row.label] = place = [one.mean for one in at]
                ax.annotate(row.label, place, (5, 4), textcoords="offset points", fontsize=7, color=color)
        ax.plot(*np.reshape(list(points.values()), (-1, 2)).T, "o-", color=color, ms=4, label=data)
        if star := points.get(f"{(outcome.chosen or {}).get(data, np.nan):g}"):
            ax.plot(*star, "*", color=color, ms=15, mec="k")
    _name_axes(ax, CLEAN, ASR)
    ax.legend(fontsize=8, title="a number: λ; a star: the one used", title_fontsize=8)
    return figure


def _summaries(row, data, *metrics):
    """The summaries of a row's metrics on a data set; empty if one of them has no value."""
    summaries = [summarise(lines.per_seed(row, metric, data).values()) for metric in metrics]
    return summaries if all(summaries) else []


def _name_axes(ax, x, y):
    ax.set(xlabel=_axis(x), ylabel=_axis(y), ylim=(-3, 103))
    ax.grid(alpha=0.3)


def _axis(metric):
    return METRICS[metric].with_unit(METRICS[metric].title)


def _color(outcome, label):
    return _COLORS[lines.distinct(outcome, "label").index(label) % len(_COLORS)]


def _legend(figure, outcome, marker="o", datasets=(), **options):
    handles = [legend_entry(_color(outcome, label), marker, label) for label in lines.distinct(outcome, "label")]
    handles += [
        legend_entry("k", marker, data, face="none")
        for data, marker in zip(datasets, itertools.cycle(_MARKERS), strict=False)
    ]
    figure.legend(handles=handles, fontsize=8, **options)
