"""Verdicts on constructed runs, with statistics computed by hand."""

import dataclasses
import json

import pytest
from outcomes import outcome, row

from reno_tf import records
from reno_tf.reproduction import paper, verdicts
from reno_tf.reproduction.claims import CLAIMS
from reno_tf.reproduction.drawing.rendering import render_template
from reno_tf.reproduction.judging import RULES, _measure, judge, t_interval
from reno_tf.reproduction.result_types import JudgedClaim, Measure

# Fixed before the runs: whoever moves a threshold changes this list too.
_RULES = [
    "ASR of fine-tuning − its error rate under uniform noise of the same size > 20 points"
    " and ASR of fine-tuning − re-training > 20 points",
    "ASR of DELTA − re-training > 20 points and clean accuracy of DELTA − re-training > 0 points",
    "clean accuracy of Renofeation − DELTA > -3 points and ASR of Renofeation − re-training < 5 points",
    "(ASR of DELTA − DELTA-R) / (ASR of DELTA − Renofeation), of means over the data sets > 0.5",
    "feature distance of DELTA-R + dropout − DELTA-R > 0 and ASR of DELTA-R + dropout − DELTA-R < 0 points"
    " and feature distance of DELTA-R + SWA − DELTA-R > 0 and ASR of DELTA-R + SWA − DELTA-R < 0 points",
    "clean accuracy of DELTA − Renofeation with 33 % of the training data, less the same with all > 0 points",
    "Spearman's rho of ASR and feature distance over Table 2's methods × data sets < 0"
    " and Spearman's rho of ASR and weight distance over Table 2's methods × data sets < 0",
]
# DELTA's ASR in percent: less re-training's 10 it is 22, 24, 26, 28, 30 on average, and 16 on data set a.
_ON_A, _ON_B = (22, 24, 26, 28, 30), (42, 44, 46, 48, 50)


def _cell(asr, clean=0.9):
    return {"attack_success_rate": [None if x is None else x / 100 for x in asr], "clean_accuracy": [clean] * len(asr)}


def _second(delta_a=_ON_A, delta_b=_ON_B, *, clean=0.9):
    """Claim 2 from Table 2 alone."""
    delta = row("delta", {"a": _cell(delta_a, clean), "b": _cell(delta_b, clean)})
    retraining = row("retraining", {data: _cell([10] * 6, 0.85) for data in "ab"})
    return judge({"table2": outcome("table2", [delta, retraining])})[1]


def test_a_claims_statistic_has_the_figures_of_its_unit():
    assert [verdicts.statistic(value, "points") for value in (-6.28, None)] == ["-6.3", "–"]
    assert verdicts.statistic(0.63064, "") == "0.631"


def test_the_rules_are_these():
    assert [claim.rule for claim in judge({})] == _RULES
    assert [claim.number for claim in judge({})] == [1, 2, 3, 4, 5, 6, 7]


def _matched():
    """Claims 3 to 5 of runs that match the features, which tell the other way than those of the usual regime."""
    usual = {"delta": ([60] * 5, 0.9), "delta_r": ([10] * 5, 0.9), "renofeation": ([10] * 5, 0.9)}
    usual |= {"retraining": ([8] * 5, 0.9)}
    long = {"delta_r": ([65] * 5, 0.9), "renofeation": ([30] * 5, 0.9), "retraining": ([5] * 5, 0.9)}
    rows = [row(name, {data: _cell(*cells) for data in "ab"}) for name, cells in usual.items()]
    again = [row("delta", {"a": _cell(*usual["delta"])})]
    again += [row(name, {"a": _cell(*cells)}, variant="@matched") for name, cells in long.items()]
    outcomes = {"methods": outcome("methods", rows), "table7_matched": outcome("table7_matched", again, datasets=["a"])}
    return judge(outcomes)


