"""The recordings as MongoDB remembers them, for longer than LiveKit does: the collection `recordings`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

Document = dict[str, Any]


class RecordingState(StrEnum):
    """What became of a recording; `lost`: its worker went without a word, and so perhaps did the file."""

    RECORDING = "recording"
    COMPLETE = "complete"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One egress of ours. `file` is a path as the egress worker sees it, or s3://BUCKET/KEY.

    Times are UTC with whole milliseconds. `error` is a sentence of ours, '' where nothing went wrong.
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


class RecordingStore(Protocol):
    """The collection. Raises only StoreError's kinds; written by the holder of the lease alone."""

    async def put(self, row: RecordingRow) -> None:
        """Write the row, whatever stood under its egress id before."""
        ...

    async def unsettled(self) -> list[RecordingRow]:
        """The rows that still say `recording`."""
        ...

    async def lost(self) -> frozenset[str]:
        """The egress ids of those that were lost."""
        ...

    async def find(self, room_ids: frozenset[str] | None = None) -> list[RecordingRow]:
        """The rows of these rooms (None: all), the latest first."""
        ...


def encode_row(row: RecordingRow) -> Document:
    return {
        "_id": row.egress_id,
        "key": row.key,
        "room_id": row.room_id,
        "file": row.file,
        "started": row.started,
        "ended": row.ended,
        "seconds": row.seconds,
        "bytes": row.size,
        "state": str(row.state),
        "error": row.error,
    }


def decode_row(document: Mapping[str, Any]) -> RecordingRow:
    """The row in `document`; what a hand damaged has the default of its field."""
    return RecordingRow(
        egress_id=str(document["_id"]),
        key=str(document.get("key", "")),
        room_id=str(document.get("room_id", "")),
        file=str(document.get("file", "")),
        started=document["started"],
        ended=document.get("ended"),
        seconds=float(document.get("seconds") or 0),
        size=int(document.get("bytes") or 0),
        state=RecordingState(document.get("state", "lost")),
        error=str(document.get("error") or ""),
    )
