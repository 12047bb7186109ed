"""The first page of getAll over 10,000 rooms, against a plain scan. `python -m tests.bench.list_rooms`

Both give the same bytes; HTTP is left out of both. The plain scan filters, sorts and writes JSON each time.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from controller.records.record import RoomRecord, to_api_dict
from controller.sidecar.access_tokens import ApiCaller
from controller.sidecar.rooms.query import DEFAULT_ORDER
from controller.sidecar.rooms.response_cache import ResponseCache
from tests.support.rooms import NOW, room

ROOMS, MAX_PAGE_SIZE, ROUNDS = 10_000, 100, 15
USERS = 10
ANNA = ApiCaller("user-0", admin=False)


def main() -> None:
    records = {each.id: each for each in map(_room, range(1, ROOMS + 1))}
    views = ResponseCache()
    assert _page(views, records) == _scan(records)
    plain = _cpu(lambda: _scan(records))
    again = _cpu(lambda: _page(views, records))
    changed = _cpu(lambda: _page(views, dict(records)))
    print(f"first {MAX_PAGE_SIZE} of {ROOMS:,} rooms, {ROOMS // USERS:,} of them the caller's")
    print(f"plain scan: {plain * 1000:.2f} ms of CPU")
    print(f"getAll: {plain / again:.0f} times as fast; {plain / changed:.1f} times where a room has changed")
    print(f"measured on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")


def _room(number: int) -> RoomRecord:
    made = room(number, user_id=f"user-{number % USERS}")
    return replace(made, created=NOW - timedelta(seconds=number))


def _page(views: ResponseCache, records: Mapping[str, RoomRecord]) -> Sequence[bytes]:
    return [views.sent(record) for record in views.list_for(records, ANNA, DEFAULT_ORDER)[:MAX_PAGE_SIZE]]


def _scan(records: Mapping[str, RoomRecord]) -> Sequence[bytes]:
    mine = [record for record in records.values() if record.spec.user_id == ANNA.user_id]
    mine.sort(key=lambda record: (record.created, record.id))
    return [json.dumps(to_api_dict(record)).encode() for record in mine[:MAX_PAGE_SIZE]]


def _cpu(act: Callable[[], object]) -> float:
    """CPU seconds of one call, the median of several."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        act()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
