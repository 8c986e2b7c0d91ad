"""The results page, from made-up run folders: its numbers, its links, what it leaves out."""

import base64
import hashlib
import io
import json
import re
import urllib.parse
from pathlib import Path

import pytest
from outcomes import CLAIM, figure3
from pages import without_pictures
from PIL import Image
from run_folders import report, results, write_run

from reno_tf.errors import UserError
from reno_tf.reporting import charts, finished_runs
from reno_tf.reporting.reading import inside
from reno_tf.reporting.rendering import webp

_HOSTILE = '"><script>alert(1)</script>&'


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(folder, content, page) of five runs of three methods, an outcome, a claim and what cannot be read."""
    folder = tmp_path_factory.mktemp("runs")
    write_run(folder / "delta-digits-0", clean=0.8, asr=0.6)
    points = [(0.0, 0.0, 0.0), (0.1, 0.75, 0.25)]
    write_run(folder / "deep" / "delta-digits-1", seed=1, clean=0.9, asr=0.7, points=points)
    write_run(folder / "a #b?%" / "delta+swa-resnet18_cifar-digits-0", clean=0.7, asr=None, config={"swa": True})
    write_run(folder / "retraining-digits-0", method="retraining", seconds={})
    write_run(folder / "own", method="renofeation", data="greek", split="validation", asr=0.1)
    (folder / "cut").mkdir()
    (folder / "cut" / "results.json").write_text('{"method": ')
    (folder / "old").mkdir()
    (folder / "old" / "results.json").write_text(json.dumps(results() | {"clean_accuracy": 86.7}))
    write_run(folder / "bent")
    (folder / "bent" / "config.json").write_bytes(b"\xff\xfe")
    (folder / "delta-digits-0" / "figures" / "examples.png").write_bytes(b"no picture")
    (folder / "own" / "report.html").unlink()
    (folder / "reproduce" / "results").mkdir(parents=True)
    (folder / "reproduce" / "results" / "figure3.json").write_text(json.dumps(figure3()))
    (folder / "reproduce" / "results" / "other.json").write_text("[1]")
    (folder / "reproduce" / "results" / "table2.json").write_text('{"artefact": "table2", "rows": 7}')
    (folder / "reproduce" / "results" / "claims.json").write_text(json.dumps([CLAIM]))
    (folder / "results").mkdir()
    (folder / "results" / "claims.json").write_text("[")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    content, page = report(folder)
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    after.pop(folder / "index.html")
    assert after == before
    return folder, content, page


def test_each_run_is_a_row_with_its_numbers(built):
    page = built[2]
    start = ("delta", "", "resnet18_cifar", "digits")
    assert page.row(*start, "0")[5:] == ["–", "80.0", "60.0 55.0–65.0", "12.5", "0.0123", "61", "delta-digits-0"]
    assert page.row(*start, "1")[5:9] == ["75.0 50.0–80.0", "90.0", "70.0 65.0–75.0", "12.5"]
    assert page.row("delta", "+swa")[5:9] == ["–", "70.0", "undefined", "12.5"]
    assert page.row("retraining")[10] == "–"
    assert page.row("renofeation")[3] == "greek (validation)"
    assert sum(tag == "tr" and "data-run" in attributes for tag, attributes in page.tags) == 5


def test_values_to_sort_by_stand_beside_those_to_read(built):
    rows = built[1].split("<tr ")[1:]
    values = [re.findall('data-value="(.*?)"', row) for row in rows]
    assert ["", "0.8", "0.6", "0.125", "0.0123", "61.4"] in values
    assert ["", "0.7", "", "0.125", "0.0123", "61.4"] in values


def test_needs_no_network_and_all_links_lead_somewhere(built):
    folder, content, page = built
    assert not re.search(r"(https?:)?//[a-z]|@import|url\(", without_pictures(content))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [attributes[key] for _, attributes in page.tags for key in ("href", "src") if key in attributes]
    assert any(link.startswith("data:image/webp;base64,") for link in links)
    reports = [link for link in links if not link.startswith(("#", "data:"))]
    assert len(set(reports)) == 4  # The fifth run has no report.
    for link in links:
        if link.startswith("#"):
            assert link[1:] in ids
        elif not link.startswith("data:"):
            assert (folder / urllib.parse.unquote(urllib.parse.urlsplit(link).path)).is_file()


def test_the_page_may_run_its_own_script_and_load_nothing(built):
    _, content, page = built
    (policy,) = [attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes]
    (script,) = re.findall(r"<script>(.*?)</script>", content, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert allowed == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
    }
    handlers = [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert not handlers  # They would be refused, so nothing may need them.


def test_what_cannot_be_read_is_named_with_the_reason(built, capsys):
    left_out = built[1].split('<section id="skipped">')[1].split("</section>")[0]
    for name, why in {
        "cut/results.json": "is damaged",
        "old/results.json": "is of another version (ValueError: 86.7 where a number from 0 to 1 should be)",
        "bent/results.json": "config.json is damaged",
        "delta-digits-0/figures/examples.png": "cannot identify image",
        "reproduce/results/table2.json": "is of another version",
        "results/claims.json": "is damaged",
    }.items():
        assert re.search(f"<code>{re.escape(name)}</code>[^<]*{re.escape(why)}", left_out), name
    assert left_out.count("<li>") == 6
    report(built[0])
    said = f"report in {built[0] / 'index.html'}; runs: 5; files left out, which the page names: 6\n"
    assert capsys.readouterr().out == said


def test_outcome_and_claim_are_shown(built):
    _, content, page = built
    assert page.row("DELTA", "DO") == ["DELTA", "DO", "clean (%)", "85.0 ± 7.1", "85.0 ± 7.1", "2"]
    assert page.row("", "", "ASR (%)", "50.0") == ["", "", "ASR (%)", "50.0", "50.0", "1"]
    assert "Undefined, and left out: ASR of DELTA DO on greek, seed 1." in content
    assert page.row("", "DO", "clean (%)", "81.21")[-1] == "81.92"  # The average of what the paper prints.
    assert content.count("<p>NOTE</p>") == 1 and "The paper (other data; the averages are taken here):" in content
    assert "<b>1</b> not held" in content and "<b>0</b> held" in content and "<b>0</b> undecided" in content
    claim = content.split('<article class="claim">')[1].split("</article>")[0]
    for text in ("−5.04", "−6.50 to −3.60", "&gt; −3 points", "<dd>−1.30</dd>", 'class="verdict not-held"', "✗"):
        assert text in claim, text
    assert '<span class="value">−1.50</span>' in claim and "on the claimed side</span>" in claim


def test_charts_name_runs_and_means(built):
    titles = built[2].titles
    assert (
        "delta on digits, resnet18_cifar, seed 1: worst case 75.0 %, clean 90.0 %, ASR 70.0 %, noise 12.5 %" in titles
    )
    # One of the two has no worst case, so there is no mean of it.
    assert "delta on digits, resnet18_cifar, mean of 2 seeds: clean 85.0 %, ASR 65.0 %, noise 12.5 %" in titles
    assert "delta, epsilon 0.1, mean of 2 seeds: ASR 50.0 %, noise 18.8 %" in titles
    assert "DELTA DO: 85.0, mean of 2 seeds" in titles and "DELTA DO: 50.0, mean of 1 seed" in titles
    assert not any("+swa" in title for title in titles)  # No ASR to place it by, and no plain method.


def test_the_same_runs_are_the_same_bytes(built):
    assert report(built[0])[0] == built[1]


def test_no_name_can_leave_its_place(tmp_path):
    config = {"model": {"student": _HOSTILE}}
    folder = tmp_path / _HOSTILE.replace("/", "")
    write_run(folder, method=_HOSTILE, data=_HOSTILE, config=config, versions={"tensorflow": _HOSTILE})
    hostile = figure3(artefact=_HOSTILE, title=_HOSTILE, missing=[{"run": _HOSTILE, "why": _HOSTILE}])
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text(json.dumps(hostile))
    (tmp_path / "results" / "claims.json").write_text(
        json.dumps([CLAIM | {"statement": _HOSTILE, "verdict": _HOSTILE}])
    )
    content, page = report(tmp_path)
    assert sum(tag == "script" for tag, _ in page.tags) == 1 and "<script>alert" not in content
    assert page.row(_HOSTILE)[1:3] == [_HOSTILE, _HOSTILE] and _HOSTILE in json.dumps(
        page.titles, ensure_ascii=False
    ).replace('\\"', '"')
    assert not page.open


def test_a_page_of_anothers_is_not_written_over(tmp_path):
    write_run(tmp_path / "a")
    (tmp_path / "index.html").write_text("<title>My home</title>")
    with pytest.raises(UserError, match="index.html is not a page of this project; move it"):
        report(tmp_path)
    assert (tmp_path / "index.html").read_text() == "<title>My home</title>"
    (tmp_path / "index.html").unlink()
    assert report(tmp_path) is not None and report(tmp_path) is not None  # Its own one is.


def test_no_run_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match=f"no finished run in {tmp_path}; this makes one: python main.py --method="):
        report(tmp_path)
    with pytest.raises(UserError, match="no finished run in"):
        report(tmp_path / "nowhere")
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(
        UserError, match=r"that can be read \(results.json is of another version \(KeyError: 'teacher'\)\)"
    ):
        report(tmp_path)
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("delta-digits-0", ""),
        ("delta-resnet18-digits-0", ""),
        ("delta+dropout+swa-resnet18-digits-0", "+dropout+swa"),
        ("delta@lambda=1e%2D05-other_net-digits-0", "@lambda=1e-05"),
        ("delta+swa-my%2Dset-0", "+swa"),
        ("delta+swa-digits-1", ""),  # results.json says that the seed is 0.
        ("delta_r+swa-digits-0", ""),
        ("t1", ""),
    ],
)
def test_the_variant_stands_in_the_folders_name(tmp_path, folder, expected):
    write_run(tmp_path / folder)
    assert finished_runs.read_run(tmp_path / folder / "results.json", tmp_path).variant == expected


def _made(**changes):
    fields = {"folder": "f", "method": "m", "variant": "", "network": "n", "data": "d", "seed": 0, "tried": 6}
    fields |= {"attack_name": "pixel", "epsilon": 0.1, "settings": "s", "curve": [], "versions": {}, "report": True}
    fields["measured"] = dict.fromkeys(finished_runs.RATES) | changes.pop("measured", {})
    return finished_runs.Run(**fields | changes)


def test_a_run_is_read_back(tmp_path):
    for name, changes in {"a": {"cache": "here"}, "b": {"cache": "there", "cache_limit": 1}, "c": {"steps": 7}}.items():
        write_run(tmp_path / name, config={"attack": changes}, suite=[{"name": "pixel"}] if name == "a" else [])
    a, b, c = (finished_runs.read_run(tmp_path / name / "results.json", tmp_path) for name in "abc")
    assert a.settings == b.settings != c.settings  # Where the adversarial set was kept changes no number.
    assert (a.attack, b.attack) == ("suite, ε = 0.1", "pixel, ε = 0.1")
    assert inside(Path("/runs/x/\udcff"), Path("/runs")) == "x/?"


@pytest.mark.parametrize("networks", ["model", "networks"])
def test_the_network_stands_in_the_config_of_either_form(tmp_path, networks):
    for name, named in {"a": {"student": "s", "backbone": "b"}, "b": {"student": "", "backbone": "b"}, "c": {}}.items():
        write_run(tmp_path / name)
        (tmp_path / name / "config.json").write_text(json.dumps({"format": 2, "seed": 0, networks: named}))
    runs = [finished_runs.read_run(tmp_path / name / "results.json", tmp_path) for name in "abc"]
    assert [run.network for run in runs] == ["s", "b", "resnet18_cifar"]


def test_a_picture_is_kept_without_loss_where_that_is_smaller(tmp_path):
    flat = Image.new("RGB", (64, 64), (3, 141, 59))
    for name, picture in {"flat": flat, "photo": Image.effect_noise((64, 64), 90).convert("RGB")}.items():
        picture.save(tmp_path / "a.png")
        again = Image.open(io.BytesIO(webp(tmp_path / "a.png")))
        assert again.format == "WEBP" and (again.convert("RGB").tobytes() == picture.tobytes()) == (name == "flat")


def test_runs_that_differ_in_the_seed_alone_are_one_series():
    runs = [_made(seed=2), _made(seed=1), _made(seed=1, folder="again"), _made(settings="t"), _made(variant="+swa")]
    series = [[(run.seed, run.folder) for run in one] for one in finished_runs.series(runs)]
    assert series == [[(1, "f"), (2, "f")], [(0, "f")], [(0, "f")]]


def test_examples_come_from_the_data_set_most_methods_share():
    runs = [
        _made(data="a", method="x"),
        _made(data="b", method="x", seed=3),
        _made(data="b", method="x", seed=2),
        _made(data="b", method="y", variant="+swa"),
        _made(data="b", method="y", seed=4),
    ]
    assert [(run.data, run.method, run.seed) for run in finished_runs.exemplary(runs)] == [("b", "x", 2), ("b", "y", 4)]


def test_an_epsilon_counts_where_every_seed_has_a_rate():
    def point(epsilon, asr, noise=0.0):
        return {"epsilon": epsilon, "attack_success_rate": asr, "noise_success_rate": noise}

    runs = [
        _made(seed=0, curve=[point(0.0, 0.0), point(0.1, 0.2), point(0.2, 0.5), point(0.4, None)]),
        _made(seed=1, curve=[point(0.0, 0.0), point(0.10000000149, 0.4), point(0.4, 1.0)]),
    ]
    chart = charts.curve_chart(finished_runs.series(runs))
    assert [(p["epsilon"], round(p["asr"], 6)) for p in chart["lines"][0]["points"]] == [(0.0, 0.0), (0.1, 30.0)]
    assert chart["lines"][0]["core"] == []  # Older runs have none.
    assert charts.curve_chart([[_made(curve=[point(0.1, 0.2)])]]) is None


def test_the_worst_case_of_the_core_is_a_line_where_every_seed_has_it():
    def point(epsilon, *rates):
        keys = ("attack_success_rate", "noise_success_rate", "core_worst_case_success_rate")
        return {"epsilon": epsilon} | dict(zip(keys, rates, strict=True))

    runs = [
        _made(seed=0, curve=[point(0.0, 0.0, 0.0, 0.0), point(0.1, 0.2, 0.1, 0.5), point(0.2, 0.5, 0.1, None)]),
        _made(seed=1, curve=[point(0.0, 0.0, 0.0, 0.0), point(0.1, 0.4, 0.1, 1.0), point(0.2, 0.5, 0.1, 1.0)]),
    ]
    (line,) = charts.curve_chart(finished_runs.series(runs))["lines"]
    assert line["core"] == [{"epsilon": 0.0, "rate": 0.0}, {"epsilon": 0.1, "rate": 75.0}]


def test_labels_are_moved_apart_and_keep_their_order():
    assert charts.spaced([50, 10, 52], 13, low=0, high=100) == [50, 10, 63]
    assert charts.spaced([98, 99, 97], 10, low=0, high=100) == [90, 100, 80]


def test_an_axis_maps_values_to_pixels():
    axis = charts.axis([3, 97], 40, 240)
    assert (axis.low, axis.high) == (0, 100) and (axis(0), axis(25), axis(100)) == (40, 90, 240)
    assert charts.axis([5], 0, 10)(5) == pytest.approx(5, abs=5)


def test_what_base64_holds_is_not_a_link():
    page = '<a href="x"><img src="data:image/webp;base64,aa//gg+http/url=="></a>'
    assert without_pictures(page) == '<a href="x"><img src="data:image/webp;base64,"></a>'


def _measured_run(folder, *, worst, attacks=6, **results):
    """A run as this version writes it: `worst` is its worst case, of that many attacks."""
    rates = {"worst_case_success_rate": worst, "worst_case": {"attacks": ["a"] * attacks}}
    rates["worst_case_success_rate_ci95"] = None if worst is None else [worst - 0.04, worst + 0.04]
    name = {"attack": {"preset": "pixel", "name": "pixel", "epsilon": 0.1}}
    write_run(folder, **name | rates | results)


def _heights(content):
    """{the kind of mark: its places on the vertical axis in percent}, by the axis's own ticks."""
    scatter = content.split('<svg class="scatter"')[1].split("</svg>")[0]
    ticks = re.findall(r'class="grid".*?y1="([\d.]+)".*?>(\d+)</text>', scatter)
    lines = {int(text): float(place) for place, text in ticks}
    marks = re.findall(r'<path class="(\w+)".*?translate\(\S+ ([\d.]+)\)', scatter)
    heights = {}
    for kind, place in marks:
        height = 100 * (lines[0] - float(place)) / (lines[0] - lines[100])
        heights.setdefault(kind, []).append(pytest.approx(height, abs=0.1))
    return heights


