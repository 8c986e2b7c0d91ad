"""paper.json against the text of the paper's tables, number by number and in both directions."""

import re
from pathlib import Path

import pytest

from reno_tf.reproduction import paper
from reno_tf.reproduction.artefacts import ARTEFACTS

_METRICS = {"CLEAN": "clean_accuracy", "ASR": "attack_success_rate", "FEATURE LOSS": "feature_distance"}
_NUMBER = r"(\d+\.\d\d|-)"


def _text():
    """{table: its lines}."""
    parts = re.split(r"^Table (\d)\n", (Path(__file__).parents[1] / "paper_tables.txt").read_text(), flags=re.M)
    return {f"table{number}": body.splitlines() for number, body in zip(parts[1::2], parts[2::2], strict=True)}


def _printed(table):
    """[(heading, metric, numbers)]; heading: the lines since the last numbers, or the last such if there are none."""
    lines_read, since, heading = [], [], ()
    for line in _text()[table][1:]:
        if match := re.fullmatch(rf"([A-Z ]+?)((?: {_NUMBER})+)", line):
            heading, since = tuple(since) or heading, []
            lines_read.append((heading, _METRICS[match[1]], match[2].split()))
        else:
            since.append(line)
    return lines_read


def _from_json(table):
    """The same from paper.json; the group only where it changes, as the text has it."""
    lines_read, group = [], ""
    for row in paper.printed_tables()[table]["rows"]:
        new = [row["group"]] if row["group"] != group else []
        heading = tuple(re.sub("(?<=[0-9]) %", "%", text).upper() for text in (*new, row["label"]))
        group = row["group"]
        metrics = [metric for metric in _METRICS.values() if metric in row]
        for metric in metrics:
            average = [f"{row[key]:.2f}"] if (key := f"{metric}_average") in row else ["-"] * (table == "table4")
            lines_read.append((heading, metric, [*(f"{value:.2f}" for value in row[metric]), *average]))
        assert row.keys() <= {"group", "label", *metrics, *(f"{metric}_average" for metric in metrics)}
    return lines_read


@pytest.mark.parametrize("table", ["table2", "table4", "table5", "table6", "table7"])
def test_every_number_is_the_papers(table):
    header = [name.rstrip("s").upper() for name in paper.printed_tables()[table]["datasets"]]
    assert _text()[table][0].split() == header + ["AVERAGE"] * (table == "table4")
    assert tuple(paper.printed_tables()[table]["datasets"]) == paper.DATASETS
    assert _from_json(table) == _printed(table)


def test_paper_json_holds_nothing_else():
    assert paper.printed_tables().keys() == _text().keys()
    values = sum(len(re.findall(r"\d+\.\d\d", line)) for lines in _text().values() for line in lines)
    assert values == sum(
        n != "-" for table in paper.printed_tables() if table != "table3" for *_, ns in _from_json(table) for n in ns
    )


def test_the_data_sets_are_those_of_table_3():
    lines = _text()["table3"][1:]
    for row, line in zip(paper.printed_tables()["table3"]["rows"], lines, strict=True):
        name, task, train, test, classes, short = re.fullmatch(
            r"(.+?) \[\d+\] (.+?) (≈? ?\d+) (≈? ?\d+) (\d+) (\w+)", line
        ).groups()
        counts = {"train_per_class": train, "test_per_class": test, "classes": classes}
        assert {key: row[key] for key in counts} == {key: int(text.strip("≈ ")) for key, text in counts.items()}
        assert row["approximate"] == [key for key, text in counts.items() if "≈" in text]
        assert (row["full_name"].upper(), row["task"].upper(), row["abbreviation"].upper()) == (name, task, short)
        assert row["name"] in paper.DATASETS


@pytest.mark.parametrize("name", paper.outcomes())
def test_every_row_that_the_paper_prints_finds_its_numbers(name):
    """Figure 3's come from Tables 2 and 7; of its combinations with dropout and SWA those of DELTA-R alone."""
    unprinted = [(row.group, row.label) for row in paper.outcomes()[name].rows if row.cells.keys() != {*paper.DATASETS}]
    if name == "methods":  # The defences that came later.
        assert {label for _, label in unprinted} == {
            *("ReMoS", "SeaM", "Weight variance", "Neuron distance", "PubDef", "Inoculation", "Vaccination"),
            "DELTA adv. trained, ε growing",
        }
    elif name == "defences":
        assert {("ResNet-18", "SeaM"), ("MobileNetV2", "Linear classifier")} <= {*unprinted}
    elif name in ("figure3", "figure3_matched"):
        assert unprinted == [(group, x) for group in ("DELTA", "Re-training") for x in ("DO", "SWA", "DO + SWA")]
    else:
        assert unprinted == []


def test_every_printed_row_is_in_its_artefact():
    for name in ("table2", "table4", "table5", "table6", "table7"):
        ours = [(row.group, row.label) for row in ARTEFACTS[name](paper.SCALE).rows]
        assert [(row["group"], row["label"]) for row in paper.printed_tables()[name]["rows"]] == ours


def test_outcomes_are_fractions_of_the_right_rows():
    rows = {(row.group, row.label): row.cells for row in paper.outcomes()["figure3"].rows}
    assert rows["DELTA", "plain"]["birds"]["attack_success_rate"] == pytest.approx([0.5883])
    assert rows["DELTA-R", "DO + SWA"]["dogs"]["clean_accuracy"] == pytest.approx([0.7811])
    assert rows["DELTA-R", "SWA"]["actions"]["attack_success_rate"] == pytest.approx([0.2362])
    assert rows["Re-training", "plain"]["flowers"]["clean_accuracy"] == pytest.approx([0.8738])
    seventh = {row.label: row.cells for row in paper.outcomes()["table7"].rows}
    assert seventh["Renofeation"]["birds"]["feature_distance"] == [1.68]
    network = {(row.group, row.label): row.network for row in paper.outcomes()["table4"].rows}
    assert network["MobileNetV2", "DELTA"] == "mobilenetv2"
