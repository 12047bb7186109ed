"""YAML and JSON of manifests: a stream of flat mappings, read from the parser's events. Pure.

No objects are constructed: events come from the parser one at a time, so reading 60,000 nested brackets or a
billion laughs stops at the first event over a limit. Scalars keep their text and position.
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
    SequenceStartEvent,
)

from controller.manifests.snapshot import SourcePosition
from controller.text import escape_unprintable, quote_excerpt

MAX_DEPTH: Final = 4
MAX_DOCUMENTS: Final = 1_000

NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
"""Plain scalars that mean null."""

_TOO_DEEP: Final = f"nesting too deep (maximum {MAX_DEPTH}); a manifest is a flat mapping of `field: value`"
_NO_MAPPING: Final = "expected a mapping (one `field: value` per line)"
_NO_YAML: Final = "invalid YAML; write one `field: value` per line"
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_COMMENTS: Final = r"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|[\r\n]))*+"
_BYTE_ORDER_MARK = re.compile(
    rf"((?:\A|(?<![^\r\n\ufeff])---(?:[ \t][^\r\n]*)?(?:\r\n|[\r\n])){_COMMENTS})\ufeff"
    rf"|(?<![^\r\n\ufeff])\ufeff(?={_COMMENTS}(?:---(?:\s|\Z)|%))"
)
"""A byte order mark at the start of the file or of a document: after its `---`, or before that line."""

_CORE: Final = "tag:yaml.org,2002:"
LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


class Diagnostic(NamedTuple):
    """One error in one document."""

    position: SourcePosition
    message: str


class UnreadableError(Exception):
    """The file cannot be read, or exceeds a limit: none of its documents counts."""

    def __init__(self, position: SourcePosition | None, message: str) -> None:
        self.position = position
        self.message = message
        super().__init__(message)


class Entry(NamedTuple):
    """A key and its value; `value` is None if it was already refused.

    `inside` are the events of a nested value, after its start and to its end.
    """

    key: ScalarEvent
    value: Event | None
    inside: tuple[Event, ...] = ()


@dataclass(slots=True)
class Document:
    """One mapping: its entries by key, and the errors in its form.

    `offset` is where it begins in the text, in characters.
    """

    position: SourcePosition
    offset: int
    entries: dict[str, Entry] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    is_mapping: bool = True

    def wrong(self, event: Event, message: str) -> None:
        self.add(position_of(event), message)

    def add(self, position: SourcePosition, message: str) -> None:
        """An error at that position."""
        self.diagnostics.append(Diagnostic(position, message))


def position_of(event: Event) -> SourcePosition:
    """The position of the event's start."""
    start = event.start_mark
    return SourcePosition(start.line + 1, start.column + 1) if start is not None else SourcePosition(1, 1)


def is_plain(scalar: ScalarEvent) -> bool:
    """Whether it is neither quoted nor a block."""
    return not scalar.style


def is_null(scalar: ScalarEvent) -> bool:
    return not scalar.style and scalar.value in NULLS


def decoded(content: bytes) -> str:
    """The text without byte order marks; UnreadableError if it is not UTF-8 or has control characters."""
    try:
        text = _without_marks(content.decode())
    except UnicodeDecodeError as wrong:
        before = _without_marks(content[: wrong.start].decode())
        byte = content[wrong.start] if wrong.start < len(content) else 0
        message = f"invalid UTF-8 byte 0x{byte:02x}; save the file as UTF-8"
        raise UnreadableError(position_after(before), message) from None
    if match := _FORBIDDEN.search(text):
        excerpt = quote_excerpt(match.group())
        message = f"{excerpt} is a control character; remove it, or use an escape sequence in double quotes"
        raise UnreadableError(position_after(text[: match.start()]), message)
    return text


def _without_marks(text: str) -> str:
    return _BYTE_ORDER_MARK.sub(r"\1", text) if "\ufeff" in text else text


