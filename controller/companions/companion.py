"""The interface of a companion: a service for a room with people inside, next to the plan.

A companion decides in a pure function what a room needs next (decision.py), writes an attempt to the record
before it acts, checks the result, and reports a condition. It knows neither the loop nor another companion:
reconcile/companion_runner.py runs them all, and a fault in one never delays a room. app.py lists them.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from controller.clock import Clock
from controller.errors import LiveKitError
from controller.events.log import EventLog
from controller.live.ports import CompanionReader, LiveKitWriter
from controller.metrics import Metrics
from controller.plan.metadata import Owner
from controller.plan.model import Observed
from controller.records.ports import RoomStore
from controller.records.record import RoomRecord
from controller.state_cache import StateCache


@dataclass(frozen=True, slots=True)
class CompanionContext:
    """What companions are built with. `writer` writes only while the lease is held.

    `owner` hashes ids for what others can read. `later` requests another pass after a number of seconds.
    """

    store: RoomStore
    reader: CompanionReader
    writer: LiveKitWriter
    state: StateCache
    clock: Clock
    metrics: Metrics
    events: EventLog
    owner: Owner
    later: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class NewCondition:
    """A condition of a room now; the status writer adds the time of its last transition.

    `is_steady`: it changes only with the room's record and its live room, so it need not be asked for again.
    """

    type: str
    status: str
    reason: str
    message: str = ""
    is_steady: bool = False


class Companion(Protocol):
    """One kind of service. Coroutines raise StoreError's and LiveKitError's kinds, and LeaseLostError.

    `name` is its name in the log and in its tasks' names.
    """

    name: str

    async def observe(self) -> None:
        """Read LiveKit's listing in each pass, at the same time as its rooms and before the records.

        Never fails: an error is remembered, and `due` and `condition` show it.
        """

    async def load(self) -> None:
        """Read what an earlier holder of the lease left. Called first in each pass."""

    def due(self, observed: Observed, queued: AbstractSet[str], *, audit: bool) -> AbstractSet[str] | None:
        """The ids of the rooms to check; None while that is impossible.

        `queued` are live rooms with new events. `audit`: some rooms without events are checked too.
        """

    async def step(self, room_id: str) -> bool:
        """Read, decide, take one step for the room; whether the next pass should check it again at once."""

    async def before_deletion(self, record: RoomRecord, name: str) -> None:
        """End the service before the live room `name` is deleted. Waits at most 5 s, and never fails."""

    def condition(self, record: RoomRecord) -> NewCondition | None:
        """The condition of a room; None if the room does not need the service."""

    def conditions_without_livekit(self, error: LiveKitError) -> Iterable[tuple[RoomRecord, NewCondition]]:
        """The conditions of rooms while LiveKit is unavailable."""

    def concerns(self, record: RoomRecord) -> bool:
        """Whether webhooks about its live room may need work."""

    def on_standby(self) -> None:
        """Another controller holds the lease: forget all, and read it again when we hold the lease."""


CompanionFactory: TypeAlias = Callable[[CompanionContext], Companion]
"""Makes a companion once the records are open."""
