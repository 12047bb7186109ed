"""Cached answers: each caller's rooms in order, and each room in JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from controller.records.record import RoomRecord, to_api_dict
from controller.sidecar.access_tokens import ApiCaller
from controller.sidecar.rooms.query import Order, sort_records

MOST_VIEWS: Final = 64
"""Maximum of cached lists."""


class ResponseCache:
    """A list is valid while the mapping of records is the same object: every change replaces it."""

    def __init__(self) -> None:
        self._records: Mapping[str, RoomRecord] = {}
        self._lists: dict[tuple[str | None, Order], Sequence[RoomRecord]] = {}
        self._sent: dict[str, tuple[RoomRecord, bytes]] = {}

    def list_for(
        self, records: Mapping[str, RoomRecord], caller: ApiCaller, order: Order
    ) -> Sequence[RoomRecord]:
        """The rooms that the caller may see, in that order. Do not change the list."""
        if records is not self._records:
            self._records, self._lists = records, {}
        view = (None if caller.admin else caller.user_id, order)
        kept = self._lists.get(view)
        if kept is None:
            if len(self._lists) >= MOST_VIEWS:
                self._lists = {}
            kept = self._lists[view] = sort_records(visible(records, caller), order)
        return kept

    def sent(self, record: RoomRecord) -> bytes:
        """The room as the reference returns it, in JSON."""
        kept = self._sent.get(record.id)
        if kept is None or kept[0] is not record:
            if len(self._sent) > 2 * len(self._records) + MOST_VIEWS:
                self._sent = {}  # drops removed rooms
            kept = self._sent[record.id] = record, json.dumps(to_api_dict(record)).encode()
        return kept[1]


def visible(records: Mapping[str, RoomRecord], caller: ApiCaller) -> list[RoomRecord]:
    """The rooms of the caller, without removed ones."""
    return [record for record in records.values() if record.removed_at is None and caller.owns(record)]
