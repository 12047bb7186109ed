"""The recordings as MongoDB remembers them, longer than LiveKit does: the collection `recordings`. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

Document = dict[str, Any]


class DamagedRowError(ValueError):
    """A document of `recordings` that is no row; the text names the field, and holds no value."""


class RecordingState(StrEnum):
    """What became of a recording; `lost`: its worker went without a word, and so perhaps did the file."""

    RECORDING = "recording"
    COMPLETE = "complete"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One egress of ours. `file` is a path as the egress worker sees it, or s3://BUCKET/KEY.

    Times are UTC with whole milliseconds. `recorded_from` is when the file begins, None while the worker is
    still starting. `error` is a sentence of ours, '' where nothing went wrong.
    """

    egress_id: str
    key: str
    room_id: str
    file: str
    started: datetime
    ended: datetime | None = None
    seconds: float = 0.0
    size: int = 0
    state: RecordingState = RecordingState.RECORDING
    error: str = ""
    recorded_from: datetime | None = None


def seconds_between(since: datetime | None, until: datetime | None) -> float:
    """0 where one of them is not known, or their clocks disagree."""
    if since is None or until is None:
        return 0.0
    return max(0.0, (until - since).total_seconds())


class RecordingStore(Protocol):
    """The collection. Raises only StoreError's kinds; written by the holder of the lease alone.

    A document that is no row is left alone and left out; the others are read as ever.
    """

    async def put(self, row: RecordingRow) -> None:
        """Write the row, whatever stood under its egress id before."""
        ...

    async def unfinished(self) -> list[RecordingRow]:
        """The rows that still say `recording`."""
        ...

    async def lost(self) -> frozenset[str]:
        """The egress ids of those that were lost."""
        ...

    async def find(self, room_ids: frozenset[str] | None = None) -> list[RecordingRow]:
        """The rows of these rooms (None: all), the latest first."""
        ...

    async def find_by_names(self, names: frozenset[str]) -> list[RecordingRow]:
        """The rows whose room went by one of these names: its key, its id, or its key as text shows it."""
        ...


_STORED_NAMES: Final = {"egress_id": "_id", "size": "bytes"}
"""Where a field of the document is not named as the row's."""


def encode_row(row: RecordingRow) -> Document:
    stored = {_STORED_NAMES.get(each.name, each.name): getattr(row, each.name) for each in fields(row)}
    return {**stored, "state": str(row.state)}


def decode_row(document: Mapping[str, Any]) -> RecordingRow:
    """The row in `document`, absent fields as their defaults. DamagedRowError where it is none."""
    started, ended = document.get("started"), document.get("ended")
    recorded_from = document.get("recorded_from")
    if not isinstance(started, datetime) or not isinstance(ended, datetime | None):
        raise DamagedRowError("started or ended is no time")
    state = document.get("state")
    if state not in list(RecordingState):
        raise DamagedRowError("state has an unknown value")
    return RecordingRow(
        egress_id=_text(document, "_id"),
        key=_text(document, "key"),
        room_id=_text(document, "room_id"),
        file=_text(document, "file"),
        started=started,
        ended=ended,
        seconds=float(_number(document, "seconds")),
        size=int(_number(document, "bytes")),
        state=RecordingState(state),
        error=str(document.get("error") or ""),
        recorded_from=recorded_from if isinstance(recorded_from, datetime) else None,
    )


def latest_first(rows: Iterable[RecordingRow]) -> list[RecordingRow]:
    """In the order people read them; two of one moment by their ids."""
    return sorted(rows, key=lambda row: (row.started, row.egress_id), reverse=True)


def _text(document: Mapping[str, Any], field: str) -> str:
    value = document.get(field)
    if not isinstance(value, str):
        raise DamagedRowError(f"{field} is no text")
    return value


def _number(document: Mapping[str, Any], field: str) -> float:
    value = document.get(field) or 0
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise DamagedRowError(f"{field} is no number")
    return value
