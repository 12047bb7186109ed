"""Agents as a companion: selects rooms, reads who is inside, decides (decision.py) and applies steps."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain

from controller.companions.agents.applier import AgentApplier, backoff_key
from controller.companions.agents.decision import AgentInputs, condition, next_step
from controller.companions.companion import CompanionContext, NewCondition
from controller.companions.occupancy import EMPTY, Occupancy, OccupancyTracker
from controller.errors import LiveKitError
from controller.plan.model import Observed
from controller.records.record import CallState, RoomRecord


class AgentCompanion:
    """The agents of a controller that holds the lease."""

    name = "agents"

    def __init__(self, context: CompanionContext) -> None:
        self._context, self._applier = context, AgentApplier(context)
        self._occupancy = OccupancyTracker(
            context.reader, context.state, context.clock, _asks, _is_served, max_empty_checks=0
        )
        self._records: Mapping[str, RoomRecord] = {}
        self._concerned: tuple[RoomRecord, ...] = ()

    async def observe(self) -> None:
        """LiveKit has no list of all agents: a room's participants are read when they may have changed."""

    async def load(self) -> None:
        """What an earlier holder of the lease left is in the records."""

    def due(self, observed: Observed, queued: AbstractSet[str], *, audit: bool) -> AbstractSet[str] | None:
        if observed.records is not self._records:  # the mapping is replaced when a record changes
            self._records = observed.records
            self._concerned = tuple(filter(self.concerns, observed.records.values()))
            self._occupancy.keep({record.id for record in self._concerned})
            self._update_gauge()
        news = (record.id for record in self._concerned if _is_queued(record, queued))
        steps = (record.id for record in self._concerned if self._is_awaited(record, audit=audit))
        return {*self._occupancy.due(self._concerned, observed.live, audit=audit), *news, *steps}

    async def step(self, room_id: str) -> bool:
        """Read, decide, apply; whether anything was done."""
        record = self._context.store.by_id.get(room_id)
        if record is None:
            return False
        occupancy = await self._occupancy.check(record)
        record = self._context.store.by_id.get(room_id, record)
        step = next_step(self._inputs(record, occupancy))
        if step is None:
            return False
        room = self._context.state.live_room(record)
        name, sid = (room.name, room.sid) if room is not None else ("", "")
        await self._applier.apply_step(record, name, sid, step)
        return True

    async def before_deletion(self, record: RoomRecord, name: str) -> None:
        """LiveKit puts agents out together with everybody else."""

    def condition(self, record: RoomRecord) -> NewCondition | None:
        return condition(record, is_live=self._context.state.live_room(record) is not None)

    def conditions_without_livekit(self, error: LiveKitError) -> Iterator[tuple[RoomRecord, NewCondition]]:
        """None is written: what is shown meanwhile is Unknown (reconcile/shown_conditions.py)."""
        del error
        yield from ()

    def concerns(self, record: RoomRecord) -> bool:
        return not record.removed and (_asks(record) or _is_served(record))

    def on_standby(self) -> None:
        self._occupancy.clear()
        self._applier.jobs.clear()
        self._context.metrics.agents.set(0)

    def _is_awaited(self, record: RoomRecord, *, audit: bool) -> bool:
        """Whether the record is enough for a step, or an agent may have come without a webhook."""
        calls, seen = record.agents, self._occupancy.last(record)
        if calls is None and (seen is None or seen == EMPTY):
            return False  # most rooms, most of the time
        if audit and calls is not None and any(call.state is CallState.CALLED for call in calls.calls):
            return True
        return next_step(self._inputs(record, seen)) is not None

    def _inputs(self, record: RoomRecord, occupancy: Occupancy | None) -> AgentInputs:
        clock, backoff = self._context.clock, self._applier.backoff
        now = clock.monotonic()
        keys = {agent.name: backoff_key(record.id, agent.name) for agent in record.spec.agents}
        backing_off = frozenset(name for name, key in keys.items() if backoff.is_backing_off(key, now))
        return AgentInputs(
            record=record,
            room=self._context.state.live_room(record),
            occupancy=occupancy,
            now=clock.wall(),
            backing_off=backing_off,
            has_job=frozenset(name for name, key in keys.items() if key in self._applier.jobs),
        )

    def _update_gauge(self) -> None:
        calls = [record.agents.calls for record in self._concerned if record.agents is not None]
        inside = sum(call.state is CallState.INSIDE for call in chain.from_iterable(calls))
        self._context.metrics.agents.set(inside)


def _asks(record: RoomRecord) -> bool:
    """Whether the room should have agents while people are inside."""
    return bool(record.spec.agents) and record.should_be_live


def _is_served(record: RoomRecord) -> bool:
    """Whether agents were called."""
    return record.agents is not None


def _is_queued(record: RoomRecord, queued: AbstractSet[str]) -> bool:
    return record.live is not None and record.live.name in queued
