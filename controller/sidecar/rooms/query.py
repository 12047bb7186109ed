"""filter and sort, compiled from an allow-list into plain Python (docs/http-api.md#filter-and-sort). Pure.

The rooms are in memory, so the caller's input never reaches a database: a filter becomes a predicate of the
closures below, each over one field of the table and one operand of that field's type.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, WithJsonSchema

from controller.records.record import RoomRecord
from controller.room import FIELDS, REFERENCE_FIELDS
from controller.sidecar.http.body import invalid
from controller.sidecar.http.models import problem, unknown

MAX_FILTER_DEPTH: Final = 3
"""Maximum nesting of $and and $or."""
MAX_FILTER_TERMS: Final = 32
"""Maximum of comparisons in one filter."""

Predicate: TypeAlias = Callable[[RoomRecord], bool]
Order: TypeAlias = tuple[tuple[str, int], ...]
"""Field names with 1 or -1, the first counts most."""

DEFAULT_ORDER: Final[Order] = (("created", 1),)

_TIME: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+-]\d{2}:\d{2}))", re.ASCII
)


def _moment(value: Any) -> datetime:
    """RFC 3339; digits beyond microseconds are cut."""
    match = _TIME.fullmatch(value) if type(value) is str else None
    try:
        moment = _parsed(*match.groups()) if match is not None else None
    except (ValueError, OverflowError):  # an invalid day or offset, or beyond the calendar
        moment = None
    if moment is None:
        raise ValueError("must be a time such as 2026-03-24T16:00:00.000Z")
    return moment


def _parsed(date: str, time: str, fraction: str | None, _: str | None, offset: str | None) -> datetime:
    text = f"{date}T{time}.{(fraction or '')[:6]:0<6}{offset or '+00:00'}"
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class QueryField:
    """How a record's value is read, and the type of its operands.

    `is_ordered`: supports ranges. `is_nullable`: null is a value, which is in no range.
    """

    get: Callable[[RoomRecord], Any]
    operand: TypeAdapter[Any]
    is_ordered: bool = True
    is_nullable: bool = False

    def read(self, operand: Any) -> Any:
        """Parse an operand. ValueError has its rule."""
        if operand is None and self.is_nullable:
            return None
        try:
            return self.operand.validate_python(operand, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(problem(first["type"], first.get("ctx", {}))) from None


_TEXT: Final = TypeAdapter[Any](str)
_OPERANDS: Final[Mapping[type, TypeAdapter[Any]]] = {
    bool: TypeAdapter(bool),
    int: TypeAdapter(Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]),
    datetime: TypeAdapter(
        Annotated[Any, AfterValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
    ),
}


def _field(path: str, kind: type = str, *, is_nullable: bool = False) -> QueryField:
    operand = _OPERANDS.get(kind, _TEXT)
    return QueryField(operator.attrgetter(path), operand, kind is not bool, is_nullable)


QUERY_FIELDS: Final[Mapping[str, QueryField]] = {
    "_id": _field("id"),
    "id": _field("id"),
    **{name: _field(f"spec.{name}", FIELDS[name].kind) for name in REFERENCE_FIELDS},
    "sid": _field("sid", is_nullable=True),
    "created": _field("created", datetime),
    "modified": _field("modified", datetime),
}

NAMES: Final = tuple(QUERY_FIELDS)
"""The fields that a filter or a sort may name."""

RANGES: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
OPERATORS: Final = ("$eq", "$ne", "$in", "$nin", *RANGES)
LOGICAL: Final = ("$and", "$or")


# -- filter ---------------------------------------------------------------------------------------------


def compile_filter(content: Any) -> Predicate:
    """A predicate on rooms. ApiError (INVALID_FIELD) names the problem."""
    return _Filter().read(content, 0)


class _Filter:
    """Compiles one filter, and counts its comparisons."""

    def __init__(self) -> None:
        self._terms = 0

    def read(self, content: Any, depth: int) -> Predicate:
        if type(content) is not dict:
            raise invalid("filter", "must be an object, and so must be each part of $and and $or")
        if not content:
            self._count()
        return _every([self._part(name, value, depth) for name, value in content.items()])

    def _part(self, name: str, value: Any, depth: int) -> Predicate:
        if name in LOGICAL:
            return self._branches(name, value, depth + 1)
        field = _known_field(name, "filter", LOGICAL)
        if type(value) is not dict:
            return self._compare(name, field, "$eq", value)
        if not value:
            raise invalid(f"filter.{name}", f"must be a value, or an object of {', '.join(OPERATORS)}")
        return _every([self._compare(name, field, word, operand) for word, operand in value.items()])

    def _branches(self, name: str, value: Any, depth: int) -> Predicate:
        if type(value) is not list or not value:
            raise invalid(f"filter.{name}", "must be a list of filters, and not empty")
        if depth > MAX_FILTER_DEPTH:
            raise invalid("filter", f"nests $and and $or deeper than {MAX_FILTER_DEPTH}; nest fewer")
        parts = [self.read(each, depth) for each in value]
        return _every(parts) if name == "$and" else _some(parts)

    def _compare(self, name: str, field: QueryField, word: str, operand: Any) -> Predicate:
        self._count()
        if word not in OPERATORS:
            raise unknown(f"filter.{name}: unknown operator", word, OPERATORS)
        try:
            return _comparison(field, word, operand)
        except ValueError as wrong:
            raise invalid(f"filter.{name}", str(wrong)) from None

    def _count(self) -> None:
        self._terms += 1
        if self._terms > MAX_FILTER_TERMS:
            raise invalid("filter", f"has more than {MAX_FILTER_TERMS} terms; use fewer")


def _comparison(field: QueryField, word: str, operand: Any) -> Predicate:
    """ValueError if the operand does not fit. As in MongoDB an absent sid is null, and in no range."""
    get = field.get
    match word:
        case "$eq" | "$ne":
            value, same = field.read(operand), word == "$eq"
            return lambda record: (get(record) == value) is same
        case "$in" | "$nin":
            values, among = _several(field, operand), word == "$in"
            return lambda record: (get(record) in values) is among
        case _:
            return _range(field, RANGES[word], operand)


def _several(field: QueryField, operand: Any) -> frozenset[Any]:
    if type(operand) is not list:
        raise ValueError("must have a list beside $in and $nin")
    return frozenset(field.read(each) for each in operand)


def _range(field: QueryField, compare: Callable[[Any, Any], bool], operand: Any) -> Predicate:
    get, limit = field.get, field.read(operand)
    if not field.is_ordered or limit is None:
        raise ValueError("does not support range operators; use $eq, $ne, $in or $nin")
    return lambda record: (value := get(record)) is not None and compare(value, limit)


def _every(parts: Sequence[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    return lambda record: all(holds(record) for holds in parts)


def _some(parts: Sequence[Predicate]) -> Predicate:
    return lambda record: any(holds(record) for holds in parts)


def _known_field(name: str, place: str, words: tuple[str, ...] = ()) -> QueryField:
    field = QUERY_FIELDS.get(name)
    if field is None:
        raise unknown(f"{place}: unknown field", name, (*NAMES, *words))
    return field


# -- sort -----------------------------------------------------------------------------------------------


def parse_sort(content: Any) -> Order:
    """The order; an empty sort is the default. ApiError (INVALID_FIELD) names the problem."""
    if type(content) is not dict:
        raise invalid("sort", 'must be an object such as {"created": 1}')
    for name, direction in content.items():
        _known_field(name, "sort")
        if type(direction) is not int or direction not in (1, -1):
            raise invalid(f"sort.{name}", "must be 1 or -1")
    return tuple(content.items()) or DEFAULT_ORDER


def sort_records(records: Iterable[RoomRecord], order: Order) -> list[RoomRecord]:
    """The records in that order; ties by id, and null before everything."""
    result = sorted(records, key=operator.attrgetter("id"))
    for name, direction in reversed(order):
        result.sort(key=_sort_key(name), reverse=direction < 0)
    return result


def _sort_key(name: str) -> Callable[[RoomRecord], Any]:
    get = QUERY_FIELDS[name].get
    return get if name != "sid" else lambda record: (record.sid is not None, record.sid or "")
