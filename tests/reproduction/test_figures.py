"""Pictures: what is written in them, and that the same outcome gives the same bytes."""

import dataclasses
import json
import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from conftest import long
from outcomes import outcome, row

from reno_tf import records
from reno_tf.reproduction import drawing, judging
from reno_tf.reproduction.artefacts import ARTEFACTS, Scale
from reno_tf.reproduction.drawing import artefact_figures, claims_figure
from reno_tf.reproduction.result_types import JudgedClaim, Outcome
from reno_tf.results import METRICS

_SCALE = Scale(networks=("resnet18", "mobilenetv2"), shares={"33 %": 0.33}, feature_weights=(0.1, 0.5, 2.0))
_KINDS = ("table4", "defences", "figure1", "figure3", "figure4")  # The other tables are drawn as Table 4 is.
_SHOWN = {"defences": "core_worst_case_success_rate"}  # on the vertical axis, in place of the ASR
_METRICS = ("clean_accuracy", "attack_success_rate", "noise_success_rate", "feature_distance", "weight_distance")
_METRICS += ("core_worst_case_success_rate", "worst_case_success_rate")


def _made_up(name, seeds=2, **more):
    values, artefact = np.random.default_rng(0), ARTEFACTS[name](_SCALE)
    rows = []
    for one in artefact.rows:
        cells = {data: {metric: values.uniform(size=seeds).tolist() for metric in _METRICS} for data in "ab"}
        names = {"label": one.label, "group": one.group, "variant": one.variant, "network": one.network}
        rows.append(row(one.method, cells, **names))
    return outcome(name, rows, metrics=artefact.metrics, **more)


def _texts(pictures, name):
    return [
        element.text
        for element in ElementTree.fromstring(pictures[f"{name}.svg"]).iter("{http://www.w3.org/2000/svg}text")
    ]


@pytest.fixture
def readable():
    """Text stays text in SVG files."""
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        yield


@pytest.mark.parametrize("name", [*_KINDS[:1], *long(*_KINDS[1:])])
def test_the_same_outcome_is_the_same_picture(name):
    made = _made_up(name)
    first, second = artefact_figures.draw_artefact(made), artefact_figures.draw_artefact(made)
    assert first == second and first.keys() == {f"{name}.png", f"{name}.svg"}
    assert first[f"{name}.png"].startswith(b"\x89PNG") and b"<dc:date>" not in first[f"{name}.svg"]
    made.rows[0].cells["a"][_SHOWN.get(name, "attack_success_rate")] = [0.0, 0.0]
    assert artefact_figures.draw_artefact(made) != first


@pytest.mark.parametrize("name", _KINDS)
def test_a_picture_of_what_is_there(name, readable):
    made = _made_up(name)
    for number, one in enumerate(made.rows):
        shown = _SHOWN.get(name, "attack_success_rate")
        one.cells.pop("b") if number % 2 else one.cells["a"].update({shown: [None, 0.5]})
    assert METRICS[shown].with_unit(METRICS[shown].title) in _texts(artefact_figures.draw_artefact(made), name)
    artefact_figures.draw_artefact(
        outcome(name, [dataclasses.replace(one, cells={}) for one in made.rows], metrics=made.metrics)
    )


def test_figure_1_tells_the_rank_correlations(readable):
    cells = [
        {"a": {"attack_success_rate": [s], "feature_distance": [d], "weight_distance": [1]}}
        for s, d in zip((0.9, 0.7, 0.8, 0.1), (0, 1, 2, 3), strict=True)
    ]
    made = outcome("figure1", [row("delta", cell, label=str(n)) for n, cell in enumerate(cells)], datasets=["a"])
    texts = _texts(artefact_figures.draw_artefact(made), "figure1")
    # Ranks 1 2 3 4 and 4 2 3 1: the squared differences sum to 18, rho = 1 - 6 * 18 / 60.
    assert "Spearman's ρ of the points: -0.80" in texts and "Spearman's ρ of the points: undefined" in texts


def test_figure_3_has_a_panel_for_the_average_and_each_data_set(readable):
    texts = _texts(artefact_figures.draw_artefact(_made_up("figure3")), "figure3")
    assert [texts.count(name) for name in ("average", "a", "b", "plain", "DO + SWA")] == [1] * 5


