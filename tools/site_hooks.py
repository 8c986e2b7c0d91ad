"""What mkdocs does beside its own: three files of the root are pages, others outside of docs/ pictures or names."""

import re
from pathlib import Path

from mkdocs.structure.files import File

_ROOT = Path(__file__).parents[1]
_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def on_files(files, config):
    """The pictures of results/ that pages show, and the pages that lie in the root."""
    pages = [path.read_text() for path in (_ROOT / "docs").glob("*.md")]
    for name, page in _PAGES.items():
        pages.append((_ROOT / name).read_text())
        files.append(File.generated(config, page, content=_seen_from_docs(pages[-1])))
    for target in {m["target"].removeprefix("../") for page in pages for m in _LINK.finditer(page) if m["picture"]}:
        files.append(File.generated(config, target, abs_src_path=str(_ROOT / target)))
    return files


def on_page_markdown(markdown, page, config, files):
    def link(match):
        target = match["target"]
        file, anchor, place = target.removeprefix("../").partition("#")
        if target.startswith("../") and file in _PAGES:
            target = _PAGES[file] + anchor + place
        elif match["picture"]:
            target = target.removeprefix("../")
        elif target.startswith("../"):
            return f"{match['text']} (`{target.removeprefix('../')}`)"  # A file of the repository.
        return f"{match['picture']}[{match['text']}]({target})"

    return _LINK.sub(link, markdown)


def _seen_from_docs(page):
    def link(match):
        target = match["target"]
        if target.startswith("docs/"):
            target = target.removeprefix("docs/")
        elif not target.startswith(("https://", "#")):
            target = f"../{target}"
        return f"{match['picture']}[{match['text']}]({target})"

    return _LINK.sub(link, page)
