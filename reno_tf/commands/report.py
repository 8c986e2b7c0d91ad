"""--mode=report: every finished run below a folder, and what the reproduction made of them, as one page."""

from pathlib import Path

from reno_tf import files
from reno_tf.errors import UserError
from reno_tf.methods import METHODS
from reno_tf.reporting import results_page
from reno_tf.reporting.reading import Reader
from reno_tf.reproduction import drawing, trials


def report(config, *, command: str, workdir: str | None = None) -> None:
    """Writes `workdir`/index.html (default runs) from all finished runs below, and changes nothing else.

    Files that cannot be read are named on the page. Raises UserError if no finished run can be, or if another page than
    this one lies there.
    """
    folder = Path(workdir or "runs")
    page = folder / "index.html"
    if page.exists() and not results_page.is_page(page.read_text(errors="replace")):
        raise UserError(f"{page} is not a page of this project; move it, or choose another --workdir")
    reader, tried = Reader(folder), trials.recorded(folder)
    gathered = results_page.gather(reader, without=tried)
    added = drawing.additions(reader, num_trials=len(tried))
    if not gathered.runs:
        unread = [one for one in reader.unread if one.file.endswith("results.json")]
        why = f" that can be read ({unread[0].file} {unread[0].why})" if unread else ""
        raise UserError(f"no finished run in {folder}{why}; this makes one: python main.py --method=renofeation")
    content = results_page.page(gathered, methods=list(METHODS), command=command, unread=reader.unread, added=added)
    files.write_text(page, content)
    left_out = f"; files left out, which the page names: {len(reader.unread)}" if reader.unread else ""
    print(f"report in {page}; runs: {len(gathered.runs)}{left_out}")
