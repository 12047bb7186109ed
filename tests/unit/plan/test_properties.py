"""What holds of every plan, whatever happened to the manifests, the records and the live rooms."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TypeVar

from hypothesis import assume, given
from hypothesis import strategies as st

from controller.manifests.snapshot import Desired, ManifestError, RoomsDirState
from controller.plan.metadata import room_metadata
from controller.plan.model import (
    BlockReason,
    Create,
    DeleteOrphan,
    DeleteTombstonedRoom,
    FinalizeApiRemoval,
    Observed,
    Plan,
    Recreate,
    Remove,
    RoomChange,
    Update,
)
from controller.plan.planner import make_plan
from controller.plan.steps import steps_of
from controller.records.record import Hold, Origin
from controller.room import Disruption, room_id
from tests.support.histories import (
    Event,
    api_events,
    create_by_api,
    events,
    hour,
    manifest_events,
    mend,
    remove_by_api,
    worlds,
)
from tests.support.worlds import ID_KEY, OWNER, STORE, World, plan_inputs

T = TypeVar("T")


def removals(plan: Plan) -> list[RoomChange]:
    return [c for c in plan.changes if any(isinstance(action, Remove) for action in c.due)]


def empty_orphans(world: World) -> frozenset[str]:
    return frozenset(name for name in world.plan().orphans if not world.occupied(name))


@given(worlds())
def test_what_was_carried_out_is_not_planned_again(world: World) -> None:
    world.run_until_stable()
    again = world.plan()
    assert not any(change.due for change in again.changes)
    assert not again.changes or all(c.deferred or c.blocked_by is not None for c in again.changes)


@given(worlds(), st.lists(st.lists(events, max_size=4), max_size=4))
def test_rooms_come_out_as_they_should_whatever_happens_in_between(
    world: World, later: list[list[Event]]
) -> None:
    for happened in later:
        for event in happened:
            event(world)
        world.converge(world.plan(ripe_orphans=empty_orphans(world)))
    world.run_until_stable()
    listed = set(world.live)
    for room in world.records.values():
        assert not {old.name for old in room.retired} & listed or room.removed
        if room.live is not None or not room.spec.is_on_demand:
            assert (room.live is not None) == room.should_be_live
        if room.live is not None:
            live = world.live[room.live.name]
            assert live.metadata == room_metadata(room.spec, room.id, OWNER, STORE, world.now)
    keys = [room.key for room in world.records.values()]
    assert len(keys) == len(set(keys))


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_what_is_observed_is_irrelevant(world: World, chance: Random) -> None:
    observed = world.observed(frozenset(world.live))
    one, other = make_plan(observed, plan_inputs()), make_plan(shuffled(observed, chance), plan_inputs())
    assert one.changes == other.changes
    assert (one.orphans, one.notes, one.stale) == (other.orphans, other.notes, other.stale)
    assert sorted(map(repr, one.chores)) == sorted(map(repr, other.chores))
    assert sorted(map(repr, one.invalid)) == sorted(map(repr, other.invalid))


def shuffled(observed: Observed, chance: Random) -> Observed:
    def mixed(mapping: Mapping[str, T]) -> dict[str, T]:
        return dict(chance.sample(sorted(mapping.items()), len(mapping)))

    desired = replace(observed.desired, rooms=mixed(observed.desired.rooms))
    return Observed(desired, mixed(observed.records), mixed(observed.live), mixed(observed.people))


@given(worlds())
def test_what_is_foreign_is_in_no_plan_and_stays_as_it_is(world: World) -> None:
    theirs = {name: room for name, room in world.live.items() if name.startswith("foreign")}
    plan = world.plan(ripe_orphans=frozenset(world.live))
    assert "foreign" not in repr((plan.changes, plan.chores, plan.orphans))
    world.converge(plan)
    world.run_until_stable(ripe_orphans=frozenset(world.live))
    assert {name: world.live.get(name) for name in theirs} == theirs


@given(worlds())
def test_nobody_is_cut_off_who_was_not_told(world: World) -> None:
    inside = {name for name in world.live if world.occupied(name)}
    plan = world.plan(ripe_orphans=empty_orphans(world))
    buried = {chore.name for chore in plan.chores if isinstance(chore, DeleteTombstonedRoom)}
    disconnecting = {change.id for change in plan.changes if change.disruption is Disruption.DISCONNECTS}
    disconnecting |= {chore.record.id for chore in plan.chores if isinstance(chore, FinalizeApiRemoval)}
    retired = {old.name for i, room in world.records.items() if i in disconnecting for old in room.retired}
    current = {room.live.name for i, room in world.records.items() if i in disconnecting and room.live}
    world.converge(plan)
    assert inside - world.live.keys() <= buried | retired | current


@given(worlds(), st.booleans(), st.booleans())
def test_steps_say_of_each_action_when_it_is_done_and_to_whom(
    world: World, known: bool, is_held: bool
) -> None:
    hold = Hold("ann", "the show is on", world.now + timedelta(hours=1)) if is_held else None
    plan = replace(world.plan(hold_all=hold), people_known=known)
    for change in plan.changes:
        steps = steps_of(change, plan)
        told = {(name, bool(step.waits_for)) for step in steps for name in step.actions}
        done = {(str(action.action_name), action not in change.due) for action in change.actions}
        assert done == told or not known
        assert Disruption.worst(step.disruption for step in steps) is change.disruption
        for step in steps:
            assert bool(step.wait) == bool(step.waits_for)
            affected = change.participants if known else None
            assert step.participants == (0 if step.disruption is Disruption.NONE else affected)


@given(worlds())
def test_a_removal_or_a_recreate_is_never_due_while_somebody_is_inside(world: World) -> None:
    draft = make_plan(world.observed(), plan_inputs(now=world.now))
    for plan in (draft, world.plan()):
        for change in plan.changes:
            if any(isinstance(action, Remove | Recreate) for action in change.due):
                assert not world.occupied(change.live_name)


@given(worlds(st.one_of(api_events, events)))
def test_no_manifest_creates_updates_or_removes_a_room_of_the_api(world: World) -> None:
    for change in world.plan().changes:
        if change.record is not None and change.record.origin is Origin.API:
            assert not any(isinstance(action, Create | Update | Remove) for action in change.actions)
            assert change.blocked_by is None


@given(worlds(st.one_of(api_events, events)), st.integers(0, 30))
def test_a_removal_by_api_is_done_at_once_and_changes_no_other_rooms_plan(world: World, number: int) -> None:
    create_by_api(0)(world)
    world.run_until_stable()
    for name in world.live:
        world.enter(name)
    before, records = world.plan(), dict(world.records)
    remove_by_api(number)(world)
    (room,) = [r for r in world.records.values() if r != records[r.id]]
    after = world.plan()
    assert others(before, room.key) == list(after.changes)
    assert [chore.record for chore in after.chores if isinstance(chore, FinalizeApiRemoval)] == [room]
    world.converge(after)
    assert not {old.name for old in world.records[room.id].retired} & world.live.keys()
    assert world.records[room.id].live is None
    hour(world)
    world.converge(world.plan())
    assert room.id not in world.records


@given(worlds(manifest_events, least=10))
def test_never_more_than_thirty_of_a_hundred_rooms_go_without_leave(world: World) -> None:
    total = sum(not r.removed and r.origin is Origin.MANIFEST for r in world.records.values())
    assert 10 * len(removals(world.plan())) <= 3 * total


@given(worlds(), st.sampled_from([*RoomsDirState]))
def test_a_folder_that_says_nothing_removes_nothing(world: World, state: RoomsDirState) -> None:
    if state is RoomsDirState.OK:
        world.errors.append(ManifestError("a new file.yaml", "it is wrong"))
    if state is RoomsDirState.EMPTY:
        world.manifests, world.errors, world.state = {}, [], None
    else:
        world.state = state
    plan = world.plan()
    assert removals(plan) == []
    assert not any(isinstance(chore, DeleteOrphan) for chore in plan.chores)
    for change in plan.changes:
        held = any(isinstance(action, Remove) for action in change.actions)
        assert (change.blocked_by in (BlockReason.UNREAD_MANIFEST, BlockReason.EMPTY)) is held


@given(worlds(manifest_events, least=1), st.integers(0, 13))
def test_a_wrong_manifest_changes_no_other_rooms_plan_but_may_hold_back_its_removal(
    world: World, number: int
) -> None:
    assume(world.manifests)
    key = sorted(world.manifests)[number % len(world.manifests)]
    right = world.plan()
    del world.manifests[key]
    world.errors.append(ManifestError(f"somewhere/{key}.yaml", "it is wrong", None, key))
    for before, after in zip(others(right, key), others(world.plan(), key), strict=True):
        if any(isinstance(action, Remove) for action in before.actions):
            assert set(after.due) <= set(before.due) or after.blocked_by is not None
            assert before.id == after.id
        else:
            assert unmoved(before) == unmoved(after)


def unmoved(change: RoomChange) -> RoomChange:
    """Without what is said of a room that seems to have moved: it may have been the wrong one."""
    reason = change.reason.partition("; moved ")[0]
    return replace(change, reason=reason, moved_to="", moved_from="")


def others(plan: Plan, key: str) -> list[RoomChange]:
    return [change for change in plan.changes if change.key != key]


@given(worlds(), st.lists(events, max_size=4))
def test_ids_never_change(world: World, later: list[Event]) -> None:
    for event in (*later, mend):
        before = {room.key: room.id for room in world.records.values()}
        event(world)
        plan = world.plan()
        for change in plan.changes:
            assert change.record is None or change.record.id == change.id
            for action in change.actions:
                if isinstance(action, Create) and change.record is None:
                    assert action.id == (action.manifest.pinned_id or room_id(change.key, ID_KEY))
        known = set(world.records)
        world.converge(plan)
        for room in world.records.values():
            if room.id in known:
                assert before.get(room.key, room.id) == room.id


@given(worlds(manifest_events))
def test_a_lost_database_comes_back_with_the_same_ids_and_the_same_live_rooms(world: World) -> None:
    world.state, world.errors = None, []
    world.run_until_stable()
    here = set(world.manifests)
    before = {r.key: (r.id, r.live and r.live.name) for r in world.records.values() if r.key in here}
    world.records = {}
    world.run_until_stable()
    after = {r.key: (r.id, r.live and r.live.name) for r in world.records.values()}
    assert after == before


def test_a_snapshot_of_nothing_plans_nothing() -> None:
    assert make_plan(Observed(Desired({}, (), ""), {}, {}), plan_inputs()) == Plan()
