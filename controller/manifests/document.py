"""YAML as manifests may use it: a stream of flat mappings, read from the parser's events. Pure.

Nothing is composed or constructed: events come from libyaml one at a time, so 60,000 nested brackets or a
billion laughs end at the first event that goes too far. Scalars stay what was written, with their place.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
)

from controller.manifests.snapshot import SourcePosition
from controller.text import escape_unprintable, quote_excerpt

MAX_DEPTH: Final = 4
MAX_DOCUMENTS: Final = 1_000

NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
"""What a plain scalar says when it says nothing."""

_TOO_DEEP: Final = f"nested more than {MAX_DEPTH} deep; a manifest is a flat list of `key: value`"
_FORBIDDEN = re.compile(
    r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|(?<=[^\n\r])\ufeff"
)
_CORE: Final = "tag:yaml.org,2002:"
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


class Diagnostic(NamedTuple):
    """One thing wrong with one document."""

    position: SourcePosition
    message: str


class UnreadableError(Exception):
    """The file as a whole cannot be read as YAML, or breaks a limit: no document of it counts."""

    def __init__(self, position: SourcePosition | None, message: str) -> None:
        self.position = position
        self.message = message
        super().__init__(message)


class Entry(NamedTuple):
    """A key and its value; `value` is None where it was refused already."""

    key: ScalarEvent
    value: Event | None


@dataclass(slots=True)
class Document:
    """One mapping: its entries by key as they stand, and what is wrong with its form."""

    position: SourcePosition
    entries: dict[str, Entry] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    is_mapping: bool = True

    def wrong(self, event: Event, message: str) -> None:
        self.diagnostics.append(Diagnostic(position_of(event), message))


def position_of(event: Event) -> SourcePosition:
    """Where the event begins."""
    start = event.start_mark
    return SourcePosition(start.line + 1, start.column + 1) if start is not None else SourcePosition(1, 1)


def is_plain(scalar: ScalarEvent) -> bool:
    """Whether it stands without quotes and not as a block."""
    return not scalar.style


def is_null(scalar: ScalarEvent) -> bool:
    return not scalar.style and scalar.value in NULLS


def decoded(content: bytes) -> str:
    """The file's text without its byte order mark; UnreadableError where it is no UTF-8 or holds controls."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        before = content[: wrong.start].decode("utf-8-sig", "replace")
        byte = content[wrong.start] if wrong.start < len(content) else 0
        message = f"the byte 0x{byte:02x} is no UTF-8 text; save the file as UTF-8"
        raise UnreadableError(_position_after(before), message) from None
    if match := _FORBIDDEN.search(text):
        excerpt = quote_excerpt(match.group())
        message = f"{excerpt} is a control character; take it out, or write it as an escape in quotes"
        raise UnreadableError(_position_after(text[: match.start()]), message)
    return text


