"""README.md shows what results/ holds."""

import json
import re
from pathlib import Path

import pytest
from conftest import load_tool

from reno_tf import files, records
from reno_tf.reporting.metrics import CLEAN, CORE, WORST
from reno_tf.reproduction.artefacts import ARTEFACTS
from reno_tf.reproduction.judging import judge
from reno_tf.reproduction.result_types import JudgedClaim, Outcome

_ROOT = Path(__file__).parents[1]
_RESULTS = _ROOT / "results" / "reproduce-embedded"


_PAGES = {
    "audits": "docs/tutorial.md",
    "photos_trained": "docs/photos.md",
    "methods": "docs/miniature.md",
    "claims": "docs/miniature.md",
    "worst": "docs/miniature.md",
    "attacks": "docs/attacks.md",
    "datasets": "docs/defences.md",
    "unseen": "docs/defences.md",
    "copied": "docs/defences.md",
    "transfer": "docs/defences.md",
    "matched": "docs/reproduction.md",
    "longer": "docs/reproduction.md",
    "precisions": "docs/speed.md",
}


@pytest.fixture(scope="module")
def tool():
    return load_tool("readme_tables")


@pytest.mark.parametrize(("table", "page"), _PAGES.items())
def test_the_tables_are_up_to_date(tool, table, page):
    text = getattr(tool, table)()
    assert len(text.splitlines()) > 5 and text in (_ROOT / page).read_text()


def test_clean_accuracy_is_paired_image_by_image(tool):
    """Of four images the one gets all right, the other two: 50 points, of the seed that both have."""
    own, other = ({"right": {"images": 4, "bits": bits}} for bits in ("f0", "c0"))
    others = {0: other}
    assert tool._less({0: own, 1: other}, others).startswith("50.0 [−")
    assert tool._less(others, others) == tool._less({2: own}, others) == ""


def test_the_readme_says_what_was_measured(tool):
    """Of the paper's method beside fine-tuning on the small tasks: its own attack, and the worst case."""
    cells = {row.split("`")[1]: row.split("|") for row in tool.worst().splitlines() if "`" in row.split("|")[1][:3]}
    measured = [cells[method][place] for place in (3, 5) for method in ("renofeation", "finetune")]
    (finding,) = re.findall(r"(?s)- \*\*One attack understates.*?\n- ", (_ROOT / "README.md").read_text())
    said = [int(number) for number in re.findall(r"(\d+) %", finding)]
    assert len(said) == 4 and all(
        abs(float(cell.split()[0]) - number) <= 0.5 for cell, number in zip(measured, said, strict=True)
    )


def test_the_readme_recommends_what_was_measured():
    """Clean accuracy and both worst cases of each method in its table are the means that the benchmark shows."""
    section = (_ROOT / "README.md").read_text().partition("## Which method?")[2].partition("\n## ")[0]
    shown = re.findall(r"\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", section)
    assert len(shown) == 3
    for method, *said in shown:
        record = json.loads((_ROOT / "results" / "benchmark" / "trashnet-64" / f"{method}.json").read_text())
        seeds = record["seeds"].values()
        for key, number in zip((CLEAN, CORE, WORST), said, strict=True):
            assert abs(100 * sum(seed[key] for seed in seeds) / len(seeds) - float(number)) <= 0.05


_DOCUMENTS = [*sorted(_ROOT.glob("*.md")), *sorted((_ROOT / "docs").glob("*.md")), _ROOT / "pretrained" / "README.md"]


def _anchor(heading):
    """As it is made of a heading on the code hosting sites."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        if anchor:
            assert anchor in map(_anchor, re.findall(r"(?m)^#+ (.*)$", target.read_text())), link


def test_every_page_can_be_reached_from_the_readme():
    pages, seen = [_ROOT / "README.md"], set()
    while pages:
        page = pages.pop()
        seen.add(page)
        linked = {(page.parent / link).resolve() for link in re.findall(r"\]\(([^)\s#]+\.md)", page.read_text())}
        pages += [path for path in linked - seen if path.is_file()]
    assert set(_DOCUMENTS) <= seen


def _read(path):
    """An outcome, or the claims, of a committed file."""
    kind = tuple[JudgedClaim, ...] if path.stem == "claims" else Outcome
    return records.from_json(kind, json.loads(path.read_text()))


_WRITTEN = [path for path in sorted((_ROOT / "results").glob("*/*.json")) if path.stem in (*ARTEFACTS, "claims")]


@pytest.mark.parametrize("path", _WRITTEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_sweeps_wrote_is_read_and_would_be_written_the_same(path, tmp_path):
    files.write_json(tmp_path / "again.json", records.to_json(_read(path)))
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_the_verdicts_follow_from_the_outcomes():
    paths = {name: _RESULTS / f"{name}.json" for name in ARTEFACTS}
    outcomes = {name: _read(path) for name, path in paths.items() if path.is_file()}
    claims = _read(_RESULTS / "claims.json")
    assert len(claims) >= 7
    for claim, judged in zip(claims, judge(outcomes), strict=True):
        assert claim.verdict == judged.verdict and claim.fails_on == judged.fails_on
        for part, ours in zip(claim.parts, judged.parts, strict=True):
            assert (part.verdict, part.n_seeds) == (ours.verdict, ours.n_seeds)
            assert part.mean == pytest.approx(ours.mean) and part.interval == pytest.approx(ours.interval)


def test_the_copied_defences_table_is_what_was_measured():
    outcomes = json.loads((_ROOT / "results" / "adaptive.json").read_text())
    text = (_ROOT / "docs" / "defences.md").read_text()
    for method, outcome in outcomes.items():
        cells = []
        for key in ("clean_accuracy", "attack_success_rate", "core_worst_case_success_rate", "worst_case_success_rate"):
            low, high = (f"{100 * bound:.1f}" for bound in outcome[f"{key}_ci95"])
            interval = "" if key == "attack_success_rate" else f" [{low}, {high}]"
            cells.append(f"{100 * outcome[key]:.1f}{interval}")
        cells.append(f"{100 * outcome['worst_case_noise_success_rate']:.1f}")
        assert f"| `{method}` | {' | '.join(cells)} |" in text
