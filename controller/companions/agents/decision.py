"""Decides the next step for the agents of one room. Pure (docs/agents.md).

Level-triggered: one step at a time, which may get lost or be repeated, since the next check decides again.
Only the call of an agent must not be repeated: so it is in the record before, and until it is known what came
of it no other call is made. Whether an agent is inside is decided by the participants alone.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from controller.agents import Agent
from controller.companions.companion import NewCondition
from controller.companions.occupancy import AgentInside, Occupancy
from controller.live.room import LiveRoom
from controller.records.record import AgentCall, AgentCalls, CallState, RoomRecord
from controller.text import quote_excerpt

IDLE: Final = timedelta(seconds=60)
"""How long agents stay after the last person has left."""
CALL_TIMEOUT: Final = timedelta(seconds=20)
"""How long an agent may take to come: a worker has 10 s to take the job, and begins it then."""
JOB_TIMEOUT: Final = timedelta(seconds=60)
"""How long it may take if LiveKit lists a worker that has taken the job."""
LEAVE_TIMEOUT: Final = timedelta(seconds=5)
"""How long an agent that was sent away may take to leave: LiveKit puts it out after three seconds."""
RESUME_TIMEOUT: Final = timedelta(seconds=20)
"""How long after LiveKit has made the room again an agent may still come back by itself."""
STABLE: Final = timedelta(seconds=60)
"""An agent that was inside for so long does not delay the next call."""


class Failure(StrEnum):
    """Why an agent is missing: a reason of the condition Agents, the worst first."""

    LOST = "Lost"
    NO_WORKER = "NoWorker"


@dataclass(frozen=True, slots=True)
class UpdateCalls:
    """Write what was seen to the record."""

    calls: AgentCalls | None


@dataclass(frozen=True, slots=True)
class CallAgent:
    """Call an agent, after the attempt is in the record. `failure`: why it is called again."""

    agent: Agent
    failure: str = ""


@dataclass(frozen=True, slots=True)
class EndCall:
    """Take back the calls of an agent, which puts it out.

    `identities` are put out at once, since they have stayed. `timed_out`: it did not come; if a worker has
    taken the job, it gets more time. `failure`: why, '' if it is sent away.
    """

    name: str
    failure: str = ""
    identities: tuple[str, ...] = ()
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class RemoveDuplicate:
    """Put out the younger one of two agents of one name."""

    agent: AgentInside


Step: TypeAlias = UpdateCalls | CallAgent | EndCall | RemoveDuplicate


@dataclass(frozen=True, slots=True)
class AgentInputs:
    """All that is known of the agents of one room.

    `room` is its live room, None if it is not live. `occupancy`: None if it was not read. `backing_off`: the
    agents that are not called again yet. `has_job`: those whose job a worker has taken.
    """

    record: RoomRecord
    room: LiveRoom | None
    occupancy: Occupancy | None
    now: datetime
    backing_off: AbstractSet[str] = frozenset()
    has_job: AbstractSet[str] = frozenset()


def next_step(inputs: AgentInputs) -> Step | None:
    """The next step; None if there is nothing to do, or only to wait."""
    if inputs.record.removed:
        return None
    if inputs.room is None:
        gone = inputs.record.live is None and inputs.record.agents is not None
        return UpdateCalls(None) if gone else None
    if inputs.occupancy is None:
        return None
    view = _View(inputs, inputs.room, inputs.occupancy)
    noted = view.noted()
    if noted != inputs.record.agents:
        return UpdateCalls(noted)
    return next(view.ends(), None) or next(view.new_calls(), None)


@dataclass(frozen=True, slots=True)
class _View:
    """One room whose participants were read."""

    inputs: AgentInputs
    room: LiveRoom
    occupancy: Occupancy

    @property
    def calls(self) -> AgentCalls:
        """Those in this LiveKit room: a new room knows nothing of earlier calls."""
        calls = self.inputs.record.agents
        return calls if calls is not None and calls.room == self.room.name else AgentCalls(self.room.name)

    @property
    def agents(self) -> tuple[Agent, ...]:
        record = self.inputs.record
        return record.spec.agents if record.should_be_live else ()

    @property
    def has_people(self) -> bool:
        return self.occupancy.people > 0

    @property
    def is_wanted(self) -> bool:
        """Whether the room's agents should be inside, or may stay for a while."""
        empty = self.calls.empty_since
        return self.has_people or (empty is not None and self.inputs.now - empty < IDLE)

    def inside(self, name: str) -> tuple[AgentInside, ...]:
        """The agents of that name, the eldest first."""
        return tuple(agent for agent in self.occupancy.agents if agent.name == name)

    def age(self, call: AgentCall) -> timedelta:
        """A time in the future is that of another clock: it counts from now."""
        return abs(self.inputs.now - call.at)

    def is_settled(self, call: AgentCall) -> bool:
        return call.state is CallState.ENDED and self.age(call) >= LEAVE_TIMEOUT

    @property
    def may_resume(self) -> bool:
        """Whether LiveKit has made the room again of late: its agents may come back by themselves."""
        made_again = self.calls.sid not in ("", self.room.sid)
        age = self.inputs.now.timestamp() - self.room.created_at / 1000
        return made_again and abs(age) < RESUME_TIMEOUT.total_seconds()

    def noted(self) -> AgentCalls | None:
        """The calls with what the participants show; None if nothing is left to remember."""
        calls = self.calls
        for name in dict.fromkeys(
            (*(call.name for call in calls.calls), *(each.name for each in self.agents))
        ):
            calls = self._with_seen(calls, name)
        empty = None if self.has_people else calls.empty_since or self.inputs.now
        calls = replace(calls, empty_since=empty)
        return calls if calls.calls else None

    def _with_seen(self, calls: AgentCalls, name: str) -> AgentCalls:
        call, inside = calls.call(name), bool(self.inside(name))
        if inside and (call is None or call.state is CallState.CALLED):
            sid = calls.sid if self.may_resume else self.room.sid  # others may still come back
            return replace(calls.with_call(AgentCall(name, self.inputs.now, CallState.INSIDE)), sid=sid)
        if call is None or inside:
            return calls
        left = call.state is CallState.INSIDE and not self.has_people and not self.may_resume
        over = self.is_settled(call) and not (self.has_people and self._wants(name))
        return calls.without_call(name) if left or over else calls

    def _wants(self, name: str) -> bool:
        return self.is_wanted and any(agent.name == name for agent in self.agents)

    def ends(self) -> Iterator[EndCall | RemoveDuplicate]:
        """The calls that are over, and agents that are one too many."""
        for call in self.calls.calls:
            inside = self.inside(call.name)
            if call.state is CallState.ENDED:
                if inside and self.is_settled(call):
                    yield EndCall(call.name, call.failure, tuple(agent.identity for agent in inside))
            elif not self._wants(call.name):
                yield EndCall(call.name)
            elif len(inside) > 1:
                yield RemoveDuplicate(inside[-1])
            elif not inside and not self.may_resume:
                yield from self._missing(call)

    def _missing(self, call: AgentCall) -> Iterator[EndCall]:
        """An agent that was called and is not inside, while it is wanted."""
        if call.state is CallState.INSIDE:
            yield EndCall(call.name, Failure.LOST)
        elif self.age(call) >= (JOB_TIMEOUT if call.name in self.inputs.has_job else CALL_TIMEOUT):
            yield EndCall(call.name, call.failure or Failure.NO_WORKER, timed_out=True)

    def new_calls(self) -> Iterator[CallAgent]:
        """The agents to call now."""
        if not self.has_people:
            return
        for agent in self.agents:
            call = self.calls.call(agent.name)
            free = call is None or (self.is_settled(call) and not self.inside(agent.name))
            if free and agent.name not in self.inputs.backing_off:
                yield CallAgent(agent, call.failure if call is not None else "")