def test_where_features_are_matched_the_claims_are_judged_again():
    judged = _matched()
    assert [(claim.number, claim.matched) for claim in judged[7:]] == [(3, True), (4, True), (5, True)]
    assert [claim.rule for claim in judged[7:]] == _RULES[2:5]
    (_, usual), (_, again) = judged[2].parts, judged[7].parts
    assert (usual.verdict, usual.mean) == ("held", pytest.approx(2))
    assert (again.verdict, again.mean) == ("not held", pytest.approx(25))
    assert usual.per_dataset.keys() == {"a", "b"} and again.per_dataset.keys() == {"a"}
    # DELTA itself starts where features are matched: (60 - 65) / (60 - 30) of its runs.
    assert judged[3].parts[0].mean == pytest.approx(1) and judged[8].parts[0].mean == pytest.approx(-1 / 6)
    # The paper's own runs are of that regime.
    assert again.paper == judged[7].parts[1].paper and again.paper.mean == usual.paper.mean


def test_both_regimes_stand_side_by_side():
    text = render_template("claims_overview.md.j2", judged=_matched())
    lines = text.splitlines()
    assert "where features are matched" in lines[0] and {line.count("|") for line in lines} == {7}
    assert "| **held** | – | **not held** | **a** |" in lines[5]
    alone = render_template("claims_overview.md.j2", judged=_matched()[:7])
    assert "matched" not in alone and {line.count("|") for line in alone.splitlines()} == {5}


def test_t_interval_by_hand():
    # Standard deviation sqrt(10), t(0.975, 4) = 2.776445: half the width is 2.776445 * sqrt(10 / 5).
    assert t_interval([22, 24, 26, 28, 30]) == pytest.approx([26 - 3.926486, 26 + 3.926486], abs=1e-5)
    assert t_interval([1.0]) is None


def test_an_interval_ends_where_the_statistic_does():
    rho, _ = list(CLAIMS.values())[6]
    low, high = t_interval(values := [-1.0, -1.0, -0.4, -0.9, -1.0])
    assert low < -1 and _measure(rho, dict(enumerate(values))).interval == (-1, high)


def test_held_on_average_shows_the_data_set_where_it_is_not():
    claim = _second()
    attack, clean = claim.parts
    assert claim.verdict == "held" and claim.fails_on == ("a",)
    assert attack.mean == pytest.approx(26) and attack.n_seeds == 5
    assert attack.interval == pytest.approx([22.073514, 29.926486], abs=1e-5)
    for data, mean, claimed in (("a", 16, False), ("b", 36, True)):
        one = attack.per_dataset[data]
        assert (one.mean, one.n_seeds, one.claimed_side) == (pytest.approx(mean), 5, claimed)
        assert one.interval == pytest.approx([mean - 3.926486, mean + 3.926486], abs=1e-5)
    assert clean.mean == pytest.approx(5) and clean.interval == pytest.approx([5, 5])


def test_one_part_on_the_other_side_is_enough():
    claim = _second(clean=0.8)
    assert claim.verdict == "not held" and [part.verdict for part in claim.parts] == ["held", "not held"]
    assert claim.reason == "clean accuracy of DELTA − re-training: the interval lies on the other side"
    assert claim.fails_on == ("a", "b")


def test_a_part_that_does_not_hold_outweighs_an_undecided_one():
    claim = _second([x - 4 for x in _ON_A], [x - 4 for x in _ON_B], clean=0.8)
    assert [part.verdict for part in claim.parts] == ["undecided", "not held"]
    assert claim.verdict == "not held"


def test_exactly_at_the_threshold_is_the_other_side():
    assert _second(clean=0.85).parts[1].verdict == "not held"


def test_undecided_while_the_threshold_is_within():
    claim = _second([x - 4 for x in _ON_A], [x - 4 for x in _ON_B])
    assert claim.verdict == "undecided" and claim.parts[0].interval[0] < 20 < claim.parts[0].mean
    assert claim.reason == "ASR of DELTA − re-training: the threshold lies within the interval"


def test_a_seed_counts_if_every_data_set_has_it():
    claim = _second(_ON_A, _ON_B[:4])
    attack = claim.parts[0]
    assert claim.verdict == "undecided" and attack.n_seeds == 4 and attack.mean == pytest.approx(25)
    assert attack.per_dataset["a"].n_seeds == 5
    assert "4 of the 5 seeds needed are complete, delta has 4" in claim.reason


