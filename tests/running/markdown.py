"""Reading our own documents: sections, fenced blocks and tables."""

import re
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent.parent
README = ROOT / "README.md"

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(msgspec.Struct, frozen=True):
    """A fenced block, with its language ("" when none is said)."""

    language: str
    text: str


def section(document: Path, title: str) -> str:
    """What stands below a `##` heading, up to the next one."""
    text = document.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{document.name} has no section {title!r}"
    return found.group(1)


def blocks(text: str) -> list[Block]:
    return [Block(found["language"], found["text"]) for found in _FENCE.finditer(text)]


def tables(text: str) -> list[list[list[str]]]:
    """Every table as rows of cells, without its heading; an escaped bar stays in its cell."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            found[-1].append([cell.strip() for cell in cells])
        elif found[-1]:
            found.append([])
    return [rows[2:] for rows in found if rows]


def coded(cell: str) -> list[str]:
    """The words of a cell that are set as code."""
    return re.findall(r"`([^`]+)`", cell)