def documents(text: str) -> Iterator[Document]:
    """The documents that hold something, in order. UnreadableError, at its place, where the YAML ends."""
    try:
        yield from _documents(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as wrong:
        raise _no_yaml(wrong, text) from None
    except (yaml.YAMLError, UnicodeError):
        raise UnreadableError(
            SourcePosition(1, 1), "this is no YAML; write one `key: value` a line"
        ) from None


def _documents(events: Iterator[Event]) -> Iterator[Document]:
    count = 0
    for event in events:
        if not isinstance(event, DocumentStartEvent):
            continue
        count += 1
        if count > MAX_DOCUMENTS:
            message = f"a file holds at most {MAX_DOCUMENTS:,} documents; split it into several files"
            raise UnreadableError(position_of(event), message)
        document = _document(next(events), events)
        if event.tags and document is not None:
            document.wrong(event, "tags are not used in manifests; leave the %TAG line out")
        if document is not None:
            yield document


def _document(root: Event, events: Iterator[Event]) -> Document | None:
    """The document that begins with `root`; None where it is empty."""
    if isinstance(root, ScalarEvent) and is_null(root) and root.anchor is None and root.tag is None:
        return None
    document = Document(position_of(root), is_mapping=isinstance(root, MappingStartEvent))
    if not document.is_mapping:
        shown = f"{quote_excerpt(root.value)} is" if isinstance(root, ScalarEvent) else "this list is"
        document.wrong(root, f"{shown} no room; write a mapping, one `key: value` a line")
        _pass_over(root, events, depth=0)
        return document
    _refuse_properties(document, root)
    for key in events:
        if isinstance(key, MappingEndEvent):
            break
        _entry(document, key, events)
    return document


def _entry(document: Document, key: Event, events: Iterator[Event]) -> None:
    """Take the key and its value from the events into the document."""
    if not isinstance(key, ScalarEvent):
        _pass_over(key, events)
        document.wrong(key, "a key is plain text; write `key: value`")
    value = next(events)
    _pass_over(value, events)
    if not isinstance(key, ScalarEvent):
        return
    allowed = _refuse_properties(document, key)
    if key.value == "<<" and is_plain(key):
        document.wrong(key, '"<<": merge keys are not used in manifests; write the keys out, or use `preset`')
        return
    if (first := document.entries.get(key.value)) is not None:
        line = position_of(first.key).line
        document.wrong(
            key, f"{quote_excerpt(key.value)} is written twice, first on line {line}; keep one of the two"
        )
        document.entries[key.value] = Entry(first.key, None)
        return
    allowed = _refuse_properties(document, value) and allowed
    document.entries[key.value] = Entry(key, value if allowed else None)


def _pass_over(event: Event, events: Iterator[Event], depth: int = 1) -> None:
    """Read on to the end of a nested value, which no field may have.

    UnreadableError where it goes too deep.
    """
    nested = 0
    while True:
        if isinstance(event, CollectionStartEvent):
            nested += 1
            if depth + nested > MAX_DEPTH:
                raise UnreadableError(position_of(event), _TOO_DEEP)
        elif isinstance(event, CollectionEndEvent):
            nested -= 1
        if nested == 0:
            return
        event = next(events)


def _refuse_properties(document: Document, event: Event) -> bool:
    """Whether the node is free of anchors, aliases and tags; where not, the document says so."""
    if isinstance(event, AliasEvent):
        document.wrong(
            event,
            f"{quote_excerpt(f'*{event.anchor}')}: aliases are not used in manifests; write the value out",
        )
        return False
    if not isinstance(event, ScalarEvent | CollectionStartEvent):
        return True
    if event.anchor is not None:
        document.wrong(
            event, f"{quote_excerpt(f'&{event.anchor}')}: anchors are not used in manifests; leave it out"
        )
    if event.tag is not None:
        document.wrong(
            event,
            f"{quote_excerpt(event.tag.replace(_CORE, '!!'))}: tags are not used in manifests; leave it out",
        )
    return event.anchor is None and event.tag is None


_NO_TABS: Final = "a tab cannot indent; use spaces"
_MENDS: Final = (
    ("nesting depth", _TOO_DEEP),
    ("tab character", _NO_TABS),
    (
        "mapping values",
        "a `: ` cannot stand here; give each key its own line, all indented alike, or quote the text",
    ),
    ("expected ':'", "a key needs a `: ` and a value"),
    ("end of stream", "the quote that opens here is never closed; close it"),
    ("document indicator", "the quote that opens here is never closed; close it"),
    ("escape", "no such escape in double quotes; write the character itself, or use single quotes"),
    ("expected ','", "a comma is missing, or a bracket is never closed"),
    ("expected key", "this is no key; write one `key: value` a line, all indented alike"),
    ("document start", "this follows the end of a document; a further one begins with a line of ---"),
    ("directive", "no such directive; leave the line out"),
    ("incompatible", "manifests are YAML 1.1 or 1.2; leave the %YAML line out"),
    ("tag", "tags are not used in manifests; leave it out"),
    ("anchor", "anchors are not used in manifests; leave it out"),
)


def _no_yaml(wrong: yaml.MarkedYAMLError, text: str) -> UnreadableError:
    """The parser's complaint in words of ours, with the text at its place."""
    lines = _BREAK.split(text)
    problem = wrong.problem or ""
    line, column = _place(wrong, lines)
    rest = lines[line][column:]
    return UnreadableError(
        SourcePosition(line + 1, column + 1),
        f"{quote_excerpt(rest or lines[line])}: {_mend(problem, rest[:1])}",
    )


def _place(wrong: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[int, int]:
    """Where to look, counted from 0: what was never closed is best mended where it was opened."""
    opened = wrong.context_mark
    place = wrong.problem_mark or opened
    at_end = place is None or place.line >= len(lines) or not lines[place.line][place.column :]
    in_text = "scalar" in (wrong.context or "") and "tab" not in (wrong.problem or "")
    if opened is not None and (at_end or in_text):
        place = opened
    if place is not None and place.line < len(lines):
        return place.line, place.column
    return max((n for n, line in enumerate(lines) if line.strip()), default=0), 0


def _mend(problem: str, char: str) -> str:
    if "cannot start any token" in problem and char != "\t":
        return f"text cannot begin with {escape_unprintable(char)}; put it in quotes"
    if char == "\t":
        return _NO_TABS
    return next(
        (mend for part, mend in _MENDS if part in problem), "this is no YAML; write one `key: value` a line"
    )


def _position_after(before: str) -> SourcePosition:
    """The place of the character that follows `before`."""
    lines = _BREAK.split(before)
    return SourcePosition(len(lines), len(lines[-1]) + 1)
