"""Agents of rooms: called when people come, called again, sent away, and never two of one name."""

from collections import Counter
from typing import Any

import pytest

from controller.agents import read_agents
from controller.errors import LiveKitRejectedError, LiveKitUnavailableError
from controller.live.room import Permission
from controller.manifests.snapshot import ManifestRoom
from controller.records.record import CallState
from tests.support.fake_live import FakeLive
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest

TALKER = Permission(can_publish=True)


def hall(*agents: Any, **fields: Any) -> ManifestRoom:
    return manifest("hall", agents=read_agents(agents), **fields)


async def opened(*agents: Any, workers: tuple[str, ...] = ("helper",)) -> tuple[InProcess, FakeLive, str]:
    """A controller with a live room that has these agents; nobody is inside."""
    live = FakeLive()
    live.workers = set(workers)
    process = InProcess(live)
    process.manifests = desired(hall(*(agents or ("helper",))))
    await process.run_until_stable()
    return process, live, process.name("hall")


async def passes(process: InProcess, seconds: float = 0.0, count: int = 6) -> None:
    """So much later, and passes until all that is due then is done; never two of one name inside."""
    process.time.seconds += seconds
    for _ in range(count):
        await process.reconcile(audit=True)
    assert_single(process)


def assert_single(process: InProcess) -> None:
    live = process.live
    inside = [one for people in live._inside.values() for one in people.values()]
    agents = Counter((one.agent, one.sid.rpartition("-")[0]) for one in inside if one.agent is not None)
    assert max(agents.values(), default=1) == 1, agents


def inside(live: FakeLive, name: str) -> list[str]:
    """The names of the agents inside."""
    return sorted(one.agent for one in live._inside[name].values() if one.agent is not None)


def said(process: InProcess) -> tuple[str, str]:
    condition = process.record("hall").status.condition("Agents")
    assert condition is not None
    return condition.status, condition.reason


async def test_a_room_of_agents_is_made_without_livekits_own_call() -> None:
    process, live, name = await opened("helper", workers=("helper", ""))
    assert inside(live, name) == []
    assert said(process) == ("False", "Idle")
    process.manifests = desired(hall("helper"), manifest("other"))
    await passes(process)
    assert inside(live, process.name("other")) == [""]


async def test_an_agent_is_called_when_the_first_person_is_inside() -> None:
    process, live, name = await opened({"name": "helper", "metadata": "be kind"})
    await passes(process, 30)
    assert live.called == []
    live.enter(name, "ann", TALKER)
    await passes(process)
    assert live.called == [(name, "helper", "be kind")]
    assert (inside(live, name), said(process)) == (["helper"], ("True", "Inside"))
    live.enter(name, "bea", TALKER)
    await passes(process, 300)
    assert len(live.called) == 1


async def test_the_attempt_is_in_the_record_before_the_call() -> None:
    process, live, name = await opened()
    live.enter(name, "ann", TALKER)
    live.fail["call_agent"] = LiveKitUnavailableError("no answer")
    await passes(process)
    calls = process.record("hall").agents
    assert calls is not None
    assert [(call.name, call.state) for call in calls.calls] == [("helper", CallState.CALLED)]
    assert live.calls["call_agent"] == 1, "what came of it is not known yet"
    del live.fail["call_agent"]
    await passes(process, 21)
    assert said(process) == ("False", "NoWorker")
    await passes(process, 31)
    assert (inside(live, name), said(process)) == (["helper"], ("True", "Inside"))


async def test_two_names_are_two_agents() -> None:
    process, live, name = await opened("helper", "", workers=("helper", ""))
    live.enter(name, "ann", TALKER)
    await passes(process)
    assert inside(live, name) == ["", "helper"]
    assert len(live.called) == 2


async def test_without_a_worker_it_is_called_again_and_again() -> None:
    process, live, name = await opened(workers=())
    live.enter(name, "ann", TALKER)
    await passes(process)
    assert said(process) == ("False", "Calling")
    await passes(process, 21)
    assert said(process) == ("False", "NoWorker")
    live.workers.add("helper")
    await passes(process, 40)
    assert (inside(live, name), said(process)) == (["helper"], ("True", "Inside"))
    assert [each.job_count for each in await live.dispatches(name) if each.agent == "helper"] == [1]