def yaml_events(text: str) -> Iterator[Event]:
    """The events of libyaml. UnreadableError at the position of invalid YAML."""
    try:
        yield from yaml.parse(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as wrong:
        raise _no_yaml(wrong, text) from None
    except (yaml.YAMLError, UnicodeError):
        raise UnreadableError(SourcePosition(1, 1), _NO_YAML) from None


def documents(events: Iterator[Event]) -> Iterator[Document]:
    """The documents that are not empty, in order. UnreadableError for invalid YAML or an exceeded limit."""
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
            document.wrong(event, "YAML tags are not supported; remove the %TAG line")
        if document is not None:
            yield document


def _document(root: Event, events: Iterator[Event]) -> Document | None:
    """The document that begins with `root`; None if it is empty."""
    if isinstance(root, ScalarEvent) and is_null(root) and root.anchor is None and root.tag is None:
        return None
    offset = root.start_mark.index if root.start_mark is not None else 0
    document = Document(position_of(root), offset, is_mapping=isinstance(root, MappingStartEvent))
    if not document.is_mapping:
        document.wrong(root, f"{_NO_MAPPING}, got {shown(root)}")
        _pass_over(root, events, depth=0)
        return document
    _refuse_properties(document, root)
    _read_entries(document, events)
    return document


def _read_entries(document: Document, events: Iterator[Event]) -> None:
    """Read the events up to the end of the mapping."""
    for key in events:
        if isinstance(key, MappingEndEvent):
            break
        _entry(document, key, events)


def nested_mapping(document: Document, entry: Entry) -> Document:
    """The mapping that is the entry's value; its errors are those of `document`."""
    inner = Document(position_of(entry.value or entry.key), document.offset, diagnostics=document.diagnostics)
    if isinstance(entry.value, MappingStartEvent):
        _read_entries(inner, iter(entry.inside))
    elif entry.value is not None:
        inner.wrong(entry.value, f"{_NO_MAPPING}, got {shown(entry.value)}")
    return inner


def nested_list(document: Document, entry: Entry, expected: str) -> list[ScalarEvent]:
    """The scalars of the list that is the entry's value; anything else is an error of `document`."""
    items = nested_items(document, entry, expected, ScalarEvent)
    return [item for item in items if isinstance(item, ScalarEvent)]


def nested_items(
    document: Document, entry: Entry, expected: str, *kinds: type[Event]
) -> Iterator[ScalarEvent | Document]:
    """The items of the list that is the entry's value: scalars, and mappings as documents of their own.

    An item of another kind, or a value that is no list, is an error of `document`.
    """
    if not isinstance(entry.value, SequenceStartEvent):
        if entry.value is not None:
            document.wrong(entry.value, f"{entry.key.value}: expected {expected}, got {shown(entry.value)}")
        return
    events = iter(entry.inside[:-1])
    for event in events:
        inside = _pass_over(event, events)
        if not _refuse_properties(document, event):
            continue
        if not isinstance(event, kinds):
            document.wrong(event, f"{entry.key.value}: expected {expected}, got {shown(event)} in it")
        elif isinstance(event, ScalarEvent):
            yield event
        else:
            yield nested_mapping(document, Entry(entry.key, event, inside))


def shown(value: Event) -> str:
    """The value in an error."""
    if isinstance(value, ScalarEvent):
        return quote_excerpt(value.value)
    return "a mapping" if isinstance(value, MappingStartEvent) else "a list"


def _entry(document: Document, key: Event, events: Iterator[Event]) -> None:
    """Read the key and its value from the events into the document."""
    if not isinstance(key, ScalarEvent):
        _pass_over(key, events)
        document.wrong(key, "field names must be plain strings; use `field: value`")
    value = next(events)
    inside = _pass_over(value, events)
    if not isinstance(key, ScalarEvent):
        return
    allowed = _refuse_properties(document, key)
    if key.value == "<<" and is_plain(key):
        document.wrong(key, '"<<": merge keys are not supported; repeat the fields, or use `preset`')
        return
    if (first := document.entries.get(key.value)) is not None:
        line = position_of(first.key).line
        document.wrong(
            key, f"duplicate field {quote_excerpt(key.value)}, first used on line {line}; remove one"
        )
        document.entries[key.value] = Entry(first.key, None)
        return
    allowed = _refuse_properties(document, value) and allowed
    document.entries[key.value] = Entry(key, value if allowed else None, inside)


def _pass_over(event: Event, events: Iterator[Event], depth: int = 1) -> tuple[Event, ...]:
    """Skip a nested value, which no field of a manifest may have, and return its events after `event`.

    UnreadableError if it is nested too deep.
    """
    nested = 0
    passed: list[Event] = []
    while True:
        if isinstance(event, CollectionStartEvent):
            nested += 1
            if depth + nested > MAX_DEPTH:
                raise UnreadableError(position_of(event), _TOO_DEEP)
        elif isinstance(event, CollectionEndEvent):
            nested -= 1
        if nested == 0:
            return tuple(passed)
        event = next(events)
        passed.append(event)


def _refuse_properties(document: Document, event: Event) -> bool:
    """Whether the node has no anchor, alias or tag; if it has, add an error to the document."""
    if isinstance(event, AliasEvent):
        document.wrong(
            event,
            f"{quote_excerpt(f'*{event.anchor}')}: YAML aliases are not supported; repeat the value",
        )
        return False
    if not isinstance(event, ScalarEvent | CollectionStartEvent):
        return True
    if event.anchor is not None:
        document.wrong(
            event, f"{quote_excerpt(f'&{event.anchor}')}: YAML anchors are not supported; remove it"
        )
    if event.tag is not None:
        document.wrong(
            event,
            f"{quote_excerpt(event.tag.replace(_CORE, '!!'))}: YAML tags are not supported; remove it",
        )
    return event.anchor is None and event.tag is None


NO_COLON: Final = "expected `: ` and a value after the field name"
NO_QUOTE: Final = "unterminated quoted string; close the quote"
NO_BRACKET: Final = "expected `,` or a closing bracket"
_NO_TABS: Final = "tabs are not allowed for indentation; use spaces"
_FIXES: Final = (
    ("nesting depth", _TOO_DEEP),
    ("tab character", _NO_TABS),
    (
        "mapping values",
        "unexpected `: `; put each field on its own line with the same indentation, or quote the value",
    ),
    ("expected ':'", NO_COLON),
    ("end of stream", NO_QUOTE),
    ("document indicator", NO_QUOTE),
    ("escape", "unknown escape sequence in double quotes; use the character itself, or single quotes"),
    ("expected ','", NO_BRACKET),
    ("expected key", "expected `field: value`; check the indentation"),
    ("document start", "unexpected content after the document; separate documents with ---"),
    ("directive", "unknown directive; remove the line"),
    ("incompatible", "manifests use YAML 1.1 or 1.2; remove the %YAML line"),
    ("tag", "YAML tags are not supported; remove it"),
    ("anchor", "YAML anchors are not supported; remove it"),
)


def _no_yaml(wrong: yaml.MarkedYAMLError, text: str) -> UnreadableError:
    """The parser's error as our text, with the characters at its position."""
    lines = LINE_BREAK.split(text)
    problem = wrong.problem or ""
    line, column = _place(wrong, lines)
    rest = lines[line][column:]
    return UnreadableError(
        SourcePosition(line + 1, column + 1),
        f"{quote_excerpt(rest or lines[line])}: {_fix(problem, rest[:1])}",
    )


def _place(wrong: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[int, int]:
    """The position, counted from 0; for an unclosed quote or bracket that of its start."""
    opened = wrong.context_mark
    place = wrong.problem_mark or opened
    at_end = place is None or place.line >= len(lines) or not lines[place.line][place.column :]
    in_text = "scalar" in (wrong.context or "") and "tab" not in (wrong.problem or "")
    if opened is not None and (at_end or in_text):
        place = opened
    if place is not None and place.line < len(lines):
        return place.line, place.column
    return max((n for n, line in enumerate(lines) if line.strip()), default=0), 0


def _fix(problem: str, char: str) -> str:
    if "cannot start any token" in problem and char != "\t":
        return f"a value cannot begin with {escape_unprintable(char)}; put it in quotes"
    if char == "\t":
        return _NO_TABS
    return next((fix for part, fix in _FIXES if part in problem), _NO_YAML)


def position_after(before: str) -> SourcePosition:
    """The position of the character after `before`."""
    lines = LINE_BREAK.split(before)
    return SourcePosition(len(lines), len(lines[-1]) + 1)
