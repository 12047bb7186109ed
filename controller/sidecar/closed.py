"""The refusal of a room outside its open hours: the same for every call and for the join page."""

import math
from datetime import datetime
from typing import Final

from controller.hours import Opening
from controller.records.record import RoomRecord
from controller.room import format_time
from controller.sidecar.http.response import ApiError, Code
from controller.state_cache import StateCache

NEVER_RETRY_SECONDS: Final = 3600
"""When to ask again whether a room that does not open again has new hours."""


def closed_error(state: StateCache, record: RoomRecord, now: datetime) -> ApiError | None:
    """ROOM_CLOSED if newcomers are not admitted to the room; a room that is held does not close."""
    opening = record.spec.opening(now)
    if opening.is_open(now):
        return None
    held = state.live_room(record) is not None and record.hold_at(now, state.records.hold_all) is not None
    return None if held else _refusal(opening, now)


def _refusal(opening: Opening, now: datetime) -> ApiError:
    opens = opening.opens(now)
    if opens is None:
        text, wait, then = None, NEVER_RETRY_SECONDS, "and does not open again"
    else:
        text, wait = format_time(opens), max(1, math.ceil((opens - now).total_seconds()))
        then = f"and opens at {text}"
    what = f"The room is closed, {then}"
    return ApiError(Code.ROOM_CLOSED, what, headers={"Retry-After": str(wait)}, more={"opens": text})