async def test_an_agent_whose_worker_begins_slowly_is_waited_for() -> None:
    process, live, name = await opened(workers=())
    live.enter(name, "ann", TALKER)
    await passes(process)
    live._dispatches[name].clear()
    live.workers.add("helper")
    live._dispatch(name, "helper")
    (slow,) = [one for one in live._inside[name].values() if one.agent == "helper"]
    live.go(name, slow.identity)
    await passes(process, 21)
    await passes(process, 21)
    assert said(process) == ("False", "Calling")
    assert len(live.called) == 1
    live._inside[name][slow.identity] = slow
    await passes(process, 1)
    assert (said(process), len(live.called)) == (("True", "Inside"), 1)


async def test_a_lost_agent_is_called_again() -> None:
    process, live, name = await opened()
    live.enter(name, "ann", TALKER)
    await passes(process)
    (agent,) = [one.identity for one in live._inside[name].values() if one.agent is not None]
    live.go(name, agent)
    await passes(process, 31)
    assert said(process) == ("False", "Lost")
    await passes(process, 31)
    assert (inside(live, name), said(process)) == (["helper"], ("True", "Inside"))
    assert len(live.called) == 2
    reasons = [event.reason for event in await process.recorded() if event.type == "agent"]
    assert reasons == [
        '"helper" called',
        '"helper" is inside',
        '"helper" is gone while people are inside',
        '"helper" is inside',
    ]


async def test_it_is_sent_away_a_minute_after_the_last_person() -> None:
    process, live, name = await opened()
    live.enter(name, "ann", TALKER)
    await passes(process)
    live.go(name, "ann")
    await passes(process, 1)
    await passes(process, 58)
    assert inside(live, name) == ["helper"]
    await passes(process, 3)
    assert inside(live, name) == []
    await passes(process, 6)
    assert (process.record("hall").agents, said(process)) == (None, ("False", "Idle"))


async def test_who_comes_back_within_the_minute_keeps_the_agent() -> None:
    process, live, name = await opened()
    live.enter(name, "ann", TALKER)
    await passes(process)
    live.go(name, "ann")
    await passes(process, 50)
    live.enter(name, "ann", TALKER)
    await passes(process, 30)
    await passes(process, 200)
    assert (inside(live, name), len(live.called)) == (["helper"], 1)


async def test_an_entry_that_goes_sends_its_agent_away() -> None:
    process, live, name = await opened("helper", "other", workers=("helper", "other"))
    live.enter(name, "ann", TALKER)
    await passes(process)
    process.manifests = desired(hall("other"))
    await passes(process)
    assert inside(live, name) == ["other"]
    process.manifests = desired(hall())
    await passes(process)
    assert inside(live, name) == []
    await passes(process, 6)
    record = process.record("hall")
    assert (record.agents, record.status.condition("Agents"), record.live and record.live.name) == (
        None,
        None,
        name,
    )


async def test_new_metadata_is_for_the_next_call() -> None:
    process, live, name = await opened()
    live.enter(name, "ann", TALKER)
    await passes(process)
    process.manifests = desired(hall({"name": "helper", "metadata": "new"}))
    await passes(process, 60)
    assert (inside(live, name), [metadata for *_, metadata in live.called]) == (["helper"], [""])
    live.go(name, "ann")
    await passes(process, 1)
    await passes(process, 70)
    live.enter(name, "ann", TALKER)
    await passes(process, 10)
    assert [metadata for *_, metadata in live.called] == ["", "new"]


async def test_an_agent_of_somebody_else_is_left_alone() -> None:
    process, live, name = await opened()
    live.workers.add("foreign")
    live._dispatch(name, "foreign")
    live.enter(name, "ann", TALKER)
    await passes(process)
    live.go(name, "ann")
    await passes(process, 1)
    await passes(process, 70)
    assert inside(live, name) == ["foreign"]


async def test_an_agent_that_is_there_already_is_not_called() -> None:
    process, live, name = await opened()
    live._dispatch(name, "helper")
    live.enter(name, "ann", TALKER)
    await passes(process)
    assert (live.called, said(process)) == ([], ("True", "Inside"))


async def test_of_two_of_one_name_the_younger_goes() -> None:
    process, live, name = await opened()
    live.enter(name, "ann", TALKER)
    await passes(process)
    live._dispatch(name, "helper")
    before = inside(live, name)
    await passes(process, 31)
    assert (before, inside(live, name)) == (["helper", "helper"], ["helper"])


