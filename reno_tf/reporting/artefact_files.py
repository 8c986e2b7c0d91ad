"""The files of an artefact and of the claims."""

from pathlib import Path

from reno_tf import files
from reno_tf.reporting import artefact_figures, claims_figure, table_formats
from reno_tf.reporting.rendering import render
from reno_tf.reporting.verdicts import HELD


def write_artefact(folder: Path, outcome: dict, *, paper: dict | None = None) -> None:
    """Writes <artefact>.md, .tex, .csv, .json, .png and .svg to `folder`.

    Args:
      outcome: {artefact, title, scale, command, metrics, datasets, rows: [{label, group, method, network,
        variant, cells: {data set: {seeds, metric: values of the seeds}}}], missing: [{run, why}]},
        and of Figure 4 chosen: {data set: weight}; notes: sentences, and made_with: versions and
        machine, if there are any. Rates are fractions; a value may be None.
      paper: the numbers that the paper prints, as an outcome of one seed; None if it prints none.
    """
    texts = table_formats.texts(outcome, paper)
    _write(folder, outcome["artefact"], outcome, texts, artefact_figures.draw(outcome))


def write_claims(folder: Path, judged: list[dict], outcome: dict, *, rules: str) -> None:
    """Writes claims.md, .json, .png and .svg to `folder`.

    Args:
      judged: of `reno_tf.reproduction.judging.judge`; outcome: one of those that it judged.
      rules: how it judges, a paragraph.
    """
    content = [{"scale": outcome["scale"], **claim} for claim in judged]
    texts = {"md": render("claims.md.j2", judged=judged, outcome=outcome, rules=rules, held=HELD)}
    _write(folder, "claims", content, texts, claims_figure.draw(judged))


def _write(folder, name, content, texts, pictures):
    """All is made before the first file is written."""
    files.write_json(folder / f"{name}.json", content)
    for ending, text in texts.items():
        files.write_text(folder / f"{name}.{ending}", text)
    for picture, drawn in pictures.items():
        files.write_bytes(folder / picture, drawn)
