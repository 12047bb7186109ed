"""Manifests, records and live rooms in memory, and a world in which plans are carried out purely.

`World.converge` does to the records and the live rooms what reconcile/change_applier.py does to MongoDB and
LiveKit, so that properties of the planner can run thousands of times.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, assert_never

from controller.live.room import LiveRoom, Participant
from controller.manifests.snapshot import Desired, ManifestError, ManifestRoom, RoomsDirState, SourcePosition
from controller.plan.metadata import Owner, empty_timeout, room_metadata
from controller.plan.model import (
    Action,
    Adopt,
    CheckOccupancy,
    Close,
    Create,
    DeleteOrphan,
    DeleteRetiredRoom,
    DeleteTombstonedRoom,
    EnforcePermissions,
    FinalizeApiRemoval,
    Heal,
    Observed,
    Plan,
    PlanInputs,
    PruneRetiredNames,
    PurgeTombstone,
    PutToSleep,
    Recreate,
    Remove,
    Repair,
    RestoreRecord,
    RetireVanished,
    RoomChange,
    Start,
    Stop,
    Update,
)
from controller.plan.ownership import given_up_rooms
from controller.plan.planner import make_plan, names_to_check
from controller.records.record import LiveName, Origin, RoomRecord, Status, UnusableRecord
from controller.room import RoomSpec, room_id

NOW = datetime(2026, 3, 24, 16, 0, tzinfo=UTC)
ID_KEY = b"a key for ids, in tests only....."
INSTANCE, STORE = "default", "feedfeedfeedfeedfeedfeed"
OWNER = Owner(INSTANCE, (b"a key that marks are made with",))


@lru_cache(maxsize=4096)
def _spec(fields: tuple[tuple[str, Any], ...]) -> RoomSpec:
    return RoomSpec.model_validate(dict(fields))


def spec(**fields: Any) -> RoomSpec:
    return _spec(tuple(sorted({"name": "Room", "max_participants": 20, **fields}.items())))


def manifest(
    key: str,
    *,
    file: str | None = None,
    pinned: str | None = None,
    adopt: str | None = None,
    **fields: Any,
) -> ManifestRoom:
    mark = SourcePosition(2, 5) if pinned else None
    return ManifestRoom(key, file or f"{key}.yaml", spec(**fields), SourcePosition(1, 1), pinned, mark, adopt)


def desired(
    *rooms: ManifestRoom,
    errors: tuple[ManifestError, ...] = (),
    state: RoomsDirState | None = None,
) -> Desired:
    usual = RoomsDirState.OK if rooms or errors else RoomsDirState.EMPTY
    return Desired({room.key: room for room in rooms}, errors, "a revision", state or usual)


def record(key: str = "a", *, live: str | None = None, sid: str | None = None, **fields: Any) -> RoomRecord:
    """The record of the manifest `key`, said and done, live as `live` where that is given."""
    name = LiveName(live, sid or f"RM_{live}") if live else None
    return RoomRecord(
        id=room_id(key, ID_KEY),
        key=key,
        origin=Origin.MANIFEST,
        file=f"{key}.yaml",
        spec=spec(**fields),
        created=NOW,
        modified=NOW,
        live=name,
        sid=name.sid if name else None,
        status=Status(1),
    )


def by_api(room: RoomRecord) -> RoomRecord:
    return replace(room, key=f"api/{room.id}", origin=Origin.API, file=None)


def live_room(room: RoomRecord, name: str | None = None, *, store: str = STORE, **fields: Any) -> LiveRoom:
    """The live room of a record as it should be, under its current name or `name`."""
    called = name or (room.live.name if room.live else "")
    wanted = LiveRoom(
        name=called,
        sid=f"RM_{called}",
        metadata=room_metadata(room.spec, room.id, OWNER, store, NOW, adopted=room.is_adopted),
        max_participants=room.spec.max_participants,
        empty_timeout=empty_timeout(room.spec),
        departure_timeout=empty_timeout(room.spec),
    )
    return replace(wanted, **fields)


def plan_inputs(**fields: Any) -> PlanInputs:
    return PlanInputs(**{"owner": OWNER, "store": STORE, "id_key": ID_KEY, "now": NOW, **fields})


def planned(
    manifests: Desired,
    records: tuple[RoomRecord, ...] = (),
    live: tuple[LiveRoom, ...] = (),
    people: Mapping[str, int] | None = None,
    *,
    unusable: Iterable[UnusableRecord] = (),
    **fields: Any,
) -> Plan:
    """The plan for worlds written out; `people` by live name, nobody elsewhere."""
    inside = {room.name: _crowd((people or {}).get(room.name, 0)) for room in live}
    observed = Observed(manifests, {r.id: r for r in records}, {r.name: r for r in live}, inside)
    observed = replace(observed, unusable={each.record.id: each for each in unusable})
    return make_plan(observed, plan_inputs(**fields))


def _crowd(count: int) -> tuple[Participant, ...]:
    return tuple(Participant(f"p{number}") for number in range(count))


def only(plan: Plan) -> RoomChange:
    (change,) = plan.changes
    return change


def kinds(change: RoomChange) -> list[str]:
    return [type(action).__name__ for action in change.actions]


@dataclass(slots=True)
class World:
    """Everything there is: rooms.d, the records, LiveKit and the people in it, and the time."""

    manifests: dict[str, ManifestRoom] = field(default_factory=dict)
    errors: list[ManifestError] = field(default_factory=list)
    state: RoomsDirState | None = None
    records: dict[str, RoomRecord] = field(default_factory=dict)
    live: dict[str, LiveRoom] = field(default_factory=dict)
    people: dict[str, set[str]] = field(default_factory=dict)
    now: datetime = NOW
    wanted: set[str] = field(default_factory=set)
    """The rooms for which somebody asks, by id."""
    made: int = 0
    called: int = 0
    """How many rooms were made by API."""

    def commit(self, *rooms: ManifestRoom) -> None:
        self.manifests |= {room.key: room for room in rooms}

    def enter(self, name: str, identity: str = "ann") -> None:
        self.people.setdefault(name, set()).add(identity)

    def vanish(self, name: str) -> None:
        self.live.pop(name, None)
        self.people.pop(name, None)

    def occupied(self, name: str | None) -> bool:
        return name in self.live and bool(self.people.get(name or ""))

    def desired(self) -> Desired:
        away = self.state in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE)
        rooms = () if away else tuple(self.manifests.values())
        return desired(*rooms, errors=() if away else tuple(self.errors), state=self.state)

    def observed(self, looked_at: frozenset[str] = frozenset()) -> Observed:
        people = {n: tuple(Participant(who) for who in sorted(self.people.get(n, ()))) for n in looked_at}
        return Observed(self.desired(), dict(self.records), dict(self.live), people)

    def plan(self, **fields: Any) -> Plan:
        """As the reconciler plans: a draft, a look inside the rooms it names, the plan."""
        given = plan_inputs(now=self.now, wanted=frozenset(self.wanted), **fields)
        return make_plan(self.observed(names_to_check(make_plan(self.observed(), given))), given)

    def converge(self, plan: Plan, *, chores: bool = True) -> None:
        for change in plan.changes:
            if change.due:
                self._carry_out(change)
        if chores:
            for chore in plan.chores:
                self._run_maintenance(chore)
        self.wanted.clear()

    def run_until_stable(self, rounds: int = 4, **fields: Any) -> Plan:
        """Plan and carry out until nothing is due; the last plan."""
        for _ in range(rounds):
            plan = self.plan(**fields)
            standing = any(isinstance(chore, FinalizeApiRemoval | RetireVanished) for chore in plan.chores)
            if not standing and not any(change.due for change in plan.changes):
                return plan
            self.converge(plan)
            self.said()
        raise AssertionError(f"still not settled: {plan.changes}")

    def said(self) -> None:
        """Each status is about the record's generation."""
        self.records = {i: r.with_status(Status(r.generation)) for i, r in self.records.items()}

    def _name(self) -> str:
        self.made += 1
        return f"live-{self.made}"

    def _carry_out(self, change: RoomChange) -> None:
        before = change.record
        assert before == self.records.get(change.id), "planned on a record that is not there"
        after = before
        for action in change.due:
            after = self._recorded(after, action, change.id)
        assert after is not None, "a room without a record begins with Create"
        self.records[change.id] = after
        for action in change.due:
            self._acted(action, after)
        given_up = {old.name for old in after.retired} - {
            old.name for old in (before.retired if before else ())
        }
        for name in (*given_up, *given_up_rooms(after, self.live)):
            self.vanish(name)

    def _recorded(self, room: RoomRecord | None, action: Action, room_id: str) -> RoomRecord:
        if isinstance(action, Create) and room is None:
            wanted = action.manifest
            return RoomRecord(
                room_id, wanted.key, Origin.MANIFEST, wanted.file, wanted.spec, self.now, self.now
            )
        assert room is not None, "a room without a record begins with Create"
        match action:
            case Create(wanted) | Update(wanted):
                room = room.with_spec(wanted.spec, wanted.key, wanted.file, self.now)
            case Start() | Recreate():
                room = room.with_live_name(self._name(), self.now)
            case Adopt(name, sid):
                adopted = room.with_adopted_room(name, sid, self.now)
                room = adopted if sid else room.with_live_name(name, self.now)
            case Stop() | Close() | PutToSleep():
                room = room.without_live_name(self.now)
            case Remove():
                room = room.with_tombstone(self.now)
            case Heal() | Repair() | DeleteRetiredRoom() | RestoreRecord():
                pass
            case _:
                assert_never(action)
        return room

    def _acted(self, action: Action, after: RoomRecord) -> None:
        match action:
            case Start() | Heal() | Recreate() if after.live is not None:
                self.live.setdefault(after.live.name, live_room(after))
                self.records[after.id] = after.with_sid(self.live[after.live.name].sid)
            case Repair(name) if name in self.live:
                metadata = room_metadata(
                    after.spec, after.id, OWNER, STORE, self.now, adopted=after.is_adopted
                )
                self.live[name] = replace(self.live[name], metadata=metadata)
            case DeleteRetiredRoom(name):
                self.vanish(name)
            case _:
                pass

    def _run_maintenance(self, chore: object) -> None:
        match chore:
            case DeleteTombstonedRoom(_, name) | DeleteOrphan(name):
                self.vanish(name)
            case FinalizeApiRemoval(room):
                self._take_down(room)
            case PurgeTombstone(room):
                self.records.pop(room.id, None)
            case PruneRetiredNames(room, names):
                self.records[room.id] = self.records[room.id].without_retired(names)
            case CheckOccupancy(room) if room.live is not None:
                inside = self.occupied(room.live.name)
                self.records[room.id] = self.records[room.id].with_occupancy(room.live.name, occupied=inside)
            case RetireVanished(room) if self.records[room.id] == room:
                self.records[room.id] = room.without_live_name(self.now)
            case EnforcePermissions():
                pass

    def _take_down(self, room: RoomRecord) -> None:
        gone = room.without_live_name(self.now)
        for old in gone.retired:
            self.vanish(old.name)
        self.records[room.id] = gone.with_status(Status(gone.generation))

    def later(self, span: timedelta) -> None:
        self.now += span


def grown(count: int, edit: Callable[[int], dict[str, Any]] = lambda _: {}) -> World:
    """A world with `count` rooms that are as their manifests want them."""
    world = World()
    world.commit(*(manifest(f"r{n:02}", **{"name": f"Room {n}", **edit(n)}) for n in range(count)))
    world.run_until_stable()
    return world