def _lead(content):
    return " ".join(re.sub("<.*?>", " ", content.split("<h1>")[1].split('<dl class="facts">')[0]).split())


def test_the_chart_has_the_worst_case_upwards_with_its_interval_and_the_asr_beside_it(tmp_path):
    _measured_run(tmp_path / "a", worst=0.66, asr=0.11)
    content, page = report(tmp_path)
    assert _heights(content) == {"worst": [66.0], "asr": [11.0]}
    (chart,) = [attributes for _, attributes in page.tags if attributes.get("class") == "scatter"]
    assert chart["role"] == "img" and "worst case" in chart["aria-label"] and "attack success" in chart["aria-label"]
    drawn = content.split('<svg class="scatter"')[1].split("</svg>")[0]
    assert "↑ worst case (%)" in drawn and drawn.count('class="interval"') == 1
    assert re.search(r"<figcaption>The worst case \(%, upwards\).*the paper&#39;s attack", content)
    switch = [attributes for tag, attributes in page.tags if tag == "input"]
    assert [(one["type"], one["name"], "checked" in one) for one in switch] == [("checkbox", "asr", True)]


def test_means_have_a_worst_case_where_every_seed_has_one(tmp_path):
    for seed, worst in enumerate((0.5, 0.7)):
        _measured_run(tmp_path / f"delta-digits-{seed}", seed=seed, worst=worst, asr=0.2)
    _measured_run(tmp_path / "linear-digits-0", method="linear", worst=0.9, asr=0.3)
    _measured_run(tmp_path / "linear-digits-1", method="linear", worst=None, seed=1, asr=0.5)
    content, page = report(tmp_path)
    assert [title.split(": ")[1] for title in page.titles if "mean of 2 seeds: worst" in title][:1] == [
        "worst case 60.0 %, clean 50.0 %, ASR 20.0 %, noise 12.5 %"
    ]
    assert "linear on digits, resnet18_cifar, mean of 2 seeds: clean 50.0 %, ASR 40.0 %, noise 12.5 %" in page.titles
    assert "1 of 4 runs has no worst case" in content


