"""A webhook finds the holder of the lease, whichever replica LiveKit told."""

from collections.abc import Callable, Mapping

from controller.live.webhook import WebhookEvent
from controller.reconcile.triggers import WatchedRooms, is_relevant
from controller.records.ports import ForwardedEvent, Lease, Relay
from controller.records.record import RoomRecord
from controller.state_cache import StateCache


class WebhookForwarder:
    """Hints of one process: acted on (`act`) while it holds the lease, handed on while it stands by."""

    def __init__(
        self,
        act: Callable[[WebhookEvent], None],
        lease: Lease,
        state: StateCache,
        relay: Relay,
        instance: str,
    ) -> None:
        self._act, self._lease, self._state, self._relay = act, lease, state, relay
        self._watched = WatchedRooms(instance=instance)
        self._records: Mapping[str, RoomRecord] | None = None

    def on_webhook(self, event: WebhookEvent) -> None:
        """A verified webhook. Waits for nothing and never fails; while MongoDB is away a standby drops it."""
        if self._lease.held:
            self._act(event)
        elif self._state.mongodb.up and is_relevant(event, self._state.live, self._rooms()):
            self._relay.enqueue(ForwardedEvent(event.event, event.room, event.sid, event.kind))

    def forward_received(self) -> None:
        """Act on what was handed on. One that stands by lets it go: whoever acts has read it too."""
        for event in self._relay.pop_all():
            if self._lease.held:
                self._act(WebhookEvent(event.event, room=event.room, sid=event.sid, kind=event.kind))

    def _rooms(self) -> WatchedRooms:
        """The rooms that are ours; gathered anew only when a record changed."""
        records = self._state.records.by_id  # replaced as a whole where one of them changes
        if records is not self._records:
            names = frozenset(record.live.name for record in records.values() if record.live is not None)
            self._records, self._watched = records, WatchedRooms(ours=names, instance=self._watched.instance)
        return self._watched
