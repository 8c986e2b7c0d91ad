"""--mode=report: every finished run below a folder, and what the reproduction made of them, as one page."""

import json
import re
from pathlib import Path

from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.methods import METHODS
from reno_tf.reporting import site, summary
from reno_tf.reporting.pictures import webp

_MACHINE = {"cache", "cache_limit"}  # Keys of config.attack that change no number.
_FOREIGN = (AttributeError, KeyError, TypeError, ValueError)  # What another version's file gives, read as ours.


def report(config, *, command: str, workdir: str | None = None) -> None:
    """Writes `workdir`/index.html (default runs) from all finished runs below, and changes nothing else.

    Files that cannot be read are named on the page. Raises UserError if no finished run can be.
    """
    folder = Path(workdir or "runs")
    runs, skipped = _gather(folder, folder.rglob("results.json"), lambda path: read_run(path, folder))
    if not runs:
        why = f" that can be read ({skipped[0]['file']} {skipped[0]['why']})" if skipped else ""
        raise UserError(f"no finished run in {folder}{why}; this makes one: python main.py --method=renofeation")
    pictures = [folder / run.folder / "figures" / "examples.png" for run in summary.exemplary(runs)]
    outcomes, no_outcomes = _gather(folder, folder.rglob("results/*.json"), _read_outcome)
    claims, no_claims = _gather(folder, folder.rglob("claims.json"), _read_claims)
    examples, no_examples = _gather(folder, pictures, lambda path: (_inside(path.parents[1], folder), webp(path)))
    skipped += no_outcomes + no_claims + no_examples
    content = site.page(
        runs,
        methods=list(METHODS),
        command=command,
        outcomes=[outcome for outcome in outcomes if outcome],
        claims=[claim for file in claims for claim in file],
        skipped=skipped,
        examples=dict(examples),
    )
    files.write_text(folder / "index.html", content)
    left_out = f"; {len(skipped)} files could not be read, the page names them" if skipped else ""
    print(f"{len(runs)} runs in {folder / 'index.html'}{left_out}")


def _gather(folder, paths, read):
    """(what `read` makes of each file, [{"file", "why"}] of those that it cannot read)."""
    found, skipped = [], []
    for path in sorted(paths):
        try:
            found.append(read(path))
        except (UserError, OSError) as error:
            skipped.append({"file": _inside(path, folder), "why": str(error).removeprefix(f"{path} ")})
        except _FOREIGN as error:
            why = f"is of another version ({type(error).__name__}: {error})"
            skipped.append({"file": _inside(path, folder), "why": why})
    return found, skipped


def _inside(path, folder) -> str:
    return path.relative_to(folder).as_posix()


def read_run(path: Path, folder: Path) -> summary.Run:
    """The finished run whose results.json is `path`. Raises UserError, or one of `_FOREIGN` where it is not as ours."""
    results, workdir = files.read_json(path), path.parent
    config = files.read_json(workdir / "config.json") or {}
    for key in ("clean_accuracy", "attack_success_rate", "noise_success_rate"):
        _check_rate(key, results[key], optional=key != "clean_accuracy")
    model, name = config.get("model", {}), results["dataset"]["name"]
    network = model.get("student") or model.get("backbone") or results["teacher"]["name"].partition("/")[0]
    facts = {"method": str(results["method"]), "network": network, "seed": int(results["seed"])}
    split = results.get("split", "test")
    return summary.Run(
        **facts,
        folder=_inside(workdir, folder),
        variant=variant(workdir.name, data=name, **facts),
        data=name if split == "test" else f"{name} ({split})",
        attack=_attack(results),
        settings=_settings(config) if config else str(workdir),
        results={"feature_distance": None, "seconds": {}, "versions": {}} | results,
        curve=_curve(workdir / "curve.json"),
        report=(workdir / "report.html").is_file(),
    )


def variant(folder: str, *, method: str, network: str, data: str, seed: int) -> str:
    """What a run's folder says beside the method: "delta+swa-resnet18-digits-0" gives "+swa", "delta-digits-0" nothing."""
    rest = rf"(?P<variant>([+@].*?)?)(-{re.escape(network)}|-[a-z]\w*)?-{re.escape(data)}-{seed}"
    found = re.fullmatch(re.escape(method) + rest, folder)
    return found["variant"] if found else ""


def _check_rate(key, value, *, optional):
    if not (optional and value is None) and not 0 <= value <= 1:
        raise ValueError(f"{key} is {value}")


def _attack(results) -> str:
    attack = results["attack"]
    return f"{'suite' if results.get('suite') else attack['preset']}, ε = {attack['epsilon']:.3g}"


def _settings(config) -> str:
    """Equal for runs whose configs differ only in the seed and in what changes no number."""
    attack = {key: value for key, value in config.get("attack", {}).items() if key not in _MACHINE}
    settings = {key: value for key, value in config.items() if key != "seed"} | {"attack": attack}
    return json.dumps(settings, sort_keys=True)


def _curve(path):
    curve = files.read_json(path) or []
    for point in curve:
        for key in ("attack_success_rate", "noise_success_rate"):
            _check_rate(key, point[key], optional=True)
        float(point["epsilon"])
    return curve


def _read_outcome(path):
    """An artefact's outcome; None if the file is something else."""
    content = files.read_json(path)
    return site.outcome(content, content.get("paper")) if isinstance(content, dict) and "artefact" in content else None


def _read_claims(path):
    return [site.claim(content) for content in files.read_json(path)]
