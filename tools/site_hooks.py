"""What mkdocs does beside its own: README.md is the first page; what lies outside of docs/ is a picture or a name."""

import re
from pathlib import Path

from mkdocs.structure.files import File

_ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def on_files(files, config):
    """The pictures of results/ that pages show, and README.md in the place of index.md."""
    readme = (_ROOT / "README.md").read_text()
    files.append(File.generated(config, "index.md", content=_seen_from_docs(readme)))
    pages = [readme, *(path.read_text() for path in (_ROOT / "docs").glob("*.md"))]
    for target in {m["target"].removeprefix("../") for page in pages for m in _LINK.finditer(page) if m["picture"]}:
        files.append(File.generated(config, target, abs_src_path=str(_ROOT / target)))
    return files


def on_page_markdown(markdown, page, config, files):
    def link(match):
        target = match["target"]
        if target == "../README.md" or target.startswith("../README.md#"):
            target = target.replace("../README.md", "index.md")
        elif match["picture"]:
            target = target.removeprefix("../")
        elif target.startswith("../"):
            return f"{match['text']} (`{target.removeprefix('../')}`)"  # A file of the repository.
        return f"{match['picture']}[{match['text']}]({target})"

    return _LINK.sub(link, markdown)


def _seen_from_docs(readme):
    def link(match):
        target = match["target"]
        if target.startswith("docs/"):
            target = target.removeprefix("docs/")
        elif not target.startswith(("https://", "#")):
            target = f"../{target}"
        return f"{match['picture']}[{match['text']}]({target})"

    return _LINK.sub(link, readme)