def condition(record: RoomRecord, *, is_live: bool) -> NewCondition | None:
    """The condition of a room with agents; None without. The record has all that was seen of them."""
    agents, calls = record.spec.agents, record.agents
    if not agents:
        return None
    states = {call.name: call.state for call in calls.calls} if calls is not None else {}
    missing = [agent.name for agent in agents if states.get(agent.name) is not CallState.INSIDE]
    if is_live and not missing:
        return _condition("True", "Inside", f"{_names([agent.name for agent in agents])} inside")
    if not is_live or calls is None or calls.empty_since is not None:
        return _condition("False", "Idle", "no participants")
    return _missing_condition(missing, calls)


def _condition(status: str, reason: str, message: str) -> NewCondition:
    return NewCondition("Agents", status, reason, message, is_steady=True)


def _missing_condition(missing: list[str], calls: AgentCalls) -> NewCondition:
    """The worst reason, and the agents that it is about."""
    reasons = {name: _reason(name, calls) for name in missing}
    worst = next(reason for reason in _TEXTS if reason in reasons.values())
    names = [name for name, reason in reasons.items() if reason == worst]
    return _condition("False", worst, _TEXTS[worst].format(names=_names(names)))


def _reason(name: str, calls: AgentCalls) -> str:
    call = calls.call(name)
    return call.failure if call is not None and call.failure in tuple(Failure) else "Calling"


_TEXTS: Final = {
    "Lost": "{names} left or crashed while people are inside; called again",
    "NoWorker": "no worker has sent {names}: start one, or add capacity",
    "Calling": "waiting for {names}",
}
"""By reason, the worst first."""


def _names(names: list[str]) -> str:
    return ", ".join(map(shown_name, names))


def shown_name(name: str) -> str:
    """The agent for people."""
    return quote_excerpt(name) if name else "the unnamed agent"
