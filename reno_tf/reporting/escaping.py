"""Text that Markdown and LaTeX would take for signs of their own."""

from collections.abc import Sequence

_LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "λ": r"$\lambda$",
    "ε": r"$\varepsilon$",
}


def tex(text: str) -> str:
    """The text as LaTeX shows it."""
    return text.translate(str.maketrans(_LATEX))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text cells as a Markdown table."""
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
