"""Histories: what may befall a world, one thing after another, as Hypothesis draws it."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

from hypothesis import strategies as st

from controller.live.room import LiveRoom
from controller.manifests.snapshot import ManifestError, RoomsDirState
from controller.records.record import Origin, RoomRecord, Status
from controller.room import room_id
from tests.support.worlds import ID_KEY, STORE, World, by_api, grown, live_room, manifest, record, spec

Event: TypeAlias = Callable[[World], None]

KEYS = [f"r{number:02}" for number in range(14)]
SPECS: list[dict[str, Any]] = [
    {},
    {"allow_chat": True},
    {"allow_webinar_mode": True, "mediaType": "MEDIA_TYPE_AUDIO_ONLY"},
    {"max_participants": 5},
    {"active": False},
    {"live": "on-demand"},
]
FOREIGN = [
    "",
    '{"managed_by":"roomctl/other","store":"s","room_id":"r"}',
    f'{{"managed_by":"roomctl/default","store":"theirs","room_id":"{"0" * 24}"}}',
]
_grown = [grown(count) for count in range(len(KEYS) + 1)]


def commit(key: str, number: int, pinned: str | None) -> Event:
    wanted = manifest(key, pinned=pinned and room_id(pinned, ID_KEY), name=key, **SPECS[number])

    def event(world: World) -> None:
        world.errors = [error for error in world.errors if error.file != wanted.file]  # it is mended by this
        world.commit(wanted)

    return event


def move(key: str) -> Event:
    def event(world: World) -> None:
        if key in world.manifests:
            world.commit(replace(world.manifests[key], file=f"moved/{key}.yaml"))

    return event


def drop(key: str) -> Event:
    def event(world: World) -> None:
        world.manifests.pop(key, None)

    return event


def wrong(key: str, *, whole_file: bool) -> Event:
    def event(world: World) -> None:
        world.manifests.pop(key, None)
        world.errors.append(ManifestError(f"{key}.yaml", "it is wrong", None, None if whole_file else key))

    return event


def mend(world: World) -> None:
    world.errors = []
    world.state = None


def away(state: RoomsDirState) -> Event:
    def event(world: World) -> None:
        world.state = state

    return event


def on_live(number: int, act: Callable[[World, str], None]) -> Event:
    def event(world: World) -> None:
        if names := sorted(world.live):
            act(world, names[number % len(names)])

    return event


def on_record(number: int, act: Callable[[World, str], None]) -> Event:
    def event(world: World) -> None:
        if ids := sorted(world.records):
            act(world, ids[number % len(ids)])

    return event


def _changed(**fields: object) -> Callable[[World, str], None]:
    def act(world: World, name: str) -> None:
        if not name.startswith("foreign"):
            world.live[name] = replace(world.live[name], **fields)  # type: ignore[arg-type]

    return act


def _vanish(world: World, name: str) -> None:
    if not name.startswith("foreign"):
        world.vanish(name)


def _left(world: World, name: str) -> None:
    world.people.pop(name, None)


def foreign(number: int) -> Event:
    def event(world: World) -> None:
        name = f"foreign-{len(world.live)}"
        world.live[name] = LiveRoom(name, "RM_x", FOREIGN[number])
        world.enter(name)

    return event


def _lost(world: World, room: str) -> None:
    del world.records[room]


def _interrupted(world: World, room: str) -> None:
    """A stop or a recreate died between its write and DeleteRoom."""
    world.records[room] = world.records[room].without_live_name(world.now)


def _asked_for(world: World, room: str) -> None:
    """Somebody asks for the room."""
    world.wanted.add(room)


def _counted(world: World, room: str) -> None:
    """It is known who is inside."""
    record = world.records[room]
    if record.live is not None and record.live.name in world.live:
        name = record.live.name
        world.records[room] = record.with_occupancy(name, occupied=world.occupied(name))


def _doubled(world: World, room: str) -> None:
    """Somebody's copy of a live room, mark and all."""
    world.live[f"copy-{room}"] = live_room(world.records[room], f"copy-{room}")


def database_lost(world: World) -> None:
    world.records = {}
    for name, room in world.live.items():
        world.live[name] = replace(room, metadata=room.metadata.replace(STORE, "0" * 24))


def create_by_api(number: int) -> Event:
    def event(world: World) -> None:
        world.called += 1
        room = by_api(record(f"an api room {world.called}"))
        world.records[room.id] = replace(room, spec=spec(**SPECS[number]), status=Status(0))

    return event


def _by_api(number: int, change: Callable[[World, RoomRecord], RoomRecord]) -> Event:
    """What the API does to the desired half of one of its rooms, and to no other's."""

    def event(world: World) -> None:
        if rooms := sorted(i for i, r in world.records.items() if r.origin is Origin.API and not r.removed):
            room = world.records[rooms[number % len(rooms)]]
            world.records[room.id] = change(world, room)

    return event


def update_by_api(number: int, spec_number: int) -> Event:
    """Update, start and stop: a caller wants another spec."""

    def change(world: World, room: RoomRecord) -> RoomRecord:
        return room.with_spec(spec(**SPECS[spec_number]), room.key, None, world.now)

    return _by_api(number, change)


def remove_by_api(number: int) -> Event:
    return _by_api(number, lambda world, room: room.with_api_removal(world.now))


def hour(world: World) -> None:
    world.later(timedelta(hours=1))


_key, _number = st.sampled_from(KEYS), st.integers(0, 30)

manifest_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(commit, _key, st.integers(0, len(SPECS) - 1), st.none()),
    st.builds(drop, _key),
    st.builds(move, _key),
    st.builds(wrong, _key, whole_file=st.booleans()),
    st.just(mend),
)
api_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(create_by_api, st.integers(0, len(SPECS) - 1)),
    st.builds(update_by_api, _number, st.integers(0, len(SPECS) - 1)),
    st.builds(remove_by_api, _number),
)
other_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(commit, _key, st.integers(0, len(SPECS) - 1), st.sampled_from(KEYS)),
    st.builds(away, st.sampled_from([RoomsDirState.MISSING, RoomsDirState.UNREADABLE])),
    st.builds(on_live, _number, st.just(_vanish)),
    st.builds(on_live, _number, st.just(_changed(metadata="graffiti"))),
    st.builds(on_live, _number, st.just(_changed(empty_timeout=300))),
    st.builds(on_live, _number, st.just(_changed(max_participants=1))),
    st.builds(on_live, _number, st.just(World.enter)),
    st.builds(on_live, _number, st.just(_left)),
    st.builds(foreign, st.integers(0, len(FOREIGN) - 1)),
    st.builds(on_record, _number, st.just(_lost)),
    st.builds(on_record, _number, st.just(_interrupted)),
    st.builds(on_record, _number, st.just(_asked_for)),
    st.builds(on_record, _number, st.just(_counted)),
    st.builds(on_record, _number, st.just(_doubled)),
    st.just(database_lost),
    api_events,
    st.just(hour),
)
events = st.one_of(manifest_events, other_events)


def _after(count: int, happened: list[Event]) -> World:
    world = deepcopy(_grown[count])
    for event in happened:
        event(world)
    return world


def worlds(happens: st.SearchStrategy[Event] = events, least: int = 0) -> st.SearchStrategy[World]:
    """Worlds that were converged once, and then something happened to them."""
    return st.builds(_after, st.integers(least, len(KEYS)), st.lists(happens, max_size=10))
