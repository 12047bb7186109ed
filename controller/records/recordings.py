"""The collection `recordings`, which MongoDB keeps longer than LiveKit does. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

Document = dict[str, Any]


class DamagedRowError(ValueError):
    """A document of `recordings` that is not a row; the text names the field and contains no value."""


class RecordingState(StrEnum):
    """The state of a recording; `lost`: its worker disappeared, and the file may be missing."""

    RECORDING = "recording"
    COMPLETE = "complete"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One egress of ours. `file` is a path as the egress worker sees it, or s3://BUCKET/KEY.

    Times are UTC with whole milliseconds. `recorded_from` is when the file begins, None while the worker is
    still starting. `error` is a text of ours, '' if nothing failed.
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
    """0 if one of them is not known, or their clocks disagree."""
    if since is None or until is None:
        return 0.0
    return max(0.0, (until - since).total_seconds())


class RecordingStore(Protocol):
    """The collection. Raises only StoreError's kinds; only the holder of the lease writes it.

    A document that is not a row is ignored; the others are read.
    """

    async def put(self, row: RecordingRow) -> None:
        """Write the row; it replaces any earlier one of this egress id."""

    async def unfinished(self) -> list[RecordingRow]:
        """The rows in the state `recording`."""

    async def lost(self) -> frozenset[str]:
        """The egress ids in the state `lost`."""

    async def find(self, room_ids: frozenset[str] | None = None) -> list[RecordingRow]:
        """The rows of these rooms (None: all), the latest first."""

    async def find_by_names(self, names: frozenset[str]) -> list[RecordingRow]:
        """The rows of rooms with one of these names: a key, a room id, or a key as text shows it."""


_STORED_NAMES: Final = {"egress_id": "_id", "size": "bytes"}
"""Document names of fields that differ from the row's."""


def encode_row(row: RecordingRow) -> Document:
    stored = {_STORED_NAMES.get(each.name, each.name): getattr(row, each.name) for each in fields(row)}
    return {**stored, "state": str(row.state)}


def decode_row(document: Mapping[str, Any]) -> RecordingRow:
    """The row in `document`, absent fields with their defaults. DamagedRowError if it is not one."""
    started, ended = document.get("started"), document.get("ended")
    recorded_from = document.get("recorded_from")
    if not isinstance(started, datetime) or not isinstance(ended, datetime | None):
        raise DamagedRowError("started or ended is not a time")
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
    """Sorted by time, the latest first; those of the same time by id."""
    return sorted(rows, key=lambda row: (row.started, row.egress_id), reverse=True)


def _text(document: Mapping[str, Any], field: str) -> str:
    value = document.get(field)
    if not isinstance(value, str):
        raise DamagedRowError(f"{field} is not text")
    return value


def _number(document: Mapping[str, Any], field: str) -> float:
    value = document.get(field) or 0
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise DamagedRowError(f"{field} is not a number")
    return value
