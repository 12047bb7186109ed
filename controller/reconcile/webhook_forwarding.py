"""A webhook finds the holder of the lease, whichever replica LiveKit told."""

from collections.abc import Callable, Mapping

from controller.live.webhook import Hint
from controller.reconcile.triggers import Watched, of_use
from controller.records.ports import ForwardedEvent, Lease, Relay
from controller.records.record import RoomRecord
from controller.state_cache import Known


class Handover:
    """Hints of one process: acted on (`act`) while it holds the lease, handed on while it stands by."""

    def __init__(
        self, act: Callable[[Hint], None], lease: Lease, known: Known, relay: Relay, instance: str
    ) -> None:
        self._act, self._lease, self._known, self._relay = act, lease, known, relay
        self._watched = Watched(instance=instance)
        self._records: Mapping[str, RoomRecord] | None = None

    def hint(self, hint: Hint) -> None:
        """A verified webhook. Waits for nothing and never fails; while MongoDB is away a standby drops it."""
        if self._lease.held:
            self._act(hint)
        elif self._known.mongodb.up and of_use(hint, self._known.live, self._rooms()):
            self._relay.enqueue(ForwardedEvent(hint.event, hint.room, hint.sid, hint.kind))

    def take(self) -> None:
        """Act on what was handed on. One that stands by lets it go: whoever acts has read it too."""
        for told in self._relay.pop_all():
            if self._lease.held:
                self._act(Hint(told.event, room=told.room, sid=told.sid, kind=told.kind))

    def _rooms(self) -> Watched:
        """The rooms that are ours; gathered anew only when a record changed."""
        records = self._known.records.by_id  # replaced as a whole where one of them changes
        if records is not self._records:
            names = frozenset(record.live.name for record in records.values() if record.live is not None)
            self._records, self._watched = records, Watched(ours=names, instance=self._watched.instance)
        return self._watched
