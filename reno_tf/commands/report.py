"""--mode=report: every finished run below a folder, and what the reproduction made of them, as one page."""

from pathlib import Path

from reno_tf import files
from reno_tf.commands import finished
from reno_tf.errors import UserError
from reno_tf.methods import METHODS
from reno_tf.reporting import site, summary
from reno_tf.reporting.pictures import webp
from reno_tf.reproduction import paper

_FOREIGN = (AttributeError, KeyError, TypeError, ValueError)  # What another version's file gives, read as ours.


def report(config, *, command: str, workdir: str | None = None) -> None:
    """Writes `workdir`/index.html (default runs) from all finished runs below, and changes nothing else.

    Files that cannot be read are named on the page. Raises UserError if no finished run can be.
    """
    folder = Path(workdir or "runs")
    paths = list(folder.rglob("results.json"))
    shown = [path for path in paths if not _is_trial(path)]
    runs, skipped = _gather(folder, shown, lambda path: finished.read(path, folder))
    if not runs:
        why = f" that can be read ({skipped[0]['file']} {skipped[0]['why']})" if skipped else ""
        raise UserError(f"no finished run in {folder}{why}; this makes one: python main.py --method=renofeation")
    pictures = [folder / run.folder / "figures" / "examples.png" for run in summary.exemplary(runs)]
    claimed = set(folder.rglob("claims.json"))
    outcomes, no_outcomes = _gather(folder, set(folder.rglob("results/*.json")) - claimed, _read_outcome)
    claims, no_claims = _gather(folder, claimed, _read_claims)
    examples, no_examples = _gather(folder, pictures, lambda path: (path.parents[1], webp(path)))
    skipped += no_outcomes + no_claims + no_examples
    content = site.page(
        runs,
        methods=list(METHODS),
        command=command,
        outcomes=[outcome for outcome in outcomes if outcome],
        claims=[claim for file in claims for claim in file],
        skipped=skipped,
        trials=len(paths) - len(shown),
        examples={finished.inside(workdir, folder): picture for workdir, picture in examples},
    )
    files.write_text(folder / "index.html", content)
    left_out = f"; files left out, which the page names: {len(skipped)}" if skipped else ""
    print(f"report in {folder / 'index.html'}; runs: {len(runs)}{left_out}")


def _is_trial(path) -> bool:
    """Whether a sweep made this run to choose a hyper-parameter, and keeps it with the others of its kind."""
    data = path.parents[1]
    return data.parent.name == "trials" and (data.parent / f"{data.name}-grid" / "trials.json").is_file()


def _gather(folder, paths, read):
    """(what `read` makes of each file, [{"file", "why"}] of those that it cannot read)."""
    found, skipped = [], []
    for path in sorted(paths):
        try:
            found.append(read(path))
        except (UserError, OSError) as error:
            skipped.append({"file": finished.inside(path, folder), "why": str(error).removeprefix(f"{path} ")})
        except _FOREIGN as error:
            why = f"is of another version ({type(error).__name__}: {error})"
            skipped.append({"file": finished.inside(path, folder), "why": why})
    return found, skipped


def _read_outcome(path):
    """An artefact's outcome; None if the file is something else."""
    content = files.read_json(path)
    if not (isinstance(content, dict) and "artefact" in content):
        return None
    return site.outcome(content, paper.outcomes().get(content["artefact"]))


def _read_claims(path):
    return [site.claim(content) for content in files.read_json(path)]
