"""What sweeps wrote, on the results page."""

import json
import re

import pytest
from outcomes import CLAIM, figure3, outcome, row
from run_folders import report, write_run

from reno_tf.reporting import charts
from reno_tf.reproduction.drawing import bars, page_sections
from reno_tf.reproduction.drawing.rendering import load_template


def test_runs_that_chose_a_hyper_parameter_are_counted_not_shown(tmp_path):
    write_run(tmp_path / "sweep" / "delta-digits-0")
    for rate in ("0.1", "0.2"):
        trial = tmp_path / "sweep" / "trials" / "digits" / f"finetune@learning_rate={rate}"
        write_run(trial, method="finetune", split="validation")
    write_run(tmp_path / "trials" / "mine" / "linear-digits-0", method="linear")  # Only a folder of that name.
    (tmp_path / "sweep" / "trials" / "digits-grid").mkdir()
    (tmp_path / "sweep" / "trials" / "digits-grid" / "trials.json").write_text("{}")
    content, page = report(tmp_path)
    assert "2 runs by which hyper-parameters were chosen are not shown" in content
    assert page.row("linear") and page.row("delta") and "finetune" not in content.split("</nav>")[1]


def test_claims_of_two_scales_stand_apart(tmp_path):
    write_run(tmp_path / "delta-digits-0")
    for scale, verdict in (("embedded", "held"), ("paper", "not held")):
        (tmp_path / scale / "results").mkdir(parents=True)
        claim = CLAIM | {"scale": scale, "verdict": verdict}
        (tmp_path / scale / "results" / "claims.json").write_text(json.dumps([claim]))
    content, _ = report(tmp_path)
    embedded, paper_scale = content.split("At the scale “")[1:]
    assert embedded.startswith("embedded”") and "<b>1</b> held" in embedded and "<b>0</b> not held" in embedded
    assert paper_scale.startswith("paper”") and "<b>0</b> held" in paper_scale and "<b>1</b> not held" in paper_scale


@pytest.mark.parametrize(("side", "low", "high"), [(">", 100, 200), ("<", 0, 100)])
def test_a_claims_line_is_shaded_on_the_claimed_side(side, low, high):
    part = CLAIM["parts"][0] | {"side": side, "threshold": 2, "mean": 4, "interval": None, "paper": None}
    claim, _ = page_sections.claim_for_page(CLAIM | {"parts": [part | {"per_dataset": {}}]})
    drawn = load_template("bars_and_strips.j2").module.claim_chart(claim.parts[0], charts.Axis(0, 4, 0, 200, ()))
    assert f'class="claimed" x="{low}' in drawn and re.search(rf'width="{high - low}(\.0)?" height="36"', drawn)
    assert 'class="center" cx="200.0"' in drawn and "the paper" not in drawn
    nothing = {"mean": None, "interval": None, "n_seeds": 0, "claimed_side": None}
    empty = part | {"mean": None, "per_dataset": {"d": nothing}}
    assert page_sections.claim_for_page(CLAIM | {"parts": [empty]})[1] == [None]


def test_bars_stand_at_their_means():
    cell = {"clean_accuracy": [0.4, 0.6]}
    rows = [row("delta", {"d": cell}, label=label, group=group) for group in "gh" for label in ("x", "y")]
    chart = bars.bar_chart(outcome("table7", rows), "d", "clean_accuracy")
    assert [bar["mean"] for bar in chart["bars"]] == [50] * 4
    drawn = load_template("bars_and_strips.j2").module.bar_chart(chart, "")
    rects = re.findall('<rect x="(.*?)" y="(.*?)" width="(.*?)" height', drawn)
    lefts, tops, (width, *_) = zip(*[map(float, rect) for rect in rects], strict=True)
    assert set(tops) == {chart["y"](50)} and re.findall('class="bar (b.)"', drawn) == ["b0", "b1", "b0", "b1"]
    assert list(lefts) == sorted(lefts) and lefts[2] - lefts[1] > 1.5 * (lefts[1] - lefts[0])
    middles = [float(x) for x in re.findall('class="axis" text-anchor="middle" x="(.*?)"', drawn)]
    assert middles == pytest.approx([(lefts[i] + lefts[i + 1] + width) / 2 for i in (0, 2)], abs=0.1)
    assert bars.bar_chart(outcome("table7", rows), "elsewhere", "clean_accuracy") is None


def test_what_lacks_a_part_is_of_another_version():
    page_sections.outcome_for_page(figure3())
    for key in ("title", "scale", "command", "datasets", "metrics", "rows", "missing"):
        with pytest.raises(KeyError):
            page_sections.outcome_for_page({name: value for name, value in figure3().items() if name != key})
    page_sections.claim_for_page(CLAIM)
    for key in ("scale", "rule", "fails_on", "parts"):
        with pytest.raises(KeyError):
            page_sections.claim_for_page({name: value for name, value in CLAIM.items() if name != key})