def test_undefined_attack_success_decides_nothing():
    claim = _second([*_ON_A[:4], None])
    assert claim.verdict == "undecided" and claim.parts[0].mean is None
    assert "undefined for seed 4" in claim.reason
    undefined = Measure(mean=None, interval=None, n_seeds=5, claimed_side=None)
    assert claim.parts[0].per_dataset["a"] == undefined


def test_no_run_at_all_is_undecided():
    judged = judge({"table2": outcome("table2", [row("delta", {}), row("retraining", {})])})
    assert {claim.verdict for claim in judged} == {"undecided"}
    assert "0 of the 5 seeds" in judged[1].reason and "finetune" in judged[0].reason
    assert judge({})[1].verdict == "undecided"


def test_runs_are_shared_between_artefacts_of_the_same_network():
    delta = row("delta", {data: _cell([60] * 5) for data in "ab"})
    other = row("retraining", {data: _cell([1] * 5) for data in "ab"}, network="resnet50")
    ours = row("retraining", {data: _cell([30] * 5) for data in "ab"})
    part = judge({"table2": outcome("table2", [delta]), "table4": outcome("table4", [delta, ours, other])})[1].parts[0]
    assert part.mean == pytest.approx(30)


def test_the_first_claim_counts_from_the_noise_rate():
    cell = {"attack_success_rate": [0.5] * 5, "noise_success_rate": [0.1, 0.1, 0.1, 0.1, 0.2]}
    claim = judge({"table2": outcome("table2", [row("finetune", {"a": cell})], datasets=["a"])})[0]
    assert claim.parts[0].mean == pytest.approx(38) and claim.parts[0].verdict == "held"
    assert claim.parts[1].verdict == claim.verdict == "undecided"


def _fourth(renofeation):
    rates = {"delta": (80, 60), "delta_r": (30, 30), "renofeation": renofeation}
    rows = [row(run, {"a": _cell([a] * 5), "b": _cell([b] * 5)}) for run, (a, b) in rates.items()]
    return judge({"table7": outcome("table7", rows)})[3]


def test_the_share_is_of_means_over_data_sets():
    part = _fourth((10, 10)).parts[0]
    assert part.mean == pytest.approx(40 / 60)  # Not the mean of 5/7 and 3/5.
    assert part.per_dataset["a"].mean == pytest.approx(5 / 7)
    assert part.per_dataset["b"].mean == pytest.approx(3 / 5)


def test_no_share_of_nothing():
    claim = _fourth((80, 60))
    assert claim.verdict == "undecided" and "undefined for seed 0, 1, 2, 3, 4" in claim.reason


def test_the_fifth_claim_reads_features_and_attack():
    def cell(distance, asr):
        return {data: {"feature_distance": [distance] * 5, "attack_success_rate": [asr] * 5} for data in "ab"}

    rows = [
        row("delta_r", cell(0.5, 0.4)),
        row("delta_r", cell(0.7, 0.3), variant="+dropout"),
        row("delta_r", cell(0.4, 0.1), variant="+swa"),
    ]
    claim = judge({"table7": outcome("table7", rows)})[4]
    assert [part.mean for part in claim.parts] == pytest.approx([0.2, -10, -0.1, -30])
    assert [part.verdict for part in claim.parts] == ["held", "held", "not held", "held"]
    assert claim.verdict == "not held"


def test_the_sixth_claim_compares_gaps():
    rates = {("delta", "@0.33"): 0.7, ("renofeation", "@0.33"): 0.6, ("delta", ""): 0.9, ("renofeation", ""): 0.85}
    rows = [row(m, {data: _cell([0] * 5, clean) for data in "ab"}, variant=v) for (m, v), clean in rates.items()]
    claim = judge({"table5": outcome("table5", rows[:2]), "table2": outcome("table2", rows[2:])})[5]
    assert claim.parts[0].mean == pytest.approx(10 - 5) and claim.verdict == "held"


