"""Carries out steps: first the record, then LiveKit. Raises StoreError's and LiveKitError's kinds.

An attempt is in the record before an agent is called. So after a lost response no second call is made until
it is known whether the agent has come.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, assert_never

from controller.backoff import Backoff
from controller.companions.agents.decision import (
    CALL_TIMEOUT,
    IDLE,
    JOB_TIMEOUT,
    LEAVE_TIMEOUT,
    STABLE,
    CallAgent,
    EndCall,
    Failure,
    RemoveDuplicate,
    Step,
    UpdateCalls,
    shown_name,
)
from controller.companions.companion import CompanionContext
from controller.errors import LiveKitNotFoundError, LiveKitRejectedError, StoreConflictError
from controller.live.room import Dispatch
from controller.logs import get_logger
from controller.records.events import Event, EventType
from controller.records.record import AgentCall, AgentCalls, CallState, RoomRecord
from controller.room import redact_key

_OUTCOMES: Final = {Failure.LOST: "lost", Failure.NO_WORKER: "no_worker"}

log = get_logger()


def backoff_key(room_id: str, name: str) -> str:
    """An agent of a room; a name may hold any character."""
    return f"{room_id} {name}"


@dataclass(slots=True)
class AgentApplier:
    """`jobs` are the agents, by `backoff_key`, of which LiveKit says that a worker has taken the job."""

    context: CompanionContext
    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, cap=30.0))
    jobs: set[str] = field(default_factory=set)

    async def apply_step(self, record: RoomRecord, room: str, sid: str, step: Step) -> None:
        """One step of one room's agents; `room` and `sid` are its live room's."""
        match step:
            case UpdateCalls(calls):
                await self._update(record, calls)
            case CallAgent():
                await self._call(record, room, sid, step)
            case EndCall():
                await self._end(record, room, step)
            case RemoveDuplicate(agent):
                log.warning("agent removed", key=redact_key(record.key), agent=agent.name, reason="duplicate")
                await self._put_out(room, agent.identity)
                self._record(record, f"{shown_name(agent.name)} removed: there were two")
            case _:
                assert_never(step)

    async def _update(self, record: RoomRecord, calls: AgentCalls | None) -> None:
        before = record.agents.calls if record.agents is not None else ()
        await self.context.store.save(record, record.with_agents(calls))
        came = [call.name for call in (calls.calls if calls is not None else ()) if _came(call, before)]
        for name in came:
            self.jobs.discard(backoff_key(record.id, name))
            self._report(record, name, "inside", f"{shown_name(name)} is inside")
        if calls is not None and calls.empty_since is not None:
            self._later(IDLE)

    async def _call(self, record: RoomRecord, room: str, sid: str, step: CallAgent) -> None:
        name, now = step.agent.name, self.context.clock.wall()
        before = record.agents
        calls = before if before is not None and before.room == room else AgentCalls(room)
        attempt = AgentCall(name, now, CallState.CALLED, step.failure)
        calls = AgentCalls(room, sid, calls.with_call(attempt).calls, None, calls.version)
        record = await self.context.store.save(record, record.with_agents(calls))
        self._later(CALL_TIMEOUT)
        try:
            await self.context.writer.call_agent(room, name, step.agent.metadata)
        except (LiveKitRejectedError, LiveKitNotFoundError) as error:
            await self._ended(record, EndCall(name, step.failure or Failure.NO_WORKER), str(error))
            return
        if step.failure:
            log.debug("agent", key=redact_key(record.key), agent=name, outcome="called")
            self.context.metrics.agent_calls.labels("called").inc()
        else:
            self._report(record, name, "called", f"{shown_name(name)} called")

    async def _end(self, record: RoomRecord, room: str, step: EndCall) -> None:
        """Repeating it does no harm, so the record follows."""
        dispatches = [each for each in await self.context.reader.dispatches(room) if each.agent == step.name]
        if step.timed_out and self._has_more_time(record, step.name, dispatches):
            return
        for dispatch in dispatches:
            await self.context.writer.delete_dispatch(room, dispatch.id)
        for identity in step.identities:
            await self._put_out(room, identity)
        await self._ended(record, step)

    def _has_more_time(self, record: RoomRecord, name: str, dispatches: list[Dispatch]) -> bool:
        """Whether a worker has taken the job, which begins slowly."""
        key = backoff_key(record.id, name)
        if key in self.jobs or not any(dispatch.job_count for dispatch in dispatches):
            return False
        self.jobs.add(key)
        self._later(JOB_TIMEOUT - CALL_TIMEOUT)
        return True

    async def _put_out(self, room: str, identity: str) -> None:
        with suppress(LiveKitNotFoundError):
            await self.context.writer.remove_participant(room, identity)

    async def _ended(self, record: RoomRecord, step: EndCall, error: str = "") -> None:
        """The call is over; a failed one is made again after a while."""
        clock, name = self.context.clock, step.name
        calls = record.agents
        before = calls.call(name) if calls is not None else None
        if calls is None or before is None:
            raise StoreConflictError("its record has changed")
        ended = calls.with_call(AgentCall(name, clock.wall(), CallState.ENDED, step.failure))
        await self.context.store.save(record, record.with_agents(ended))
        self.jobs.discard(backoff_key(record.id, name))
        self._later(LEAVE_TIMEOUT)
        if before.state is CallState.ENDED:
            return  # it has only stayed longer
        if not step.failure:
            self.backoff.succeeded(backoff_key(record.id, name))
            self._report(record, name, "sent_away", f"{shown_name(name)} sent away")
            return
        self._retry_later(record, before)
        if before.failure != step.failure:
            self._report_failure(record, step, error)

    def _retry_later(self, record: RoomRecord, before: AgentCall) -> None:
        clock, key = self.context.clock, backoff_key(record.id, before.name)
        if before.state is CallState.INSIDE and clock.wall() - before.at >= STABLE:
            self.backoff.succeeded(key)
        self.context.later(self.backoff.failed(key, clock.monotonic(), clock.chance()))

    def _report_failure(self, record: RoomRecord, step: EndCall, error: str) -> None:
        outcome = _OUTCOMES[Failure(step.failure)]
        lost = step.failure == Failure.LOST
        text = f"{shown_name(step.name)} {'is gone while people are inside' if lost else 'did not come'}"
        key, reason = redact_key(record.key), str(step.failure)
        log.warning("agent missing", key=key, agent=step.name, reason=reason, error=error or None)
        self.context.metrics.agent_calls.labels(outcome).inc()
        self._record(record, text, error or step.failure)

    def _report(self, record: RoomRecord, name: str, outcome: str, text: str) -> None:
        log.info("agent", key=redact_key(record.key), agent=name, outcome=outcome)
        self.context.metrics.agent_calls.labels(outcome).inc()
        self._record(record, text)

    def _record(self, record: RoomRecord, text: str, error: str | None = None) -> None:
        self.context.events.record(
            Event(
                at=self.context.clock.wall(),
                type=EventType.AGENT,
                key=record.key,
                room_id=record.id,
                reason=text,
                error=error,
            )
        )

    def _later(self, delay: timedelta) -> None:
        self.context.later(delay.total_seconds())


def _came(call: AgentCall, before: tuple[AgentCall, ...]) -> bool:
    """Whether it has come since."""
    return call.state is CallState.INSIDE and call not in before
