"""What a room's agents need next: whatever is known, none is called that is there or may still come."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from controller.agents import read_agents
from controller.companions.agents.decision import (
    CALL_TIMEOUT,
    JOB_TIMEOUT,
    LEAVE_TIMEOUT,
    AgentInputs,
    CallAgent,
    EndCall,
    RemoveDuplicate,
    UpdateCalls,
    condition,
    next_step,
)
from controller.companions.occupancy import AgentInside, Occupancy
from controller.live.room import LiveRoom
from controller.records.record import AgentCall, AgentCalls, CallState
from tests.support.worlds import NOW, record

NAMES: Final = ("a", "b", "", "foreign")
ROOM: Final = LiveRoom("now", "RM_1", created_at=0)


@st.composite
def facts(draw: st.DrawFn) -> AgentInputs:
    """Anything that may be known of a room."""
    names = st.sampled_from(NAMES)
    wanted = draw(st.lists(names, max_size=3, unique=True))
    calls = draw(
        st.none()
        | st.builds(
            AgentCalls,
            st.sampled_from(["now", "before"]),
            st.sampled_from(["", "RM_1", "RM_0"]),
            st.lists(st.builds(AgentCall, names, _times(), st.sampled_from(CallState)), unique_by=_name).map(
                tuple
            ),
            st.none() | _times(),
        )
    )
    inside = draw(st.lists(st.builds(AgentInside, names, st.text(max_size=2)), max_size=4))
    created = draw(st.integers(0, 100))
    return AgentInputs(
        record=replace(
            record("hall", live="now", agents=read_agents(wanted), active=draw(st.booleans())), agents=calls
        ),
        room=draw(st.none() | st.just(replace(ROOM, created_at=int(NOW.timestamp() - created) * 1000))),
        occupancy=draw(st.none() | st.just(Occupancy(draw(st.integers(0, 2)), agents=tuple(inside)))),
        now=NOW,
        backing_off=draw(st.frozensets(names)),
        has_job=draw(st.frozensets(names)),
    )


def _times() -> st.SearchStrategy[object]:
    return st.integers(0, 100).map(lambda seconds: NOW - timedelta(seconds=seconds))


def _name(call: AgentCall) -> str:
    return call.name


@given(facts())
def test_an_agent_is_called_only_where_none_is_and_none_may_come(inputs: AgentInputs) -> None:
    step = next_step(inputs)
    if not isinstance(step, CallAgent):
        return
    seen, name = inputs.occupancy, step.agent.name
    assert seen is not None
    assert seen.people > 0
    assert step.agent in inputs.record.spec.agents
    assert all(agent.name != name for agent in seen.agents)
    calls = inputs.record.agents
    call = calls.call(name) if calls is not None and calls.room == "now" else None
    assert call is None or (call.state is CallState.ENDED and NOW - call.at >= LEAVE_TIMEOUT)


@given(facts())
def test_only_agents_that_were_called_or_are_asked_for_are_put_out(inputs: AgentInputs) -> None:
    step = next_step(inputs)
    named = {agent.name for agent in inputs.record.spec.agents}
    named |= {call.name for call in (inputs.record.agents or AgentCalls("")).calls}
    match step:
        case EndCall(name):
            assert name in named
        case RemoveDuplicate(agent):
            assert agent.name in named


@given(facts())
def test_what_is_written_is_written_once(inputs: AgentInputs) -> None:
    step = next_step(inputs)
    if isinstance(step, UpdateCalls):
        again = replace(inputs, record=replace(inputs.record, agents=step.calls))
        assert not isinstance(next_step(again), UpdateCalls)


def test_an_agent_that_may_come_back_is_not_given_up_because_another_one_came() -> None:
    made_again = replace(ROOM, created_at=int(NOW.timestamp() * 1000))
    both = (AgentCall("a", NOW, CallState.CALLED), AgentCall("b", NOW, CallState.INSIDE))
    room = record("hall", live="now", agents=read_agents(["a", "b"]))
    before = replace(room, agents=AgentCalls("now", "RM_0", both))
    seen = AgentInputs(before, made_again, Occupancy(1, agents=(AgentInside("a", "PA_1"),)), NOW)
    step = next_step(seen)
    assert isinstance(step, UpdateCalls)
    assert next_step(replace(seen, record=replace(room, agents=step.calls))) is None


@given(facts())
def test_a_condition_is_there_while_there_are_agents(inputs: AgentInputs) -> None:
    shown = condition(inputs.record, is_live=inputs.room is not None)
    assert (shown is None) is (not inputs.record.spec.agents)
    assert shown is None or (shown.status == "True") is (shown.reason == "Inside")


def called(age: timedelta, state: CallState = CallState.CALLED) -> AgentInputs:
    room = replace(record("hall", live="now", agents=read_agents(["a"])))
    calls = AgentCalls("now", "RM_1", (AgentCall("a", NOW - age, state),))
    return AgentInputs(replace(room, agents=calls), ROOM, Occupancy(1), NOW)


def test_an_agent_has_time_to_come() -> None:
    assert next_step(called(CALL_TIMEOUT - timedelta(seconds=1))) is None
    assert next_step(called(CALL_TIMEOUT)) == EndCall("a", "NoWorker", timed_out=True)
    with_job = replace(called(CALL_TIMEOUT), has_job=frozenset({"a"}))
    assert next_step(with_job) is None
    assert next_step(replace(called(JOB_TIMEOUT), has_job=frozenset({"a"}))) is not None


def test_one_that_stays_after_it_was_sent_away_is_put_out() -> None:
    inside = Occupancy(0, agents=(AgentInside("a", "agent-1"),))
    waiting = replace(called(timedelta(seconds=1), CallState.ENDED), occupancy=inside)
    calls = waiting.record.agents
    assert calls is not None
    waiting = replace(waiting, record=replace(waiting.record, agents=replace(calls, empty_since=NOW)))
    assert next_step(waiting) is None
    late = replace(waiting, now=NOW + LEAVE_TIMEOUT)
    assert next_step(late) == EndCall("a", "", ("agent-1",))