def test_rank_correlation_over_methods_and_data_sets():
    # Sum of squared rank differences 320, n = 10: rho = 1 - 6 * 320 / 990.
    success = {"linear": 0.9, "finetune": 0.6, "l2sp": 0.7, "delta": 0.8, "retraining": 0.1}
    distance = {"linear": 0, "finetune": 3, "l2sp": 2, "delta": 1, "retraining": 4}

    def cell(method, offset):
        distances = {key: [distance[method] + 10 * offset] * 5 for key in ("feature_distance", "weight_distance")}
        return {"attack_success_rate": [success[method] + offset] * 5, **distances}

    rows = [row(method, {"a": cell(method, 0), "b": cell(method, 0.05)}) for method in success]
    claim = judge({"figure1": outcome("figure1", rows)})[6]
    assert [part.mean for part in claim.parts] == pytest.approx([1 - 1920 / 990] * 2)
    assert claim.parts[0].per_dataset["b"].mean == pytest.approx(-1) and claim.verdict == "held"
    for one in rows:
        one.cells["b"]["weight_distance"] = [None] * 5
    assert judge({"figure1": outcome("figure1", rows)})[6].parts[1].mean is None


def test_the_papers_numbers_beside():
    parts = {part.statistic: part.paper for claim in judge({}) for part in claim.parts}
    # From the averages that Table 4 prints: 74.27 for DELTA, 6.87 for Renofeation, 5.54 for re-training.
    assert parts["ASR of DELTA − re-training"].mean == pytest.approx(74.27 - 5.54, abs=0.01)
    share = parts["(ASR of DELTA − DELTA-R) / (ASR of DELTA − Renofeation), of means over the data sets"]
    assert share.mean == pytest.approx((74.27 - 31.764) / (74.27 - 6.87), abs=1e-3)
    assert parts["feature distance of DELTA-R + dropout − DELTA-R"].mean == pytest.approx(1.006 - 0.828)
    clean = parts["clean accuracy of Renofeation − DELTA"].per_dataset["dogs"]
    assert clean.mean == pytest.approx(78.11 - 84.39) and clean.claimed_side is False
    assert [name for name, numbers in parts.items() if numbers is None] == [
        "ASR of fine-tuning − its error rate under uniform noise of the same size",
        "Spearman's rho of ASR and feature distance over Table 2's methods × data sets",
        "Spearman's rho of ASR and weight distance over Table 2's methods × data sets",
    ]


def _page(judged):
    noted = outcome("methods", [], command="COMMAND", notes=("NOTE",))
    return render_template("claims.md.j2", judged=judged, outcome=noted, rules=RULES, held="held")


def test_what_does_not_hold_stands_as_plainly_as_what_does():
    judged = [_second(clean=0.8), dataclasses.replace(_second(), number=3)]
    text = _page(judged)
    assert "\n\nNOTE\n\n" in text and text.endswith("\n\n    COMMAND\n")
    table = text.split("\n\n")[1].splitlines()
    assert table[2].endswith("| **not held** | **a, b** |") and table[3].endswith("| **held** | **a** |")
    sections = text.split("\n## ")[1:]
    assert "**Not held.** clean accuracy of DELTA − re-training: the interval lies on the other side." in sections[0]
    assert "**Held.** **On the other side on: a.**" in sections[1]
    assert "| ASR of DELTA − re-training > 20 points | 26.0 | 22.1 to 29.9 | 5 | **held** | 68.7 |" in sections[1]
    assert "| ASR of DELTA − re-training | **16.0 (12.1 to 19.9), other side** | 36.0 (32.1 to 39.9) |" in sections[1]
    written = json.loads(json.dumps(records.to_json(judged), allow_nan=False))
    assert records.from_json(tuple[JudgedClaim, ...], written) == tuple(judged)


def test_the_paper_has_one_seed_and_decides_nothing():
    judged = judge(paper.outcomes())
    assert {claim.verdict for claim in judged} == {"undecided"}
    assert judged[2].fails_on == ("dogs",) and "**-6.3, other side**" in _page(judged)
