"""Looking at the three worlds: in which order, and into which rooms."""

import asyncio
from dataclasses import replace

from controller.errors import LiveKitUnavailableError
from controller.live.room import LiveRoom, Participant, Permission
from tests.support.fake_live import FakeLive
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest


class HangingLooks(FakeLive):
    """Looks into the rooms in `hang` are never answered."""

    def __init__(self) -> None:
        super().__init__()
        self.hang: set[str] = set()

    async def participants(self, name: str, within: float | None = None) -> list[Participant]:
        if name in self.hang:
            await asyncio.Event().wait()
        return await super().participants(name, within)


async def test_a_listing_is_answered_before_the_records_are_read() -> None:
    process, order = InProcess(), list[str]()
    rooms, refresh = process.live.rooms, process.store.refresh

    async def listing() -> list[LiveRoom]:
        order.append("rooms")
        return await rooms()

    async def records() -> bool:
        order.append("records")
        return await refresh()

    process.live.rooms, process.store.refresh = listing, records  # type: ignore[method-assign]
    await process.planner.observer.observe(None)
    assert order == ["rooms", "records"]


async def test_everybody_is_found_and_a_room_that_cannot_be_looked_into_is_left_out() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.run_until_stable()
    a, b = process.name("a"), process.name("b")
    process.live.enter(a, "ann", Permission())
    process.live.fail[f"participants {b}"] = LiveKitUnavailableError("LiveKit is slow")
    people = await process.planner.observer.people([a, b, "gone"])
    assert {name: [p.identity for p in people] for name, people in people.items()} == {a: ["ann"], "gone": []}
    assert await process.planner.observer.people([]) == {}


async def test_a_room_whose_look_hangs_delays_no_other_and_counts_as_occupied() -> None:
    live = HangingLooks()
    process = InProcess(live)
    process.manifests = desired(manifest("a"), manifest("b"), manifest("c"))
    await process.run_until_stable()
    a, b = process.name("a"), process.name("b")
    process.planner.observer = replace(process.planner.observer, straggler_timeout=0.01)
    live.hang.add(a)
    process.manifests = desired(
        manifest("a", max_participants=3), manifest("b", max_participants=3), manifest("c", allow_chat=True)
    )
    plan = await process.planner.plan(await process.planner.observer.observe(None))
    assert [change.deferred for change in plan.changes] == [True, False, False]
    process.task_runner.start_changes(replace(plan, changes=plan.changes[1:]))
    await process.task_runner.wait_until_idle()
    assert process.name("b") != b
    assert process.record("c").spec.allow_chat
