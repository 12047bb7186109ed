"""Records to test with."""

from datetime import UTC, datetime

from controller.records.record import Condition, LiveName, Origin, RoomRecord, Status
from controller.records.record_cache import RecordCache
from controller.room import RoomSpec

NOW = datetime(2026, 3, 24, 16, 0, 0, 123000, tzinfo=UTC)


def room(number: int = 1, *, live: str | None = None, **spec: object) -> RoomRecord:
    """The record of a manifest room; `live` is its LiveKit name."""
    fields = {"name": f"Room {number}", "max_participants": 20, **spec}
    return RoomRecord(
        id=f"{number:024x}",
        key=f"events/room-{number}",
        origin=Origin.MANIFEST,
        file=f"events/room-{number}.yaml",
        spec=RoomSpec.model_validate(fields),
        created=NOW,
        modified=NOW,
        live=None if live is None else LiveName(live),
    )


def records(*rooms: RoomRecord) -> RecordCache:
    """What a process knows where these are on record."""
    memory = RecordCache()
    memory.replace(rooms)
    return memory


def status(generation: int) -> Status:
    return Status(generation, (Condition("Ready", "True", "Converged", "", NOW),))
