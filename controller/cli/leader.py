"""The controller that acts on the records, and whether its reports are current. Pure, except one read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from controller.manifests.snapshot import RoomsDirState
from controller.reconcile.peers import LIVEKIT_AWAY_SECONDS
from controller.records.ports import HeldRecords, Holder
from controller.records.replicas import Replica
from controller.room import format_time

CONTROLLER_STALE_AFTER: Final = timedelta(seconds=30)
"""After this time without an update from a controller, reported conditions count as unknown."""


@dataclass(frozen=True, slots=True)
class Leader:
    """The holder of the lease, and its replica document. `apply` has none, and counts as healthy."""

    holder: Holder | None = None
    replica: Replica | None = None

    def is_stale(self, now: datetime) -> bool:
        """Whether no controller has been active for 30 s."""
        return self.holder is None or now - self.holder.renewed > CONTROLLER_STALE_AFTER

    @property
    def livekit_lost_since(self) -> datetime | None:
        """Since when LiveKit has not responded to it, if that is 15 s or more; otherwise None."""
        me = self.replica
        if me is None:
            return None
        since = me.started if me.livekit_age_s is None else me.written - timedelta(seconds=me.livekit_age_s)
        return since if (me.written - since).total_seconds() > LIVEKIT_AWAY_SECONDS else None

    @property
    def problem(self) -> str:
        """Why its reports are not reliable; '' if they are."""
        if self.livekit_problem:
            return self.livekit_problem
        me = self.replica
        if me is None or me.rooms_dir not in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE):
            return ""
        return f"the controller cannot read its rooms directory: {me.rooms_dir_problem}"

    @property
    def livekit_problem(self) -> str:
        """Since when it has no response from LiveKit, and why; '' if it has."""
        if self.replica is None or self.livekit_lost_since is None:
            return ""
        since, error = format_time(self.livekit_lost_since), self.replica.livekit_error or "none yet"
        return f"the controller has had no answer from LiveKit since {since}: {error}"


async def read_leader(store: HeldRecords) -> Leader:
    """The holder and its document, read now. StoreError's kinds."""
    holder = await store.holder()
    if holder is None or holder.verb != "run":
        return Leader(holder)
    return leader_of(holder, await store.replicas.all())


def leader_of(holder: Holder | None, replicas: Iterable[Replica]) -> Leader:
    """The holder, and its own document among `replicas`."""
    documents = (each for each in replicas if holder is not None and each.id == holder.id)
    return Leader(holder, next(documents, None))
