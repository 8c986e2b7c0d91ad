"""Tables of small outcomes, letter by letter."""

import csv
import dataclasses
import io
import re
import shutil
import subprocess

import pytest
from outcomes import outcome, row

from reno_tf.reproduction import paper
from reno_tf.reproduction.drawing import artefact_files, tables
from reno_tf.reproduction.result_types import MissingRun

_LATEX = shutil.which("pdflatex")


def _tables(outcome):
    return tables.tables(outcome, paper.outcomes().get(outcome.artefact))


def _explanations(outcome):
    return tables.explanations(outcome, paper.outcomes().get(outcome.artefact))


def _small(**more):
    """Two rows; the standard deviations are sqrt(2) * 1 = 1.4, and sqrt(2) * 3 = 4.2."""
    finetune = {
        "a": {"clean_accuracy": [0.80, 0.82], "attack_success_rate": [0.5, 0.56]},
        "b": {"clean_accuracy": [0.90, 0.90], "attack_success_rate": [0.3, 0.30]},
    }
    retraining = {"a": {"clean_accuracy": [0.70], "attack_success_rate": [None]}}
    rows = [row("finetune", finetune, label="Fine_tuning | x"), row("retraining", retraining, label="Re-training")]
    return outcome("figure4", rows, title="50 % & more", **more)


def test_markdown_of_a_small_outcome():
    missing = [
        MissingRun("r-b-0", "no\nmemory"),
        MissingRun("r-b-1", "no\nmemory"),
        MissingRun("x", "late"),
    ]
    assert artefact_files.texts(_small(missing=missing, chosen={"a": 0.5}))["md"] == (
        "# Figure 4: 50 % & more\n\n"
        "|  | metric | a | b | average | seeds |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| Fine_tuning \\| x | clean (%) | 81.0 ± 1.4 | 90.0 ± 0.0 | 85.5 ± 0.7 | 2 |\n"
        "|  | ASR (%) | 53.0 ± 4.2 | 30.0 ± 0.0 | 41.5 ± 2.1 | 2 |\n"
        "| Re-training | clean (%) | 70.0 | – | – | 1 |\n"
        "|  | ASR (%) | – | – | – | 0 |\n\n"
        "Mean ± standard deviation over the number of seeds given; the average over data sets is of the seeds that all"
        " of them have.\n\n"
        "The weight that the other tables use: 0.5 on a.\n\n"
        "Undefined, and left out: ASR of Re-training on a, seed 0.\n\n"
        "Missing runs (no memory): r-b-0, r-b-1.\n\n"
        "Missing runs (late): x.\n\n"
        "![50 % & more](figure4.png)\n\n"
        "    python main.py --mode=reproduce\n"
    )


def test_the_average_is_of_the_seeds_that_all_data_sets_have():
    cells = {"a": {"clean_accuracy": [0.2, 0.4, 0.9]}, "b": {"clean_accuracy": [0.5, 0.6], "seeds": [1, 2]}}
    table = outcome("figure4", [row("delta", cells, label="DELTA")], metrics=["clean_accuracy"])
    # Seed 1: (40 + 50) / 2, seed 2: (90 + 60) / 2: mean 60, standard deviation 30 / sqrt(2).
    (only,) = _tables(table)[0].rows
    assert only == ["DELTA", "clean (%)", "50.0 ± 36.1", "55.0 ± 7.1", "60.0 ± 21.2", "2–3"]


def test_equal_numbers_of_seeds_stand_in_the_note_alone():
    table = outcome(
        "figure4", [row("delta", {data: {"clean_accuracy": [0.5] * 3} for data in "ab"})], metrics=["clean_accuracy"]
    )
    assert "seeds" not in _tables(table)[0].header and "over 3 seeds;" in _explanations(table)[0]
    table = outcome("figure4", [row("delta", {})])
    assert _explanations(table)[0] == "No run is there." and _tables(table)[0].rows[0][2:] == ["–", "–", "–"]


def test_distances_keep_three_digits_of_the_largest():
    cells = {"a": {"feature_distance": [0.0123, 0.0125]}, "b": {"feature_distance": [0.002, 0.002]}}
    table = outcome("figure4", [row("delta", cells)], metrics=["feature_distance"])
    (only,) = _tables(table)[0].rows
    assert only[1:4] == ["feature distance", "0.0124 ± 0.0001", "0.0020 ± 0.0000"]


def _delta(data, group=""):
    cells = {name: {"clean_accuracy": [0.5], "attack_success_rate": [0.25]} for name in data}
    return row("delta", cells, label="DELTA", group=group)


