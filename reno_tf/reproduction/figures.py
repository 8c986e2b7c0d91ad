"""The pictures of the artefacts and of the claims, as PNG and SVG."""

import io
import textwrap

import matplotlib
import numpy as np
from scipy import stats

from reno_tf.reproduction import summary
from reno_tf.reproduction.artefacts import ASR, CLEAN, FEATURES
from reno_tf.reproduction.judging import HELD, NOT_HELD, UNDECIDED

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402

_COLORS = [color for color in plt.get_cmap("tab10").colors if len(set(color)) > 1]  # not grey
_MARKERS = "osD^vP*Xh<>"
_VERDICTS = {HELD: ("tab:green", "o"), NOT_HELD: ("tab:red", "X"), UNDECIDED: ("0.45", "D")}
_NAMES = {
    CLEAN: "accuracy on clean images (%)",
    ASR: "attack success rate (%)",
    FEATURES: "feature distance to the teacher",
    "weight_distance": "weight distance to the teacher",
}


def draw(outcome: dict) -> dict[str, bytes]:
    """{file name: content} of the artefact's picture; the same outcome gives the same bytes.

    Error bars are one standard deviation over seeds.
    """
    picture = {"figure1": _distances, "figure3": _ablation, "figure4": _weights}.get(outcome["artefact"], _trade_off)
    return _files(outcome["artefact"], picture(outcome))


def forest(judged: list[dict]) -> dict[str, bytes]:
    """{"claims.png", "claims.svg"}: how far every part of every claim lies beyond its threshold.

    judged: of `reno_tf.reproduction.judging.judge`. Percentage points and the rest have each a panel.
    """
    parts = [(claim["number"], part) for claim in judged for part in claim["parts"]]
    panels = [[entry for entry in parts if entry[1]["unit"] == unit] for unit in ("points", "")]
    heights = [len(panel) + 1 for panel in panels]
    size = (10, 0.42 * sum(heights) + 1.6)
    figure, axes = plt.subplots(2, 1, figsize=size, layout="constrained", height_ratios=heights)
    for ax, panel, unit in zip(axes, panels, ("percentage points", "no unit"), strict=True):
        for row, (_, part) in enumerate(panel):
            _interval(ax, row, part)
        ax.axvline(0, color="k", lw=1)
        ax.set_yticks(range(len(panel)), [_label(number, part) for number, part in panel], fontsize=8)
        ax.set(ylim=(len(panel) - 0.4, -0.6), xlabel=f"beyond the threshold, on the claimed side ({unit})")
        ax.grid(alpha=0.3, axis="x")
    handles = [_mark(*style, name) for name, style in _VERDICTS.items()]
    handles += [_mark("0.4", "|", "one data set"), _mark("tab:red", "|", "one on the other side")]
    handles.append(_mark("k", "*", "the paper, on its data", face="none"))
    figure.legend(handles=handles, fontsize=8, loc="outside upper center", ncols=len(handles))
    return _files("claims", figure)


def _interval(ax, row, part):
    """Mean, 95 % interval, data sets and paper as distances to the threshold."""

    def plot(values, style, **options):
        beyond = (np.array(values, float) - part["threshold"]) * (1 if part["side"] == ">" else -1)
        ax.plot(beyond, [row] * len(beyond), style, **options)

    color, marker = _VERDICTS[part["verdict"]]
    plot(part["interval"] or [], "-", color=color, lw=2.5, alpha=0.6)
    for one in part["per_dataset"].values():
        plot([one["mean"]], "|", color="tab:red" if one["claimed_side"] is False else "0.4", ms=11)
    plot([part["mean"]], marker, color=color)
    if part["paper"]:
        plot([part["paper"]["mean"]], "*", color="k", mfc="none", ms=9)
    if part["mean"] is None:
        ax.text(0, row, "  no number", va="center", fontsize=8, color=color)


def _label(number, part):
    rule = f"({number}) {part['statistic']} {part['side']} {part['threshold']:g}"
    return textwrap.fill(rule + (" points" if part["unit"] else ""), 62)


def _distances(outcome):
    """Figure 1: attack success against both distances."""
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained", sharey=True)
    for ax, metric in zip(axes, (FEATURES, "weight_distance"), strict=True):
        points = _scatter(ax, outcome, metric, ASR)
        ax.set_title(f"Spearman's ρ of the points: {_rho(points)}", fontsize=10)
    axes[1].set_ylabel("")
    _legend(figure, outcome)
    return figure


def _rho(points):
    if len(points) < 3 or (np.ptp(points, axis=0) == 0).any():
        return "undefined"
    return f"{stats.spearmanr(*np.transpose(points)).statistic:.2f}"


def _trade_off(outcome):
    """Clean accuracy against attack success, a panel for each group."""
    groups = list(dict.fromkeys(row["group"] for row in outcome["rows"]))
    size = (max(6.5, 3.4 * len(groups) + 1.8), 4.4)
    figure, axes = plt.subplots(
        1, len(groups), figsize=size, layout="constrained", sharex=True, sharey=True, squeeze=False
    )
    for ax, group in zip(axes[0], groups, strict=True):
        _scatter(ax, outcome, CLEAN, ASR, group=group)
        ax.set_title(group, fontsize=10)
        ax.label_outer()
    axes[0, 0].set_xlim(right=103)  # Of all panels, and after all: their points decide where it begins.
    _legend(figure, outcome)
    return figure


