"""The frame of a companion: what serves a room beside the plan while people are inside.

A companion decides purely what a room needs next (decision.py), writes an attempt to the record before the
act, acts, looks again, and says how it stands as a condition. It knows neither the loop nor another
companion: the reconciler drives them all (reconcile/companion_runner.py), and a fault in one never holds a
room back. app.py lists them all.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from controller.clock import Clock
from controller.errors import LiveKitError
from controller.events.log import EventLog
from controller.live.ports import EgressReader, LiveKitWriter
from controller.metrics import Metrics
from controller.plan.model import Observed
from controller.records.ports import RoomStore
from controller.records.record import RoomRecord
from controller.state_cache import StateCache


@dataclass(frozen=True, slots=True)
class CompanionContext:
    """What companions are built with. `writer` writes only while the lease is held.

    `later` asks for another pass in so many seconds.
    """

    store: RoomStore
    reader: EgressReader
    writer: LiveKitWriter
    state: StateCache
    clock: Clock
    metrics: Metrics
    events: EventLog
    later: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class NewCondition:
    """What there is to say of a room now; since when is added by who writes the status."""

    type: str
    status: str
    reason: str
    message: str = ""


class Companion(Protocol):
    """One kind of service. What is awaited raises StoreError's and LiveKitError's kinds, and LeaseLostError.

    `name` is the word for it in the log and in the names of its tasks.
    """

    name: str

    async def observe(self) -> None:
        """Ask LiveKit for what is listed once in each pass, beside its rooms and before the records are read.

        Never fails: what LiveKit did not tell is remembered, and `due` and `condition` say so.
        """

    async def load(self) -> None:
        """Read what an earlier holder of the lease left. Called first in each pass."""

    def due(self, observed: Observed, queued: AbstractSet[str], *, audit: bool) -> AbstractSet[str] | None:
        """The ids of the rooms that need a look; None while nobody can look.

        `queued` are live rooms in which something happened. `audit`: quiet rooms have their turn as well.
        """

    async def step(self, room_id: str) -> bool:
        """Look, decide, do one thing for the room; whether the next pass should look again at once."""

    async def before_deletion(self, record: RoomRecord, name: str) -> None:
        """The live room `name` goes: what serves it there ends first. Waits 5 s at most, and never fails."""

    def condition(self, record: RoomRecord) -> NewCondition | None:
        """What it says of a room; None where nothing is wanted of it."""

    def conditions_without_livekit(self, error: LiveKitError) -> Iterable[tuple[RoomRecord, NewCondition]]:
        """What it says of which rooms while LiveKit tells nothing."""

    def concerns(self, record: RoomRecord) -> bool:
        """Whether webhooks about its live room may mean work."""

    def on_standby(self) -> None:
        """Another holds the lease: what is remembered of rooms is read again when it is our turn."""


CompanionFactory: TypeAlias = Callable[[CompanionContext], Companion]
"""Makes a companion once the records are open."""
