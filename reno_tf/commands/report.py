"""--mode=report: every finished run below a folder, and what the reproduction made of them, as one page."""

from pathlib import Path

from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.methods import METHODS
from reno_tf.reporting import results_page
from reno_tf.reproduction import paper


def report(config, *, command: str, workdir: str | None = None) -> None:
    """Writes `workdir`/index.html (default runs) from all finished runs below, and changes nothing else.

    Files that cannot be read are named on the page. Raises UserError if no finished run can be, or if another page than
    this one lies there.
    """
    folder = Path(workdir or "runs")
    page = folder / "index.html"
    if page.exists() and not results_page.is_page(page.read_text(errors="replace")):
        raise UserError(f"{page} is not a page of this project; move it, or choose another --workdir")
    found = results_page.gather(folder, paper=paper.outcomes())
    if not found.runs:
        unread = [one for one in found.skipped if one["file"].endswith("results.json")]
        why = " that can be read ({file} {why})".format(**unread[0]) if unread else ""
        raise UserError(f"no finished run in {folder}{why}; this makes one: python main.py --method=renofeation")
    files.write_text(page, results_page.page(found, methods=list(METHODS), command=command))
    left_out = f"; files left out, which the page names: {len(found.skipped)}" if found.skipped else ""
    print(f"report in {page}; runs: {len(found.runs)}{left_out}")
