"""Writes docs/gallery.md from results/gallery/*.json; with folders of finished audits, first their records.

python tools/gallery.py                                       # the page
python tools/gallery.py face-mask=runs/gallery-face-mask-4    # the audit becomes part of its model's record
"""

import json
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT)]

from reno_tf import files  # noqa: E402  First: it selects Keras 2.

# isort: split
from configs.gallery import ENTRIES  # noqa: E402
from reno_tf.reporting.metrics import percents  # noqa: E402
from reno_tf.reporting.rendering import markdown_table  # noqa: E402
from reno_tf.reporting.sentences import of_lineage  # noqa: E402

_RECORDS, _PAGE = _ROOT / "results" / "gallery", _ROOT / "docs" / "gallery.md"
_RATES = ("clean_accuracy", "attack_success_rate", "worst_case_success_rate", "worst_case_noise_success_rate")
_TITLE = """# Models that strangers published

Each was audited through the public network that it was made from, which its maker names or its weights tell. The
attacker has that network and never the model. In percent, with 95 % intervals over photographs; the worst case is the
share that the paper's attack or a disruption of one of its layers turns wrong, each by ten gradients of 0.4 ε. Clean
accuracy and the paper's attack are of all test photographs, the worst cases of the first ones.

Generated from [records](../results/gallery) by `python tools/gallery.py`. `lower_accuracy_shown` in a record is for who
shows a lower accuracy within the same ε, `doubtful` for a reason not to believe its numbers.

This says nothing against the makers: it is what fine-tuning a public network, as everyone does, comes to."""
_LEVELS = (2, 4, 8)  # of 255: the columns of the first table


def record(name: str, workdir: Path) -> None:
    """Adds the audit in `workdir` to the record of the model `name`, in place of one with its epsilon."""
    results = files.read_json(workdir / "results.json")
    inputs = files.read_json(workdir / ".reno_tf")["inputs"]
    audit, path = results["audit"], _RECORDS / f"{name}.json"
    before = files.read_json(path) if path.is_file() else {"audits": []}
    row = {key: [results[key], *results[f"{key}_ci95"]] for key in _RATES}
    row |= {"epsilon": results["attack"]["epsilon"], "num_images": results["worst_case"]["num_images"]}
    row["attacks"] = {one["name"]: one["attack_success_rate"] for one in results["suite"] if one["attack"]}
    others = [one for one in before["audits"] if one["epsilon"] != row["epsilon"]]
    content = {
        "model_sha256": audit["sha256"],
        "teacher": results["teacher"]["name"],
        "teacher_sha256": results["teacher"]["sha256"],
        "images_sha256": inputs["the images"],
        "num_leaked_test": results["dataset"]["num_leaked_test"],
        "num_test": results["dataset"]["num_test"],
        "note": ENTRIES[name].note,
        "lineage": audit["lineage"],
        "image_size": audit["image_size"],
        "fed": {key: audit[key] for key in ("format", "geometry", "input_range", "outputs")},
        "tied": len(audit["tied"]),
        "versions": results["versions"],
        "lower_accuracy_shown": before.get("lower_accuracy_shown"),
        "doubtful": before.get("doubtful"),
        "audits": sorted([*others, row], key=lambda one: one["epsilon"]),
    }
    files.write_json(path, content)


def page() -> str:
    """The content of docs/gallery.md."""
    records = {name: json.loads((_RECORDS / f"{name}.json").read_text()) for name in _recorded()}
    sections = [_section(name, content) for name, content in records.items()]
    return "\n\n".join([_TITLE, _overview(records), *sections]) + "\n"


def _overview(records) -> str:
    """The worst cases of each model."""
    rows = []
    for name, content in records.items():
        worst = {_levels(audit): audit["worst_case_success_rate"] for audit in content["audits"]}
        rates = [f"{100 * worst[levels][0]:.1f}" if levels in worst else "" for levels in _LEVELS]
        teacher = content["lineage"]["teacher"]
        public = f"{teacher['num_equal']} of {teacher['num_layers']}"
        rows.append([ENTRIES[name].title, content["teacher"], public, *rates])
    header = [
        "model",
        "public network",
        "layers that are public",
        *(f"worst case, ε = {levels}/255" for levels in _LEVELS),
    ]
    return markdown_table(header, rows)


def _levels(audit) -> int:
    return round(255 * audit["epsilon"])


def _recorded() -> list[str]:
    return [name for name in ENTRIES if (_RECORDS / f"{name}.json").is_file()]


def _section(name, content):
    entry, size = ENTRIES[name], f"{content['image_size'][0]}²"
    fed, leaked = content["fed"], content["num_leaked_test"]
    facts = [f"It is {fed['format']}, and wants photographs by `{fed['geometry']}` in the range {fed['input_range']}."]
    if content["tied"]:
        facts.append(f"(The photographs do not tell this from {content['tied']} less usual ways.)")
    if entry.note:
        facts.append(entry.note)
    if leaked:
        facts.append(
            f"Of {content['num_test']} test photographs {leaked} are also, or nearly, among the audit's training ones."
        )
    parts = [
        f"## {entry.title}",
        f"{of_lineage(content['lineage'], size)} {' '.join(facts)} Licence: {entry.licence}. Photographs: "
        f"[{entry.photos_from.removeprefix('https://')}]({entry.photos_from}).",
        "\n".join(f"    {line}" for line in (*entry.fetch, *_commands(name, content))),
        _rates(content),
        f"![Relative distance of each stage to the public weights](../results/gallery/{name}.png)",
    ]
    return "\n\n".join(parts if (_RECORDS / f"{name}.png").is_file() else parts[:-1])


def _commands(name, content):
    for audit in content["audits"]:
        levels = _levels(audit)
        option = f"--config=configs/gallery.py:{name},{levels} --workdir=runs/gallery-{name}-{levels}"
        yield f"python main.py --mode=audit {option}"


def _rates(content):
    header = ["ε", "photographs", "clean", "the paper's attack", "worst case", "noise, worst case"]
    rows = []
    for audit in content["audits"]:
        rates = [f"{100 * audit[key][0]:.1f} [{percents(audit[key][1:], ', ')}]" for key in _RATES]
        rows.append([f"{_levels(audit)}/255", str(audit["num_images"]), *rates])
    return markdown_table(header, rows)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        name, _, workdir = argument.partition("=")
        record(name, Path(workdir))
    files.write_text(_PAGE, page())