def test_on_the_papers_data_its_numbers_stand_in_the_cells():
    table = outcome("table2", [_delta(["birds", "dogs"])], datasets=["birds", "dogs"])
    (block,) = _tables(table)
    assert block.rows[0] == ["DELTA", "clean (%)", "50.0 [78.75]", "50.0 [84.39]", "50.0"]
    assert "In brackets: the paper's numbers." in _explanations(table)
    every = ["dogs", "birds", "actions", "indoor", "flowers"]
    (block,) = _tables(outcome("table4", [_delta(every, "ResNet-18")], datasets=every))
    assert block.rows[1][-1] == "25.0 [74.27]"  # The average that Table 4 prints.


def test_on_other_data_the_papers_table_stands_below():
    first, second = _tables(outcome("table4", [_delta("ab", "ResNet-18")]))
    assert first.rows[0] == ["ResNet-18", "DELTA", "clean (%)", "50.0", "50.0", "50.0"]
    assert first.rows[1][:3] == ["", "", "ASR (%)"]
    assert second.heading == "The paper (other data; the averages are taken here):" and len(second.rows) == 24
    assert second.header == ["", "", "metric", "dogs", "birds", "actions", "indoor", "flowers", "average"]
    assert second.rows[6][:2] == ["ResNet-50", "DELTA"] and second.rows[8][:2] == ["", "Renofeation"]
    assert second.rows[9][2:] == ["ASR (%)", "5.08", "3.96", "3.33", "7.12", "2.39", "4.38"]


def test_a_label_stands_again_under_a_new_group():
    rows = [_delta("ab", group) for group in ("33 %", "66 %")]
    first, _ = _tables(outcome("table5", rows, metrics=["clean_accuracy"]))
    assert [line[:2] for line in first.rows] == [["33 %", "DELTA"], ["66 %", "DELTA"]]


def test_csv_reads_back():
    table = outcome("table7", [dataclasses.replace(_delta("ab"), label="DELTA-R", method="delta_r")])
    lines = list(csv.DictReader(io.StringIO(artefact_files.texts(table, paper.outcomes()["table7"])["csv"])))
    assert len(lines) == 2 * (2 + 5)
    by_place = {(line["dataset"], line["metric"]): line for line in lines}
    names = ["artefact", "group", "label", "method", "network", "variant", "dataset", "metric", "unit"]
    assert list(lines[0]) == [*names, "mean", "std", "seeds", "paper"]
    values = ["table7", "", "DELTA-R", "delta_r", "resnet18", "", "a", "attack_success_rate", "%", "25", "", "1", ""]
    assert list(by_place["a", "attack_success_rate"].values()) == values
    papers_row = by_place["actions", "clean_accuracy"]
    assert (papers_row["mean"], papers_row["seeds"], float(papers_row["paper"])) == ("", "0", 76.79)
    spread = next(csv.DictReader(io.StringIO(artefact_files.texts(_small())["csv"])))
    assert float(spread["mean"]) == pytest.approx(81) and float(spread["std"]) == pytest.approx(2**0.5, rel=1e-5)
    assert spread["label"] == "Fine_tuning | x" and spread["seeds"] == "2"


def test_latex_is_escaped_and_whole():
    text = artefact_files.texts(_small(missing=[MissingRun("a_b@33%", "λ ≥ {1} \\ # $")]))["tex"]
    comment, *lines = text.splitlines()
    assert comment == "% python main.py --mode=reproduce"
    assert r"\caption{50 \% \& more. Mean $\pm$ standard" in text and r"a\_b@33\%" in text
    assert r"Fine\_tuning | x & clean (\%) & 81.0 $\pm$ 1.4 & 90.0 $\pm$ 0.0 & 85.5 $\pm$ 0.7 & 2 \\" in lines
    assert r"{llrrrr}" in text and all(line.count(" & ") == 5 for line in lines if line.endswith(r"\\"))
    body = "\n".join(lines)
    assert not re.search(r"(?<!\\)[%#_]", re.sub(r"\\label\{.*\}", "", body))
    bare = re.sub(r"\\[{}]", "", body)
    assert bare.count("{") == bare.count("}") and re.sub(r"\\\$", "", body).count("$") % 2 == 0
    for name in ("table", "tabular"):
        assert body.count(f"\\begin{{{name}}}") == body.count(f"\\end{{{name}}}") == 1


@pytest.mark.skipif(_LATEX is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("build", [_small, lambda: outcome("table4", [_delta("ab", "ResNet-18")])])
def test_latex_compiles(tmp_path, build):
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + "\n"
    (tmp_path / "x.tex").write_text(document + artefact_files.texts(build())["tex"] + r"\end{document}")
    subprocess.run([_LATEX, "-halt-on-error", "x.tex"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
