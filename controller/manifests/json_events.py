r"""Parses JSON into the events of libyaml, so that both have the same reader. Pure.

libyaml accepts more than JSON (comments, single quotes, `name: A`), but not `\/` and surrogate pairs.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

from yaml import Mark
from yaml.events import (
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from controller.manifests.document import (
    LINE_BREAK,
    NO_BRACKET,
    NO_COLON,
    NO_QUOTE,
    UnreadableError,
)
from controller.manifests.snapshot import SourcePosition
from controller.text import quote_excerpt

_LEXEME = re.compile(r'[][{},:]|"(?:[^"\\\r\n]|\\[^\r\n])*"|"|[^][{},:" \t\r\n]+')
_PLAIN = re.compile(r'"[^"\\\t]*"\Z')
_LITERAL = re.compile(r"(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)\Z")
_COLLECTIONS: Final[Mapping[str, tuple[type[CollectionStartEvent], Event, str]]] = {
    "{": (MappingStartEvent, MappingEndEvent(), "}"),
    "[": (SequenceStartEvent, SequenceEndEvent(), "]"),
}
_NO_NAME: Final = "expected a field name in double quotes (JSON has no comments)"
_NO_VALUE: Final = (
    "expected a JSON value; use text in double quotes, a decimal number, true, false or null, "
    "or rename a file with YAML to .yaml"
)
_NO_ESCAPE: Final = r"invalid escape sequence or tab in a string; use \" \\ \/ \b \f \n \r \t or \uXXXX"
_TWO_VALUES: Final = "unexpected content after the document; a JSON file holds one manifest"
_COMMA: Final = "JSON has no trailing commas; remove it"


def json_events(text: str) -> Iterator[Event]:
    """The events of one JSON document. UnreadableError at the position of invalid JSON."""
    return _Json(text).document()


class _Json:
    """One text, and its next lexeme: "" at the end. The reader of the events limits the depth."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [0, *(match.end() for match in LINE_BREAK.finditer(text))]
        self._matches = _LEXEME.finditer(text)
        self._opened: list[int] = []
        self._advance()

    def document(self) -> Iterator[Event]:
        if self._lexeme:
            yield DocumentStartEvent()
            yield from self._value()
        if self._lexeme:
            self._refuse(_TWO_VALUES)

    def _value(self) -> Iterator[Event]:
        if self._lexeme not in _COLLECTIONS:
            yield self._scalar()
            return
        start, end, bracket = _COLLECTIONS[self._lexeme]
        yield start(None, None, implicit=True, start_mark=self._mark(self._offset))
        self._opened.append(self._offset)
        self._advance()
        while self._lexeme != bracket:
            if bracket == "}":
                yield self._name()
            yield from self._value()
            self._end_item(bracket)
        self._opened.pop()
        self._advance()
        yield end

    def _name(self) -> ScalarEvent:
        """A field's name, and the colon after it."""
        if self._lexeme[:1] != '"':
            self._refuse(_NO_NAME)
        name = self._scalar()
        if self._lexeme != ":":
            self._refuse(NO_COLON)
        self._advance()
        return name

    def _end_item(self, bracket: str) -> None:
        """A comma before another item, or the end of the collection."""
        comma = self._offset
        if self._lexeme == ",":
            self._advance()
            if self._lexeme == bracket:
                self._refuse(_COMMA, comma)
        elif self._lexeme != bracket:
            self._refuse(NO_BRACKET)

    def _scalar(self) -> ScalarEvent:
        lexeme, mark = self._lexeme, self._mark(self._offset)
        if lexeme[:1] == '"':
            scalar = ScalarEvent(None, None, (False, True), self._string(), mark, style='"')
        elif _LITERAL.match(lexeme):
            scalar = ScalarEvent(None, None, (True, False), lexeme, mark)
        else:
            self._refuse(_NO_VALUE)
        self._advance()
        return scalar

    def _string(self) -> str:
        if self._lexeme == '"':
            self._refuse(NO_QUOTE)
        if _PLAIN.match(self._lexeme):
            return self._lexeme[1:-1]
        try:
            value: str = json.loads(self._lexeme)
            value.encode()  # refuses half of a surrogate pair
        except ValueError:
            self._refuse(_NO_ESCAPE)
        return value

    def _advance(self) -> None:
        match = next(self._matches, None)
        self._lexeme, self._offset = (match.group(), match.start()) if match else ("", len(self._text))

    def _mark(self, offset: int) -> Mark:
        line = bisect_right(self._lines, offset) - 1
        return Mark("", offset, line, offset - self._lines[line], None, 0)

    def _refuse(self, message: str, offset: int | None = None) -> NoReturn:
        """An error at the lexeme, or at the unclosed bracket if the text has ended."""
        offset = self._offset if offset is None else offset
        if not self._lexeme and self._opened:
            offset, message = self._opened[-1], NO_BRACKET
        mark, rest = self._mark(offset), LINE_BREAK.split(self._text[offset:], maxsplit=1)[0]
        position = SourcePosition(mark.line + 1, mark.column + 1)
        raise UnreadableError(position, f"{quote_excerpt(rest)}: {message}")