def test_a_page_of_runs_without_a_worst_case_says_so(tmp_path):
    write_run(tmp_path / "old", asr=0.25)
    content, _ = report(tmp_path)
    assert _heights(content) == {"asr": [25.0]} and "↑ attack success rate (%)" in content
    assert "No run here has a worst case" in _lead(content) and "1 of 1 run has no worst case" in content
    assert 'name="asr"' not in content  # There is nothing to switch.


def test_the_worst_case_is_the_first_number_of_the_table(tmp_path):
    _measured_run(tmp_path / "a", worst=0.5)
    _, page = report(tmp_path)
    header = page.row("method")
    assert header[4:8] == ["worst case (%)", "clean (%)", "ASR (%)", "noise (%)"]


def test_worst_cases_of_other_attacks_are_told_apart(tmp_path):
    _measured_run(tmp_path / "a", worst=0.5)
    content, page = report(tmp_path)
    assert "It is of 6 attacks." in content and "of attacks" not in page.row("method")
    quick = {"preset": "quick", "name": "pixel", "epsilon": 0.1}
    _measured_run(tmp_path / "b", method="linear", worst=0.25, attacks=4, attack=quick)
    content, page = report(tmp_path)
    column = page.row("method").index("of attacks")
    assert (page.row("delta")[column], page.row("linear")[column]) == ("6", "4")
    assert "quick, ε = 0.1" in page.row("linear") and "cannot be compared" in content
    assert ("linear’s" in _lead(content)) != ("delta’s" in _lead(content))  # They cannot be ranked beside each other.


