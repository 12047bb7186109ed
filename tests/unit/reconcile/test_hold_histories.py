"""In whatever order things happen: nothing that a hold forbids is done, and what waited is done afterwards.

The real reconciler on fakes; operators and the API write over a store of their own, as other processes do.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from controller.errors import LiveKitNotFoundError, LiveKitUnavailableError
from controller.live.room import Permission
from controller.manifests.snapshot import ManifestRoom, RoomsDirState
from controller.plan.model import Plan
from controller.records.record import Hold, Origin, RoomRecord, Status
from controller.room import format_time
from controller.sidecar.http.response import ApiError
from controller.sidecar.rooms.desired_state import changeable
from tests.support.fake_store import FakeStore
from tests.support.histories import SPECS
from tests.support.inprocess import InProcess
from tests.support.worlds import by_api, desired, manifest, record, spec

KEYS: Final = ("a", "b", "c")
API_ROOM: Final = replace(by_api(record("of the api")), status=Status(0))
HOUR: Final = timedelta(hours=1)
SPEC_NUMBERS: Final = st.integers(0, len(SPECS) - 1)
HOURS: Final = st.integers(1, 3)
AWAY: Final = LiveKitUnavailableError("nobody answers")


class Holds(RuleBasedStateMachine):
    """One controller, an operator, a caller of the API, and Git."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.process = InProcess()
        self.elsewhere = FakeStore(self.process.store.database)
        self.manifests: dict[str, ManifestRoom] = {}
        self.held: dict[str, RoomRecord] = {}
        """By id, the rooms that are held, as they were when that began."""
        self.placed: dict[str, Hold] = {}
        """By id, the last hold on that room alone, unless it was released."""
        for key in (*KEYS, "stays"):
            self._commit(manifest(key, name=key))
        self.run(self.elsewhere.insert(API_ROOM))
        self.run(self.process.run_until_stable())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.runner.close()

    # -- Git --------------------------------------------------------------------------------------------

    def _commit(self, room: ManifestRoom | None, *, without: str = "") -> None:
        self.manifests.pop(without, None)
        if room is not None:
            self.manifests[room.key] = room
        self.process.manifests = desired(*self.manifests.values())

    @rule(key=st.sampled_from(KEYS), number=SPEC_NUMBERS)
    def edit(self, key: str, number: int) -> None:
        self._commit(manifest(key, name=key, **SPECS[number]), without=f"moved-{key}")

    @rule(key=st.sampled_from(KEYS), overrun=st.sampled_from(["0s", "24h"]))
    def close_in_an_hour(self, key: str, overrun: str) -> None:
        closes = format_time(self.process.time.wall() + HOUR)
        self._commit(manifest(key, name=key, closes=closes, overrun=overrun), without=f"moved-{key}")

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        self._commit(None, without=key)

    @rule(key=st.sampled_from(KEYS))
    def move(self, key: str) -> None:
        """Another manifest takes the room over by its id."""
        taken = manifest(f"moved-{key}", name=key)
        self._commit(replace(taken, pinned_id=record(key).id), without=key)

    @rule()
    def lose_the_rooms_directory(self) -> None:
        self.process.manifests = desired(state=RoomsDirState.MISSING)

    # -- the operators ----------------------------------------------------------------------------------

    def _in_force(self) -> None:
        """`hold` returns when the controller has read it."""
        self.run(self.process.store.refresh())

    def _until(self, hours: int, by: str) -> Hold:
        return Hold(by, "the show is on", self.process.time.wall() + timedelta(hours=hours))

    @rule(number=st.integers(0, 9), hours=HOURS, by=st.sampled_from(["ann", "bob"]))
    def hold(self, number: int, hours: int, by: str) -> None:
        self._place(number, hours, by)
        self._in_force()

    def _place(self, number: int, hours: int, by: str) -> None:
        placed = self._until(hours, by)
        if room := self._elsewhere(number, lambda room: room.with_hold(placed)):
            self.placed[room.id] = placed

    @rule(number=st.integers(0, 9))
    def release(self, number: int) -> None:
        if room := self._elsewhere(number, lambda room: room.with_hold(None)):
            self.placed.pop(room.id, None)

    @rule(hours=HOURS)
    def hold_all(self, hours: int) -> None:
        self.run(self.elsewhere.put_hold_all(self._until(hours, "ann")))
        self._in_force()

    @rule()
    def release_all(self) -> None:
        self.run(self.elsewhere.put_hold_all(None))

    @rule(half_hours=st.integers(1, 8))
    def time_passes(self, half_hours: int) -> None:
        self.process.time.seconds += 1800 * half_hours

    def _elsewhere(self, number: int, change: Callable[[RoomRecord], RoomRecord]) -> RoomRecord | None:
        """A process that reads first, and changes one room, unless there is none."""
        self.run(self.elsewhere.refresh())
        if rooms := sorted((r for r in self.elsewhere.by_id.values() if not r.removed), key=lambda r: r.id):
            room = rooms[number % len(rooms)]
            self.run(self.elsewhere.save(room, change(room)))
            return room
        return None

    # -- the API ----------------------------------------------------------------------------------------

    @rule(number=SPEC_NUMBERS)
    def update_by_api(self, number: int) -> None:
        now = self.process.time.wall()
        self._by_api(lambda room: room.with_spec(spec(**SPECS[number]), room.key, None, now))

    @rule()
    def remove_by_api(self) -> None:
        now = self.process.time.wall()
        self._by_api(lambda room: room.with_api_removal(now))

    def _by_api(self, change: Callable[[RoomRecord], RoomRecord]) -> None:
        self.run(self.elsewhere.refresh())
        room = self.elsewhere.by_id.get(API_ROOM.id)
        if room is None or room.removed:
            return
        try:
            self.run(
                self.elsewhere.save(room, change(changeable(self.elsewhere, room, self.process.time.wall())))
            )
        except ApiError:
            assert room.id in self.held

    # -- LiveKit, and people ----------------------------------------------------------------------------

    @rule(number=st.integers(0, 9), act=st.sampled_from(["enter", "go", "vanish"]))
    def on_livekit(self, number: int, act: str) -> None:
        rooms = self.process.store.database.rooms.values()
        if names := sorted(r.live.name for r in rooms if r.live is not None):
            name = names[number % len(names)]
            if act == "vanish":
                self.process.live.vanish(name)
            elif act == "go":
                self._leave(name)
            else:
                with suppress(LiveKitNotFoundError):
                    self.process.live.enter(name, "ann", Permission())

    def _leave(self, name: str) -> None:
        with suppress(KeyError):
            self.process.live.go(name, "ann")

    @rule(call=st.sampled_from(["rooms", "create_room", "delete_room", "update_metadata", "participants"]))
    def livekit_fails(self, call: str) -> None:
        self.process.live.fail[call] = AWAY

    @rule()
    def livekit_is_back(self) -> None:
        self.process.live.fail.clear()

    # -- the controller ---------------------------------------------------------------------------------

    @rule()
    def reconcile(self) -> None:
        try:
            self.run(self.process.reconcile(audit=True))
        except LiveKitUnavailableError:
            self.run(self.process.task_runner.wait_until_idle())

    @rule(
        meanwhile=st.sampled_from(["hold", "hold_all", "time_passes", "on_livekit"]), number=st.integers(1, 9)
    )
    def act_on_an_older_plan(self, meanwhile: str, number: int) -> None:
        """Something happens between planning and doing."""
        try:
            plan = self.run(self._plan())
        except LiveKitUnavailableError:
            return
        match meanwhile:
            case "hold":
                self._place(number, 1, "ann")  # the controller has not read it: its writes fail
            case "hold_all":
                self.hold_all(1)
            case "time_passes":
                self.time_passes(number)
            case _:
                self.on_livekit(number, "enter")
        self.nothing_is_done_that_a_hold_forbids()
        self.run(self._carry_out(plan))

    async def _plan(self) -> Plan:
        return await self.process.planner.plan(await self.process.planner.observer.observe(None))

    async def _carry_out(self, plan: Plan) -> None:
        self.process.task_runner.start_changes(plan)
        await self.process.task_runner.wait_until_idle()

    @rule()
    def restart(self) -> None:
        before = self.process
        self.process = InProcess(before.live, before.store.database, time=before.time)
        self.process.manifests = before.manifests

    # -- what holds always ------------------------------------------------------------------------------

    @invariant()
    def nothing_is_done_that_a_hold_forbids(self) -> None:
        database, now = self.process.store.database, self.process.time.wall()
        held = {
            room.id: room
            for room in database.rooms.values()
            if not room.removed and room.hold_at(now, database.hold_all) is not None
        }
        for room_id, before in self.held.items():
            room = database.rooms[room_id]
            if room.removed or room_id in held:  # else it is over, and no rule ends a hold and acts
                assert not room.removed
                assert (room.key, room.spec) == (before.key, before.spec)
                if before.live is not None and not room.spec.is_on_demand:  # LiveKit may close that
                    assert (room.live and room.live.name) == before.live.name
        self.held = {room_id: self.held.get(room_id, room) for room_id, room in held.items()}

    @invariant()
    def no_hold_is_lost(self) -> None:
        database, now = self.process.store.database, self.process.time.wall()
        for room_id, hold in self.placed.items():
            assert hold.until <= now or database.rooms[room_id].hold == hold

    @rule()
    def all_is_over(self) -> None:
        """What waited is done."""
        self.run(self._end())
        self.held, self.placed = {}, {}
        self.run(self.process.run_until_stable())
        rooms = {r.key: r for r in self.process.store.database.rooms.values() if not r.removed}
        assert {key for key, room in rooms.items() if room.origin is Origin.MANIFEST} == set(self.manifests)
        for key, wanted in self.manifests.items():
            assert rooms[key].spec == wanted.spec
            now = self.process.time.wall()
            is_open = wanted.spec.active and wanted.spec.opening(now).is_prepared(now)
            assert wanted.spec.is_on_demand or (rooms[key].live is not None) == is_open
            assert rooms[key].status.condition("Held") is None

    async def _end(self) -> None:
        self.process.manifests = desired(*self.manifests.values())
        self.process.live.fail.clear()
        await self.elsewhere.put_hold_all(None)
        await self.elsewhere.refresh()
        for room in self.elsewhere.by_id.values():
            if not room.removed:
                await self.elsewhere.save(room, room.with_hold(None))
            if room.live is not None:
                self._leave(room.live.name)


TestHolds = Holds.TestCase
TestHolds.settings = settings(stateful_step_count=25)
