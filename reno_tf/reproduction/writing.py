"""The files of an artefact and of the claims."""

from pathlib import Path

from reno_tf import files
from reno_tf.reproduction import figures, judging, tables
from reno_tf.reproduction.claims_page import page


def write(folder: Path, outcome: dict) -> None:
    """Writes <artefact>.md, .tex, .csv, .json, .png and .svg to `folder`.

    Args:
      outcome: {artefact, title, command, metrics, datasets, rows: [{label, group, method, network,
        variant, cells: {data set: {seeds, metric: values of the seeds}}}], missing: [{run, why}]},
        and of Figure 4 chosen: {data set: weight}; notes: sentences, and made_with: versions and
        machine, if there are any. Rates are fractions; a value may be None.
    """
    name = outcome["artefact"]
    texts = {"md": tables.markdown(outcome), "tex": tables.latex(outcome), "csv": tables.comma_separated(outcome)}
    pictures = figures.draw(outcome)
    files.write_json(folder / f"{name}.json", outcome)
    for ending, text in texts.items():
        files.write_text(folder / f"{name}.{ending}", text)
    _write_pictures(folder, pictures)


def write_claims(folder: Path, outcomes: dict[str, dict]) -> list[dict]:
    """Writes claims.md, .json, .png and .svg to `folder`; returns what `judging.judge` says, each with its scale.

    Args:
      outcomes: artefact -> outcome.
    """
    judged = [{"scale": next(iter(outcomes.values()))["scale"], **claim} for claim in judging.judge(outcomes)]
    pictures = figures.forest(judged)
    files.write_json(folder / "claims.json", judged)
    files.write_text(folder / "claims.md", page(judged, next(iter(outcomes.values()))))
    _write_pictures(folder, pictures)
    return judged


def _write_pictures(folder, pictures):
    for name, content in pictures.items():
        files.write_bytes(folder / name, content)