@pytest.mark.parametrize("first", ["renofeation", "finetune"])
def test_the_first_paragraph_follows_from_the_runs(tmp_path, first):
    """Nothing that it says of the methods would be there if the runs said the opposite."""
    other = {"renofeation": "finetune", "finetune": "renofeation"}[first]
    _measured_run(tmp_path / "a", method=first, worst=0.10, asr=0.05, clean=0.9)
    _measured_run(tmp_path / "b", method=other, worst=0.80, asr=0.60, clean=0.8)
    lead = _lead(report(tmp_path)[0])
    assert "the weakness does not" not in lead and "accuracy passes over" not in lead
    least, most = lead.index(f"10.0 % of {first}’s"), lead.index(f"80.0 % of {other}’s")
    assert least < most and "the worst case of 6 attacks" in lead
    assert "attack alone 5.0 %, clean accuracy 90.0 %" in lead.replace("&#39;", "'")
    assert "above the ASR in 2 of 2 runs, by up to 20.0 points" in lead


def test_the_first_paragraph_says_where_the_worst_case_is_no_higher(tmp_path):
    _measured_run(tmp_path / "a", worst=0.25, asr=0.25, attacks=1)
    lead = _lead(report(tmp_path)[0])
    assert "above the ASR in none of 1 run." in lead and "worst case of 1 attack turns" in lead


