"""Made-up folders of finished runs, and the page that is made of them."""

import html.parser
import json

from PIL import Image

import modes
from configs.default import get_config

_VOID = {"meta", "img"}


class Page(html.parser.HTMLParser):
    """[(tag, attributes)], the text of each cell of each row, the text of the charts' titles."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.rows, self.titles, self.open = [], [], [], []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "title":
            self.titles.append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data
        if self.open and self.open[-1] == "title":
            self.titles[-1] += data

    def row(self, *starts):
        """The one row whose first cells are these."""
        cells = [[" ".join(cell.split()) for cell in row] for row in self.rows]
        (found,) = [row for row in cells if row[: len(starts)] == list(starts)]
        return found


def results(*, method="delta", data="digits", seed=0, clean=0.5, asr=0.25, noise=0.125, **more):
    rates = {"clean_accuracy": clean, "attack_success_rate": asr, "noise_success_rate": noise}
    if seed == 1:  # The others are older.
        rates |= {"worst_case_success_rate": 0.75, "worst_case_success_rate_ci95": [0.5, 0.8]}
    return {
        "method": method,
        "seed": seed,
        "dataset": {"name": data},
        "teacher": {"name": "resnet18_cifar/glyphs"},
        "attack": {"preset": "pixel", "epsilon": 0.1},
        **rates,
        "attack_success_rate_ci95": None if asr is None else [asr - 0.05, asr + 0.05],
        "feature_distance": 0.0123,
        "seconds": {"train": 61.4},
        "versions": {"tensorflow": "2.21.0"},
        **more,
    }


def write_run(folder, *, config=None, points=((0.0, 0.0, 0.0), (0.1, 0.25, 0.125)), **changes):
    folder.mkdir(parents=True)
    keys = ("epsilon", "attack_success_rate", "noise_success_rate")
    (folder / "results.json").write_text(json.dumps(results(**changes)))
    (folder / "curve.json").write_text(json.dumps([dict(zip(keys, point, strict=True)) for point in points]))
    config = {"model": {"student": "resnet18_cifar"}, "seed": changes.get("seed", 0), "attack": {}} | (config or {})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "report.html").write_text("a report")
    (folder / "figures").mkdir()
    Image.effect_noise((8, 8), 50).save(folder / "figures" / "examples.png")


def report(folder):
    modes.start("report", get_config(), command="python main.py --mode=report", workdir=str(folder))
    content = (folder / "index.html").read_text()
    return content, Page(content)
