"""A finished run is written to its folder."""

from pathlib import Path

from reno_tf import files, reporting
from reno_tf.evaluation.measuring import Measured


def write(workdir: Path, results: dict, measured: Measured, config, *, history, seen, command: str) -> None:
    """The report, and results.json as the last file: its presence says that all was written.

    Args:
      history, seen, command: as `reporting.write` takes them.
    """
    reporting.write(
        workdir,
        results=results,
        config=config.to_dict(),
        history=history,
        curve=measured.curve,
        convergence=measured.convergence,
        examples=measured.examples,
        seen=seen,
        command=command,
    )
    files.write_json(workdir / "results.json", results)
    print(f"{reporting.headline(results)}; report in {workdir / 'report.html'}")