def test_figure_3_draws_every_bar_at_its_height(monkeypatch):
    made, drawn = _made_up("figure3"), []
    monkeypatch.setattr(matplotlib.axes.Axes, "bar", lambda self, x, height, **_: drawn.append((round(x, 2), height)))
    artefact_figures.draw_artefact(made)
    assert len(drawn) == 12 * 2 * 3
    plain = made.rows[0].cells
    average = np.mean([plain["a"]["clean_accuracy"], plain["b"]["clean_accuracy"]])
    assert drawn[:3] == [
        (-0.3, pytest.approx(100 * height))
        for height in (average, *(np.mean(plain[d]["clean_accuracy"]) for d in "ab"))
    ]
    assert sorted({x for x, _ in drawn}) == [-0.3, -0.1, 0.1, 0.3, 0.7, 0.9, 1.1, 1.3, 1.7, 1.9, 2.1, 2.3]


def test_figure_4_names_the_weights_and_stars_the_chosen(readable):
    plain = artefact_figures.draw_artefact(_made_up("figure4"))
    starred = artefact_figures.draw_artefact(_made_up("figure4", chosen={"a": 0.5}))
    assert [_texts(plain, "figure4").count(weight) for weight in ("0.1", "0.5", "2")] == [2, 2, 2]
    assert starred != plain and artefact_figures.draw_artefact(_made_up("figure4", chosen={"a": 7.0})) == plain


def test_the_forest_shows_every_part_and_the_lack_of_one(readable):
    judged = judging.judge({"table2": _made_up("table2", seeds=5)})
    texts = " ".join(_texts(claims_figure.draw_claims(judged), "claims"))
    assert [texts.count(f"({claim.number})") for claim in judged] == [len(claim.parts) for claim in judged]
    assert texts.count("no number") == sum(part.mean is None for claim in judged for part in claim.parts) > 0
    assert claims_figure.draw_claims(judged) == claims_figure.draw_claims(judged)


def test_a_data_set_far_off_does_not_squeeze_the_forest():
    def drawn(mean):
        judged = judging.judge({"table2": _made_up("table2", seeds=5)})
        measures = judged[0].parts[0].per_dataset
        measures["a"] = dataclasses.replace(measures["a"], mean=mean, claimed_side=True)
        return claims_figure.draw_claims(judged)

    assert drawn(1e4) == drawn(1e6) not in (drawn(-1e6), drawn(30.0))


def test_write_makes_all_files_and_only_those(tmp_path):
    made = _made_up("table2", seeds=5)
    drawing.write_artefact(tmp_path / "new", made)
    endings = ("md", "tex", "csv", "json", "png", "svg")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {f"table2.{ending}" for ending in endings}
    assert records.from_json(Outcome, json.loads((tmp_path / "new/table2.json").read_text())) == made
    assert re.search(r"!\[.*\]\(table2\.png\)", (tmp_path / "new/table2.md").read_text())
    judged = judging.judge({"table2": made})
    drawing.write_claims(tmp_path / "claims", judged, made, rules=judging.RULES)
    assert {path.name for path in (tmp_path / "claims").iterdir()} == {
        f"claims.{e}" for e in ("md", "json", "png", "svg")
    }
    written = records.from_json(tuple[JudgedClaim, ...], json.loads((tmp_path / "claims/claims.json").read_text()))
    assert written == tuple(dataclasses.replace(claim, scale="embedded") for claim in judged)
    assert judging.RULES in (tmp_path / "claims/claims.md").read_text()


def test_the_worst_case_stands_below_the_papers_attack_and_no_two_methods_share_a_colour():
    rates = {"clean_accuracy": [0.5], "attack_success_rate": [0.1], "core_worst_case_success_rate": [0.9]}
    rows = [row("delta", {"a": rates}, label=f"{number}") for number in range(13)]  # As many as `methods` has.
    figure = artefact_figures._trade_off(outcome("methods", rows, datasets=("a",), metrics=tuple(rates)))
    above, below = ({tuple(line.get_xydata()[0]) for line in ax.lines} for ax in figure.axes)
    assert (above, below) == ({(50, 10)}, {(50, 90)})
    assert len({line.get_color() for line in figure.axes[0].lines}) == 13


def test_no_panel_hides_a_point():
    def one(group, clean):
        return row("delta", {"a": {"clean_accuracy": [clean], "attack_success_rate": [0.5]}}, group=group)

    figure = artefact_figures._trade_off(outcome("table4", [one("wide", 0.9), one("deep", 0.05)], datasets=("a",)))
    for ax in figure.axes:
        assert ax.get_xlim()[0] < 5 and ax.get_xlim()[1] == 103