def test_the_first_paragraph_names_a_few_of_many_methods(tmp_path):
    for number in range(9):
        _measured_run(tmp_path / f"{number}", method=f"m{number}", worst=0.1 + number / 12)
    lead = _lead(report(tmp_path)[0])
    assert (
        "the least and the most of 9" in lead
        and [f"m{n}’s" in lead for n in range(9)] == [True] * 3 + [False] * 3 + [True] * 3
    )


def test_another_attack_is_not_called_the_papers(tmp_path):
    _measured_run(tmp_path / "a", worst=0.5, attack={"preset": "disruption", "name": "disruption", "epsilon": 0.1})
    content, _ = report(tmp_path)
    shown = content.split('id="summary"')[1]
    assert "the attack disruption" in shown and "paper&#39;s attack" not in shown


def test_the_curve_over_epsilon_has_the_worst_case_too(tmp_path):
    _measured_run(tmp_path / "a", worst=0.75)
    points = json.loads((tmp_path / "a" / "curve.json").read_text())
    (tmp_path / "a" / "curve.json").write_text(json.dumps([p | {"core_worst_case_success_rate": 0.75} for p in points]))
    content, page = report(tmp_path)
    assert "delta, epsilon 0.1, mean of 1 seed: worst case 75.0 %" in page.titles
    assert "delta, mean of 1 seed, worst case of the core: 75.0 % at epsilon 0, 75.0 % at epsilon 0.1" in page.titles
    (panel,) = re.findall('aria-label="(Attack success over epsilon.*?)"', content)
    assert "worst case 75 % at 0.1" in panel


def test_a_student_that_got_nothing_right_is_on_the_page(tmp_path):
    _measured_run(tmp_path / "a", worst=None, asr=None, clean=0.0, points=())
    content, page = report(tmp_path)
    assert (
        page.row("delta")[4:7] == ["–", "0.0", "undefined"]
        and "scatter" not in content.split("<main>")[1].split("<script>")[0]
    )