def _scatter(ax, outcome, x, y, *, group=None):
    """A point for each row and data set, a colour a label, a marker a data set. Returns the points."""
    points = []
    for row in outcome["rows"]:
        for data in outcome["datasets"] if group in (None, row["group"]) else ():
            at = [summary.summarise(list(summary.per_seed(row, metric, data).values())) for metric in (x, y)]
            if all(at):
                points.append([one.mean for one in at])
                spread = dict(zip(("xerr", "yerr"), ([one.std] if one.std else None for one in at), strict=True))
                style = {"color": _color(outcome, row["label"]), "marker": _marker(outcome, data)}
                ax.errorbar(*points[-1], **spread, **style, ms=7, mec="k", mew=0.6, elinewidth=1, alpha=0.85)
    ax.set(xlabel=_NAMES[x], ylabel=_NAMES[y], ylim=(-3, 103))
    ax.grid(alpha=0.3)
    return points


def _color(outcome, label):
    labels = list(dict.fromkeys(row["label"] for row in outcome["rows"]))
    return _COLORS[labels.index(label) % len(_COLORS)]


def _marker(outcome, data):
    return _MARKERS[outcome["datasets"].index(data) % len(_MARKERS)]


def _legend(figure, outcome):
    labels = dict.fromkeys(row["label"] for row in outcome["rows"])
    handles = [_mark(_color(outcome, label), "o", label) for label in labels]
    handles += [_mark("k", _marker(outcome, data), data, face="none") for data in outcome["datasets"]]
    figure.legend(handles=handles, fontsize=8, loc="outside right center")


def _mark(color, marker, label, face=None):
    return Line2D([], [], ls="", color=color, marker=marker, mfc=face or color, label=label)


def _ablation(outcome):
    """Figure 3: bars of the average over the data sets, then of each."""
    panels = ["average", *outcome["datasets"]]
    size = (2.3 * len(panels) + 0.6, 5.4)
    figure, axes = plt.subplots(
        2, len(panels), figsize=size, layout="constrained", sharex=True, sharey="row", squeeze=False
    )
    for line in (line for line in summary.lines(outcome) if line.metric in (CLEAN, ASR)):
        for ax, panel in zip(axes[(CLEAN, ASR).index(line.metric)], panels, strict=True):
            if cell := line.average if panel == "average" else line.cells.get(panel):
                ax.bar(_place(outcome, line.row), cell.mean, width=0.19, color=_color(outcome, line.row["label"]))
                ax.errorbar(_place(outcome, line.row), cell.mean, yerr=cell.std or 0, color="k", elinewidth=1)
    groups = list(dict.fromkeys(row["group"] for row in outcome["rows"]))
    for ax, panel in zip(axes[0], panels, strict=True):
        ax.set_title(panel, fontsize=10, fontweight="bold" if panel == "average" else None)
    for ax in axes.flat:
        ax.set_xticks(range(len(groups)), groups, fontsize=8)
        ax.set_ylim(0, 100)
        ax.grid(alpha=0.3, axis="y")
    axes[0, 0].set_ylabel(_NAMES[CLEAN])
    axes[1, 0].set_ylabel(_NAMES[ASR])
    handles = [
        _mark(_color(outcome, label), "s", label) for label in dict.fromkeys(r["label"] for r in outcome["rows"])
    ]
    figure.legend(handles=handles, fontsize=8, loc="outside lower center", ncols=len(handles))
    return figure


def _place(outcome, row):
    """The bar's place: groups at 0, 1, …; in a group side by side."""
    groups = list(dict.fromkeys(other["group"] for other in outcome["rows"]))
    inside = [other["label"] for other in outcome["rows"] if other["group"] == row["group"]]
    return groups.index(row["group"]) + 0.2 * (inside.index(row["label"]) - (len(inside) - 1) / 2)


def _weights(outcome):
    """Figure 4: clean accuracy against attack success along DELTA's weight; a star at the chosen one."""
    figure, ax = plt.subplots(figsize=(7, 4.8), layout="constrained")
    for index, data in enumerate(outcome["datasets"]):
        color, points = _COLORS[index % len(_COLORS)], {}
        for row in outcome["rows"]:
            at = [summary.summarise(list(summary.per_seed(row, metric, data).values())) for metric in (CLEAN, ASR)]
            if all(at):
                points[row["label"]] = [one.mean for one in at]
                ax.annotate(
                    row["label"],
                    points[row["label"]],
                    xytext=(5, 4),
                    textcoords="offset points",
                    fontsize=7,
                    color=color,
                )
        ax.plot(*np.reshape(list(points.values()), (-1, 2)).T, "o-", color=color, ms=4, label=data)
        if chosen := points.get(f"{outcome.get('chosen', {}).get(data, np.nan):g}"):
            ax.plot(*chosen, "*", color=color, ms=15, mec="k")
    ax.set(xlabel=_NAMES[CLEAN], ylabel=_NAMES[ASR], ylim=(-3, 103))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, title="a number: λ; a star: the one used", title_fontsize=8)
    return figure


def _files(name, figure):
    """Bytes that the figure alone decides."""
    found = {}
    with matplotlib.rc_context({"svg.hashsalt": name}):
        for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=130, metadata=metadata)
            found[f"{name}.{kind}"] = buffer.getvalue()
    plt.close(figure)
    return found