@pytest.mark.parametrize("kind", ["INGRESS", "EGRESS", "AGENT"])
async def test_only_people_are_company(kind: str) -> None:
    process, live, name = await opened()
    live.enter(name, "x", TALKER, kind=kind)
    live.enter(name, "shadow", Permission(hidden=True))
    await passes(process, 31)
    assert (live.called, said(process)) == ([], ("False", "Idle"))
    live.enter(name, "phone", TALKER, kind="SIP")
    await passes(process)
    assert len(live.called) == 1


async def test_after_a_restart_of_livekit_an_agent_may_come_back_by_itself() -> None:
    process, live, name = await opened()
    live.enter(name, "ann", TALKER)
    await passes(process)
    (agent,) = [one for one in live._inside[name].values() if one.agent is not None]
    live.vanish(name)
    await process.reconcile(audit=True)
    live.put(live._rooms[name].__class__(**{**_fields(live._rooms[name]), "created_at": _millis(process)}))
    live.enter(name, "ann", TALKER)
    await passes(process)
    await passes(process, 10)
    assert len(live.called) == 1, "it may still come back"
    live._inside[name][agent.identity] = agent
    await passes(process, 31)
    assert (inside(live, name), len(live.called), said(process)) == (["helper"], 1, ("True", "Inside"))


async def test_an_agent_that_does_not_come_back_after_a_restart_is_called() -> None:
    process, live, name = await opened()
    live.enter(name, "ann", TALKER)
    await passes(process)
    live.vanish(name)
    await process.reconcile(audit=True)
    live.enter(name, "ann", TALKER)
    await passes(process, 31)
    await passes(process, 31)
    assert (inside(live, name), len(live.called)) == (["helper"], 2)


async def test_a_new_room_knows_no_earlier_calls() -> None:
    process, live, name = await opened()
    live.enter(name, "ann", TALKER)
    await passes(process)
    process.manifests = desired(hall("helper", active=False))
    await passes(process)
    assert process.record("hall").agents is None
    process.manifests = desired(hall("helper"))
    await passes(process)
    live.enter(process.name("hall"), "ann", TALKER)
    await passes(process)
    assert [room for room, *_ in live.called] == [name, process.name("hall")]


async def test_a_refused_call_is_made_again_later() -> None:
    process, live, name = await opened()
    live.fail["call_agent"] = LiveKitRejectedError("LiveKit rejected the call (CreateDispatch, 400)")
    live.enter(name, "ann", TALKER)
    await passes(process)
    assert said(process) == ("False", "NoWorker")
    del live.fail["call_agent"]
    await passes(process, 31)
    assert said(process) == ("True", "Inside")


async def test_a_listing_of_calls_that_fails_holds_up_nothing() -> None:
    process, live, name = await opened(workers=())
    live.enter(name, "ann", TALKER)
    await passes(process)
    live.fail["dispatches"] = LiveKitUnavailableError("no answer")
    await passes(process, 21)
    process.manifests = desired(manifest("other"))
    live.go(name, "ann")
    await passes(process, 31)
    assert await process.listed() == {process.name("other")}


async def test_a_room_without_people_costs_no_call() -> None:
    process, live, _ = await opened()
    await passes(process, 31)
    live.calls.clear()
    await process.reconcile(audit=True)
    assert live.calls == {"rooms": 1}


def _fields(room: Any) -> dict[str, Any]:
    return {name: getattr(room, name) for name in room.__dataclass_fields__}


def _millis(process: InProcess) -> int:
    return int(process.time.wall().timestamp() * 1000)


async def test_a_room_on_demand_has_agents_in_each_of_its_lives() -> None:
    live = FakeLive()
    live.workers = {"helper"}
    process = InProcess(live)
    process.manifests = desired(hall("helper", live="on-demand"))
    await process.run_until_stable()
    assert said(process) == ("False", "Idle")
    for count in (1, 2):
        process.reconciler.want(process.record("hall").id)
        await process.reconcile()
        name = process.name("hall")
        live.enter(name, "ann", TALKER)
        await passes(process)
        assert (len(live.called), said(process)) == (count, ("True", "Inside"))
        live.go(name, "ann")
        await passes(process, 1)
        await passes(process, 61)
        assert inside(live, name) == []
        live.vanish(name)
        await passes(process, 5)
        assert process.record("hall").live is None
