"""The documents of the repository as tests read them: pages, tables, headings, links, code blocks."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "controller" / "docs"
PAGES: Final = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "deploy/README.md")),
    *sorted(DOCS.glob("*.md")),
)
"""What a reader is led through."""

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\]\((?!https?:)([^)\s]+)\)")


def page(name: str) -> str:
    """The text of one page of controller/docs."""
    return (DOCS / name).read_text()


def blocks(text: str, kind: str) -> list[str]:
    """The code blocks of one language, in order."""
    return [content for language, content in _FENCE.findall(text) if language == kind]


def block_under(text: str, title: str, kind: str) -> str:
    """The first code block of that language under the heading `title`."""
    return blocks(re.split(rf"^#+ {re.escape(title)}$", text, flags=re.MULTILINE)[1], kind)[0]


def shell_block(text: str, title: str) -> str:
    """What a page has a reader type under the heading `title`."""
    return block_under(text, title, "sh")


def prose(text: str) -> str:
    """The text without its code blocks."""
    return _FENCE.sub("", text)


def tables(text: str, header: str, *, header_too: bool = False) -> Iterator[tuple[str, ...]]:
    """The rows of all tables whose first column is called `header`, each as its cells."""
    tables = re.findall(rf"^(\| {re.escape(header)} \|.*\n)\|[-|]+\|\n((?:\|.*\n)*)", text, re.MULTILINE)
    for heading, rows in tables:
        for line in (heading + rows if header_too else rows).splitlines():
            yield tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])


def links(text: str) -> list[str]:
    """The targets of all links that lead to a file of the repository, or to a heading."""
    return _LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """What can stand after # in a link to the page: its headings as GitHub spells them there."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str) -> list[str]:
    """The verbs of `roomctl` that a page writes: in its text, and in its blocks for a shell."""
    shown = [*re.findall(r"`roomctl ([a-z]+)", text), *re.findall(r"\$\(roomctl ([a-z]+)", text)]
    return shown + re.findall(r"^roomctl ([a-z]+)", "\n".join(blocks(text, "sh")), re.MULTILINE)
