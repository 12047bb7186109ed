"""The private calls over records in memory, with a reconciler that is quick, or away."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from controller.errors import LiveKitUnavailableError, StoreConflictError, StoreUnavailableError
from controller.limits import Allowed, Limit
from controller.live.room import LiveRoom
from controller.records.ports import RecordStore
from controller.records.record import Condition, Hold, LiveName, Origin, RoomRecord, Status
from controller.sidecar import Context, Sidecar
from controller.sidecar.rooms import desired_state
from controller.sidecar.rooms.bodies import Room
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.reference import CREATE, CREATE_ROOM
from tests.support.wait import PATIENCE
from tests.unit.sidecar.harness import NOW, SETTINGS, Harness, People, Reply, ask, record, spec

CONFERENCES = "/api/conferences/"
TOKENS = {"anna": "false", "bert": "false", "root": "true"}
BODY = {"name": "Main stage", "max_participants": 3}
MANIFEST_ROOM, BERTS_ROOM = "a" * 24, "b" * 24
NOBODYS = "c" * 24
READERS = 20
ALL = ("create", "getCount", "getAll", "getById", "update", "start", "stop", "remove")


@dataclass
class Onlooker(People):
    """An observer of these live rooms."""

    live: dict[str, LiveRoom] = field(default_factory=dict)

    async def rooms(self) -> list[LiveRoom]:
        if self.error is not None:
            raise self.error
        return list(self.live.values())


class Office(Harness):
    """A house whose records are a store's; `works`: the reconciler is there, and quick."""

    def __init__(self, folder: Path) -> None:
        path = folder / "tokens.yaml"
        path.write_text("".join(_entry(user, admin) for user, admin in TOKENS.items()))
        super().__init__()
        self.database = FakeDatabase()
        self.store = FakeStore(self.database)
        self.state.records = self.reconciler.store = self.store
        self.state.record_leading(True)
        self.works, self.wakes = True, 0
        self.limits: tuple[Limit, ...] | None = ()
        self.reconciler.wake = self._wake
        self.live: dict[str, LiveRoom] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.people = Onlooker(live=self.live)
        settings = replace(SETTINGS, access_tokens_file=path)
        context = Context(
            settings,
            self.state,
            self.people,
            self.metrics,
            self.events,
            self.reconciler,
            clock=self.clock,
            wall=self.wall,
            limits=self._known_limits,
        )
        self.sidecar = Sidecar(context)

    async def _known_limits(self) -> tuple[Limit, ...] | None:
        return self.limits

    def has(self, *rooms: RoomRecord) -> None:
        self.database.rooms |= {room.id: room for room in rooms}

    def stored(self, room_id: str) -> RoomRecord:
        return self.database.rooms[room_id]

    def _wake(self) -> None:
        self.wakes += 1
        if self.works:
            task = asyncio.create_task(self.reconcile())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def reconcile(self) -> None:
        """What the real one does, in the same order: names before rooms, retired before gone."""
        now = datetime.fromtimestamp(NOW, UTC)
        for room in list(self.database.rooms.values()):
            await self._make(await self.store.save(room, self._named(room, now)), now)

    def _named(self, room: RoomRecord, now: datetime) -> RoomRecord:
        if room.should_be_live:
            return (
                room.with_live_name(f"live-{room.id}-{len(room.retired)}", now) if room.live is None else room
            )
        return room.without_live_name(now)

    async def _make(self, room: RoomRecord, now: datetime) -> None:
        for retired in room.retired:
            self.live.pop(retired.name, None)
            self.state.record_deleted(retired.name, self.clock())
        after = room
        if room.live is not None:
            made = self.live.setdefault(room.live.name, LiveRoom(room.live.name, f"RM_{room.live.name[-1]}"))
            self.state.record_created(made, self.clock())
            after = room.with_sid(made.sid)
        ready = Condition("Ready", "True", "AsSpecified", "", now)
        await self.store.save(room, after.with_status(Status(room.generation, (ready,))))

    async def call(self, name: str, content: Any = None, user: str | None = "anna") -> Reply:
        body = b"" if content is None else json.dumps(content).encode()
        return await self.raw(name, body, user)

    async def raw(self, name: str, body: bytes, user: str | None = "anna") -> Reply:
        headers = {} if user is None else {"x-access-token": f"{user}-token"}
        method = "DELETE" if name.startswith("remove") else "POST"
        return await ask(self.sidecar.private, method, CONFERENCES + name, body, headers)

    async def made(self, user: str = "anna", **fields: Any) -> dict[str, Any]:
        reply = await self.call("create", {**BODY, **fields}, user)
        assert reply.status == 200, reply
        return dict(reply.json)

    async def code(self, name: str, content: Any = None, user: str | None = "anna") -> tuple[int, str]:
        reply = await self.call(name, content, user)
        return reply.status, reply.code


def _entry(user: str, admin: str) -> str:
    digest = hashlib.sha256(f"{user}-token".encode()).hexdigest()
    return f"- token_sha256: {digest}\n  user_id: {user}\n  admin: {admin}\n"


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[Office]:
    office = Office(folder)
    async with office.sidecar.listening():
        yield office


@pytest.fixture(name="office")
async def _office(tmp_path: Path) -> AsyncIterator[Office]:
    async with working(tmp_path) as office:
        mine, berts = spec(user_id="anna", active=False), spec(user_id="bert", active=False)
        office.has(
            record(id=MANIFEST_ROOM, key="lobby", file="halls/lobby.yaml", spec=mine, live=None, sid=None),
            record(id=BERTS_ROOM, key="api/b", origin=Origin.API, file=None, spec=berts, live=None),
        )
        await office.store.refresh()
        await office.reconcile()
        office.store.writes = 0
        yield office


@pytest.fixture(name="impatient")
def _impatient(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers wait only a twentieth of a second for what cannot come: nobody works, or LiveKit is away."""
    patient = desired_state.DesiredStateWriter.until

    async def until(
        self: desired_state.DesiredStateWriter,
        store: RecordStore,
        holds: Callable[[], Awaitable[bool]],
        seconds: float | None = None,
    ) -> bool:
        hopeless = not office.works or office.people.error is not None
        try:
            async with asyncio.timeout(0.05 if hopeless else None):
                return await patient(self, store, holds, seconds)
        except TimeoutError:
            return False

    monkeypatch.setattr(desired_state.DesiredStateWriter, "until", until)


# -- who may ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
async def test_without_a_known_token_everything_is_401(office: Office, name: str) -> None:
    for user in (None, "nobody", ""):
        assert await office.code(name, {"nonsense": 1}, user) == (401, "UNAUTHORIZED")
    assert (await office.raw(name, b"{", None)).code == "UNAUTHORIZED"


async def test_without_a_tokens_file_everything_is_401() -> None:
    harness = Harness()
    async with harness.sidecar.listening():
        headers = {"x-access-token": "anna-token"}
        reply = await ask(harness.sidecar.private, "POST", CONFERENCES + "getAll", b"", headers)
        assert (reply.status, reply.code) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("name", ALL)
async def test_the_public_listener_does_not_have_the_call(office: Office, name: str) -> None:
    headers = {"x-access-token": "root-token"}
    for method in ("POST", "DELETE", "OPTIONS"):
        reply = await ask(office.sidecar.public, method, CONFERENCES + name, b"", headers)
        assert (reply.status, reply.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize("name", ALL)
async def test_another_method_is_405(office: Office, name: str) -> None:
    method = "POST" if name == "remove" else "GET"
    reply = await ask(office.sidecar.private, method, CONFERENCES + name)
    assert (reply.status, reply.code) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("name", ["getById", "update", "start", "stop", "remove"])
async def test_a_room_of_another_is_like_one_that_is_not_there(office: Office, name: str) -> None:
    replies = [await office.call(name, {"id": room_id}) for room_id in (BERTS_ROOM, NOBODYS, "", "x" * 999)]
    assert [reply.status for reply in replies] == [404] * 4
    assert {reply.body for reply in replies} == {replies[0].body}
    assert replies[0].code == "ROOM_NOT_FOUND"
    assert office.store.writes == 0


async def test_a_user_sees_their_rooms_and_an_admin_all(office: Office) -> None:
    for user, seen in (
        ("anna", {MANIFEST_ROOM}),
        ("bert", {BERTS_ROOM}),
        ("root", {MANIFEST_ROOM, BERTS_ROOM}),
    ):
        listed = (await office.call("getAll", user=user)).json
        assert {room["id"] for room in listed} == seen
        assert (await office.call("getCount", user=user)).json == {"count": len(seen)}
    assert (await office.call("getById", {"id": BERTS_ROOM}, "root")).json["user_id"] == "bert"


@pytest.mark.parametrize("name", ["update", "start", "stop", "remove"])
async def test_a_room_of_a_manifest_is_left_to_it(office: Office, name: str) -> None:
    for user in ("anna", "root"):
        reply = await office.call(name, {"id": MANIFEST_ROOM}, user)
        assert (reply.status, reply.code) == (409, "MANAGED_BY_MANIFEST")
        assert "halls/lobby.yaml" in reply.json["error"]
    assert await office.code(name, {"id": MANIFEST_ROOM}, "bert") == (404, "ROOM_NOT_FOUND")
    assert await office.code(name, {"id": MANIFEST_ROOM, "x": 1}) == (400, "INVALID_FIELD")
    assert office.store.writes == 0


@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("name", ["update", "start", "stop", "remove"])
async def test_a_held_room_is_left_as_it_is(office: Office, name: str, everything: bool) -> None:
    hold = Hold("ann@desk", "the show is on", datetime.fromtimestamp(NOW + 60, UTC))
    if everything:
        await office.store.put_hold_all(hold)
    else:
        held = office.store.by_id[BERTS_ROOM]
        await office.store.save(held, held.with_hold(hold))
    writes = office.store.writes
    reply = await office.call(name, {"id": BERTS_ROOM}, "bert")
    assert (reply.status, reply.code) == (409, "ROOM_HELD")
    assert "by ann@desk until 2026-11-18T11:07:40.000Z: the show is on" in reply.json["error"]
    assert office.store.writes == writes
    assert (await office.call("getById", {"id": BERTS_ROOM}, "bert")).status == 200


# -- limits -----------------------------------------------------------------------------------------------

ALLOWED: dict[str, Allowed] = {
    "max_participants": 500,
    "user_id": ("events",),
    "record": (False,),
    "join": ("invite",),
    "name": ("Team *", "All hands"),
    "agents": ("helper", "team-*"),
}
LIMITS = tuple(Limit(field, allowed, "/srv/rooms.d/_policy.yaml", 1, 1) for field, allowed in ALLOWED.items())
WITHIN: dict[str, Any] = {"name": "Team 1", "max_participants": 500, "record": False, "join": "invite"}


@pytest.mark.parametrize(
    ("beyond", "error"),
    [
        ({"max_participants": 501}, 'max_participants is "501", which {}; use at most 500.'),
        ({"record": True}, 'record is "true", which {}; use false.'),
        ({"join": "link"}, 'join is "link", which {}; use invite.'),
        ({"agents": ["team-1", "spy"]}, 'agents is "team-1, spy", which {}; use helper, team-*.'),
        ({"name": "Lobby"}, 'name is "Lobby", which {}; use Team *, All hands.'),
    ],
)
async def test_a_field_beyond_a_limit_is_refused_and_nothing_is_stored(
    office: Office, beyond: dict[str, Any], error: str
) -> None:
    office.limits = LIMITS
    room = await office.made(**WITHIN)
    writes = office.store.writes
    for reply in (
        await office.call("create", {**WITHIN, **beyond}),
        await office.call("update", {"id": room["id"], **beyond}),
    ):
        assert (reply.status, reply.code) == (403, "BEYOND_LIMIT")
        assert reply.json["error"] == error.format("is beyond the limit of this server")
    assert office.store.writes == writes


async def test_only_the_fields_that_a_request_gives_are_limited(office: Office) -> None:
    before = await office.made(max_participants=900, record=True)
    office.limits = LIMITS
    room = await office.made(name="Team 2", max_participants=3)  # join and the owner are not given
    assert (room["user_id"], room["success"]) == ("anna", True)
    assert (await office.call("update", {"id": before["id"], "allow_chat": True})).status == 200
    assert (await office.call("stop", {"id": before["id"]})).status == 200


async def test_null_is_limited_where_it_stands_for_the_default(office: Office) -> None:
    office.limits = LIMITS
    room = await office.made(**WITHIN)
    assert await office.code("update", {"id": room["id"], "join": None}) == (403, "BEYOND_LIMIT")
    assert (await office.call("create", {**WITHIN, "join": None})).status == 200  # there it is absent


async def test_a_room_that_may_not_be_changed_is_said_before_a_limit(office: Office) -> None:
    office.limits = LIMITS
    assert await office.code("update", {"id": MANIFEST_ROOM, "record": True}) == (409, "MANAGED_BY_MANIFEST")
    assert await office.code("update", {"id": NOBODYS, "record": True}) == (404, "ROOM_NOT_FOUND")


async def test_without_known_limits_nothing_is_created_or_updated(office: Office) -> None:
    room = await office.made()
    office.limits = None
    for reply in (
        await office.call("create", WITHIN),
        await office.call("update", {"id": room["id"], "record": False}),
    ):
        assert (reply.status, reply.code) == (503, "UNAVAILABLE")
        assert "policy file of the manifests is invalid; retry after" in reply.json["error"]
    assert (await office.call("getById", {"id": room["id"]})).status == 200
    assert (await office.call("stop", {"id": room["id"]})).status == 200


# -- create -----------------------------------------------------------------------------------------------


async def test_the_reference_s_create_is_answered_as_it_prints(office: Office) -> None:
    reply = await office.raw("create", CREATE.encode())
    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    room, printed = reply.json, CREATE_ROOM.answers
    assert list(room) == list(printed)
    own = ("_id", "id", "user_id", "sid", "created", "modified")
    assert {k: v for k, v in room.items() if k not in own} == {
        k: v for k, v in printed.items() if k not in own
    }
    assert room["user_id"] == "anna"
    assert room["created"] == room["modified"] == "2026-11-18T11:06:40.000Z"
    assert room["sid"] == "RM_0"
    Room.model_validate(room)


async def test_a_room_made_by_api_has_a_random_id_and_no_file(office: Office) -> None:
    first, second = await office.made(), await office.made()
    stored = office.stored(first["id"])
    assert (stored.key, stored.origin, stored.file) == (f"api/{first['id']}", Origin.API, None)
    assert len(first["id"]) == 24
    assert first["_id"] == first["id"] != second["id"]


async def test_defaults_are_filled_in_and_null_is_absent(office: Office) -> None:
    room = await office.made(mediaType=None, allow_chat=None, active=None)
    assert (room["mediaType"], room["allow_chat"], room["active"]) == ("MEDIA_TYPE_VIDEO_AUDIO", False, True)


async def test_what_was_returned_may_be_sent_again_and_the_owner_is_the_caller(office: Office) -> None:
    again = await office.made("bert", **{**(await office.made()), "user_id": ["any", "thing"]})
    assert again["user_id"] == "bert"
    assert again["id"] != NOBODYS


async def test_an_inactive_room_is_made_and_not_live(office: Office) -> None:
    room = await office.made(active=False)
    assert (room["active"], room["sid"]) == (False, None)
    assert not office.live


@pytest.mark.usefixtures("impatient")
async def test_create_and_update_succeed_though_the_reconciler_is_away(office: Office) -> None:
    office.works = False
    room = await office.made()
    assert room["sid"] is None
    assert office.wakes == 1
    reply = await office.call("update", {"id": room["id"], "name": "Other"})
    assert (reply.status, reply.json["name"]) == (200, "Other")
    assert office.wakes == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": None}, "name is required."),
        ({"name": ""}, "name must be 1 to 100 characters: A-Z"),
        ({"name": "ünder"}, "name must be 1 to 100 characters: A-Z"),
        ({"name": "two\nlines"}, "name must be 1 to 100 characters: A-Z"),
        ({"name": "x" * 101}, "name must be 1 to 100 characters: A-Z"),
        ({"name": 7}, "name must be 1 to 100 characters: A-Z"),
        ({"max_participants": None}, "max_participants is required."),
        ({"max_participants": 0}, "max_participants must be an integer from 1 to 100000"),
        ({"max_participants": 100_001}, "max_participants must be"),
        ({"max_participants": "20"}, "max_participants must be"),
        ({"max_participants": 20.0}, "max_participants must be"),
        ({"max_participants": True}, "max_participants must be"),
        ({"mediaType": "VIDEO"}, "mediaType must be one of MEDIA_TYPE_VIDEO_AUDIO, "),
        ({"mediaType": {"$ne": 1}}, "mediaType must be one of"),
        ({"record_mode": 0}, "record_mode must be one of ROOM_COMPOSITE_GRID, "),
        ({"allow_chat": 1}, "allow_chat must be true or false"),
        ({"active": "true"}, "active must be true or false"),
        ({"agents": "helper"}, "agents must be a list of at most 8 agents, each a name of at most 128"),
        ({"agents": ["a", "a"]}, "agents must be a list of at most 8 agents, each a name"),
        ({"agents": [{"nam": "a"}]}, "agents must be a list of at most 8 agents, each a name"),
        ({"maxParticipants": 3}, 'Unknown field "maxParticipants"; did you mean max_participants?'),
        (
            {"max_participants": None, "max_participant": 3},
            'Unknown field "max_participant"; did you mean max_participants?',
        ),
        ({"preset": "standard-team"}, 'Unknown field "preset"; supported: '),
        ({"allow_chatt": None}, 'Unknown field "allow_chatt"; did you mean allow_chat?'),
        ({"returned_id": "x"}, 'Unknown field "returned_id"'),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_made(
    office: Office, fields: dict[str, Any], reason: str
) -> None:
    reply = await office.call("create", {**BODY, **fields})
    assert (reply.status, reply.code) == (400, "INVALID_FIELD")
    assert reply.json["error"].startswith(reason)
    assert office.store.writes == 0


@pytest.mark.parametrize("name", ALL)
async def test_a_body_that_is_no_object_is_refused(office: Office, name: str) -> None:
    for body in (b"[]", b"{", b'{"id": "a", "id": "b"}', b'{"id": NaN}', b"[" * 1000, b'{"id": "\\ud800"}'):
        reply = await office.raw(name, body)
        assert (reply.status, reply.code) == (400, "BAD_REQUEST")
    assert (await office.raw(name, b" " * 70_000)).code == "PAYLOAD_TOO_LARGE"


async def test_no_body_has_no_type(office: Office) -> None:
    """Some clients name one all the same."""
    headers = {
        "x-access-token": "anna-token",
        "Content-Type": "application/octet-stream",
        "Content-Length": "0",
    }
    reply = await ask(office.sidecar.private, "POST", CONFERENCES + "getCount", b"", headers)
    assert reply.json == {"count": 1}


@pytest.mark.parametrize("name", ["getById", "update", "start", "stop", "remove"])
async def test_an_id_is_a_string_and_required(office: Office, name: str) -> None:
    for body in ({}, {"id": None}, {"id": 7}, {"id": {"$ne": ""}}, {"id": ["a"]}, {"id": True}):
        reply = await office.call(name, body)
        assert (reply.status, reply.code) == (400, "INVALID_FIELD")
        assert reply.json["error"].startswith("id ")


# -- update -----------------------------------------------------------------------------------------------


async def test_agents_are_returned_only_where_they_are_set(office: Office) -> None:
    assert "agents" not in await office.made()
    agents = ["helper", {"name": "", "metadata": "m"}]
    room = await office.made(agents=agents)
    assert room["agents"] == agents
    (changed,) = [(await office.call("update", {"id": room["id"], "allow_chat": True})).json]
    assert changed["agents"] == agents
    again = (await office.call("update", {**room, "agents": ["helper"]})).json
    assert (again["agents"], again["modified"] > room["modified"]) == (["helper"], True)
    assert "agents" not in (await office.call("update", {"id": room["id"], "agents": None})).json


async def test_fields_that_are_not_given_stay(office: Office) -> None:
    room = await office.made(allow_chat=True)
    office.wall.now += 60
    body = {"id": room["id"], "name": "Other", "max_participants": None, "user_id": "bert"}
    changed = (await office.call("update", body)).json
    assert changed == {**room, "name": "Other", "modified": "2026-11-18T11:07:40.000Z"}


async def test_equal_values_are_no_change(office: Office) -> None:
    room = await office.made()
    writes = office.store.writes
    office.wall.now += 60
    assert (await office.call("update", room)).json == room
    assert office.store.writes == writes


async def test_modified_moves_by_a_millisecond_at_least(office: Office) -> None:
    room = await office.made()
    office.wall.now -= 3600
    changed = (await office.call("update", {"id": room["id"], "name": "Other"})).json
    assert changed["modified"] == "2026-11-18T11:06:40.001Z"


async def test_an_admin_changes_a_room_and_its_owner_stays(office: Office) -> None:
    room = await office.made()
    changed = await office.call("update", {"id": room["id"], "name": "Other"}, "root")
    assert changed.json["user_id"] == "anna"


async def test_a_wrong_update_changes_nothing(office: Office) -> None:
    room = await office.made()
    writes = office.store.writes
    for fields in ({"name": ""}, {"max_participants": True}, {"nmae": "x"}, {"active": "no"}):
        assert await office.code("update", {"id": room["id"], **fields}) == (400, "INVALID_FIELD")
    assert office.store.writes == writes


async def test_an_update_that_another_overtook_is_made_on_what_is_stored_then(office: Office) -> None:
    room = await office.made()
    save, overtaken = office.store.save, list(range(3))

    async def slow(before: RoomRecord, after: RoomRecord) -> RoomRecord:
        if overtaken and before.generation != after.generation:
            stored = office.stored(before.id)
            chat = stored.spec.model_copy(update={"max_participants": 10 + overtaken.pop()})
            office.has(stored.with_spec(chat, stored.key, None, stored.modified))
        return await save(before, after)

    office.store.save = slow  # type: ignore[method-assign]
    changed = (await office.call("update", {"id": room["id"], "name": "Other"})).json
    assert (changed["name"], changed["max_participants"]) == ("Other", 10)


async def test_an_update_that_is_overtaken_for_ever_gives_up(office: Office) -> None:
    room = await office.made()

    async def never(*_: RoomRecord) -> RoomRecord:
        raise StoreConflictError("conflict: the record was modified by another process")

    office.store.save = never  # type: ignore[method-assign,assignment]
    reply = await office.call("update", {"id": room["id"], "name": "Other"})
    assert (reply.status, reply.code) == (503, "UNAVAILABLE")
    assert int(reply.headers["retry-after"]) > 0


async def test_active_in_an_update_is_the_intent_of_start_and_stop(office: Office) -> None:
    room = await office.made()
    stopped = (await office.call("update", {"id": room["id"], "active": False})).json
    assert (stopped["active"], stopped["sid"]) == (False, room["sid"])
    assert not office.live
    assert (await office.call("update", {"id": room["id"], "active": True})).json["sid"] == "RM_1"


# -- start, stop, remove ----------------------------------------------------------------------------------


async def test_stop_and_start_are_answered_when_the_room_is_so(office: Office) -> None:
    room = await office.made()
    (first,) = office.live
    assert (await office.call("stop", {"id": room["id"]})).json == {"success": True}
    assert not office.live
    assert (await office.call("stop", {"id": room["id"]})).json == {"success": True}
    assert (await office.call("start", {"id": room["id"]})).json == {"success": True}
    (second,) = office.live
    assert first != second


async def test_start_on_a_live_room_changes_nothing(office: Office) -> None:
    room = await office.made()
    writes, live = office.store.writes, dict(office.live)
    assert (await office.call("start", {"id": room["id"]})).json == {"success": True}
    assert (office.store.writes, office.live) == (writes, live)


async def test_start_of_a_room_that_has_vanished_waits_until_it_is_back(office: Office) -> None:
    room = await office.made()
    office.live.clear()  # by hand, and known still lists it
    assert (await office.call("start", {"id": room["id"]})).json == {"success": True}
    assert len(office.live) == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ["start", "stop", "remove"])
async def test_an_intent_holds_though_it_is_not_done_yet(office: Office, name: str) -> None:
    room = await office.made(active=name != "start")
    office.works = False
    for _ in range(2):
        reply = await office.call(name, {"id": room["id"]})
        assert (reply.status, reply.code) == (503, "UNAVAILABLE")
        assert int(reply.headers["retry-after"]) > 0
    await office.reconcile()
    if name == "remove":
        assert await office.code(name, {"id": room["id"]}) == (404, "ROOM_NOT_FOUND")
    else:
        assert (await office.call(name, {"id": room["id"]})).json == {"success": True}


@pytest.mark.parametrize("call", ["start", "update"])
async def test_who_waits_for_a_room_that_is_removed_meanwhile_is_told_so_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(desired_state, "WAIT_SECONDS", 2 * PATIENCE)
    room = await office.made(active=call != "start")
    office.works = False
    news = office.store.next_change()
    change = {"id": room["id"]} if call == "start" else {"id": room["id"], "name": "Other"}
    waiting = asyncio.create_task(office.code(call, change))
    await news.wait()
    removing = asyncio.create_task(office.call("remove", {"id": room["id"]}))
    async with asyncio.timeout(PATIENCE):
        assert await waiting == (404, "ROOM_NOT_FOUND")
    await office.reconcile()
    assert (await removing).json == {"success": True}


@pytest.mark.usefixtures("impatient")
async def test_start_is_not_done_while_livekit_does_not_say_so(office: Office) -> None:
    room = await office.made()
    office.people.error = LiveKitUnavailableError("LiveKit cannot be reached")
    assert await office.code("start", {"id": room["id"]}) == (503, "UNAVAILABLE")


async def test_a_removed_room_is_in_no_answer(office: Office) -> None:
    room = await office.made()
    assert (await office.call("remove", {"id": room["id"]})).json == {"success": True}
    assert office.stored(room["id"]).removed
    assert not office.live
    for name in ("getById", "update", "start", "stop", "remove"):
        assert await office.code(name, {"id": room["id"]}) == (404, "ROOM_NOT_FOUND")
    assert room["id"] not in {each["id"] for each in (await office.call("getAll")).json}
    assert (await office.call("getCount")).json == {"count": 1}


@pytest.mark.usefixtures("impatient")
async def test_a_room_being_removed_is_404_to_all_but_its_owner_s_remove(office: Office) -> None:
    room = await office.made()
    office.works = False
    assert await office.code("remove", {"id": room["id"]}) == (503, "UNAVAILABLE")
    assert await office.code("remove", {"id": room["id"]}, "bert") == (404, "ROOM_NOT_FOUND")
    for name in ("getById", "update", "start", "stop"):
        assert await office.code(name, {"id": room["id"]}) == (404, "ROOM_NOT_FOUND")
    office.works = True
    office.reconciler.wake()
    assert await office.code("remove", {"id": room["id"]}) == (404, "ROOM_NOT_FOUND")


async def test_remove_writes_the_desired_half_alone(office: Office) -> None:
    room = await office.made()
    before, office.works = office.stored(room["id"]), False
    news = office.store.next_change()
    task = asyncio.create_task(office.call("remove", {"id": room["id"]}))
    await news.wait()
    after = office.stored(room["id"])
    assert after == replace(before, removed_at=after.removed_at, generation=before.generation + 1)
    await office.reconcile()
    assert (await task).json == {"success": True}


async def test_the_id_of_remove_is_taken_from_the_query_or_the_body(office: Office) -> None:
    for form in ("query", "body", "both"):
        room_id = (await office.made())["id"]
        query = "" if form == "body" else f"?id={room_id}"
        content = None if form == "query" else {"id": room_id}
        assert (await office.call(f"remove{query}", content)).json == {"success": True}


@pytest.mark.parametrize(
    ("query", "content", "reason"),
    [
        ("", None, "id is required, in the query or in the body."),
        (
            f"?id={MANIFEST_ROOM}",
            {"id": BERTS_ROOM},
            "id in the query and id in the body differ; send only one.",
        ),
        ("?id=", {"id": BERTS_ROOM}, "id in the query and id in the body differ; send only one."),
        (f"?id={MANIFEST_ROOM}&id={MANIFEST_ROOM}", None, "id is in the query twice; send it once."),
        ("?ids=x", None, 'Unknown field "ids"; did you mean id?'),
        (f"?id={MANIFEST_ROOM}&force=1", None, 'Unknown field "force"'),
        (f"?id={MANIFEST_ROOM}", {"force": True}, 'Unknown field "force"'),
        ("?id=%ff", None, "Invalid query string; use ?id=ROOM_ID."),
        ("?" + "&".join(["id=x"] * 9), None, "Invalid query string; use ?id=ROOM_ID."),
    ],
)
async def test_a_remove_that_is_ambiguous_is_refused(
    office: Office, query: str, content: Any, reason: str
) -> None:
    reply = await office.call(f"remove{query}", content)
    assert reply.status == 400
    assert reply.code in ("INVALID_FIELD", "BAD_REQUEST")
    assert reply.json["error"].startswith(reason)


# -- lists ------------------------------------------------------------------------------------------------


def hall(number: int) -> RoomRecord:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number // 2)
    wanted = spec(name=f"Hall {number}", user_id="anna", max_participants=number + 1, active=number % 2 == 0)
    return record(
        id=f"{number:024x}",
        key=f"api/{number}",
        origin=Origin.API,
        file=None,
        spec=wanted,
        created=at,
        live=None,
    )


async def listed(office: Office, content: Any, user: str = "anna") -> list[str]:
    reply = await office.call("getAll", content, user)
    assert reply.status == 200, reply
    return [room["name"].removeprefix("Hall ") for room in reply.json]


async def test_rooms_come_by_creation_and_in_pages(tmp_path: Path) -> None:
    async with working(tmp_path) as office:
        office.has(*(hall(number) for number in (3, 0, 4, 1, 2)))
        assert await listed(office, None) == ["0", "1", "2", "3", "4"]
        assert await listed(office, {"limit": 2, "skip": 1}) == ["1", "2"]
        assert await listed(office, {"limit": 1000, "skip": 4}) == ["4"]
        assert await listed(office, {"skip": 5}) == []
        assert await listed(office, {"skip": 2**63 - 1}) == []
        assert await listed(office, {"sort": {"created": -1}}) == ["4", "2", "3", "0", "1"]
        assert await listed(office, {"sort": {"active": 1, "max_participants": -1}}) == [
            "3",
            "1",
            "4",
            "2",
            "0",
        ]
        assert await listed(office, {"filter": {"active": True}, "limit": 2}) == ["0", "2"]
        assert await listed(office, {"filter": None, "sort": None, "limit": None, "skip": None}) == [*"01234"]
        office.has(hall(5))
        assert await listed(office, {"skip": 4}) == ["4", "5"]


async def test_a_filter_may_nest_as_deep_as_its_own_limit_and_other_bodies_less(office: Office) -> None:
    deep: dict[str, Any] = {"name": {"$in": ["nobody"]}}
    for operator in ("$and", "$or", "$and"):
        deep = {operator: [deep]}
    assert (await office.call("getAll", {"filter": deep})).json == []
    assert (await office.call("getCount", {"filter": deep})).json == {"count": 0}
    assert (await office.call("getById", {"id": "x", "more": {"more": deep}})).code == "BAD_REQUEST"


async def test_a_filter_never_reaches_the_rooms_of_others(office: Office) -> None:
    for content in ({"user_id": "bert"}, {"$or": [{"user_id": "bert"}, {"user_id": {"$ne": "x"}}]}):
        for name in ("getAll", "getCount"):
            reply = await office.call(name, {"filter": content}, "anna")
            shown = reply.json["count"] if name == "getCount" else len(reply.json)
            assert shown == ("$or" in content)
    assert BERTS_ROOM not in (await office.call("getAll", {"filter": {"$or": [{}, {}]}})).body.decode()


async def test_the_reference_s_count_with_a_filter(office: Office) -> None:
    await office.made(active=True)
    assert (await office.call("getCount", {"filter": {"active": True}})).json == {"count": 1}
    assert (await office.call("getCount")).json == {"count": 2}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("getAll", {"limit": 0}, "limit must be a whole number from 1 to 1000"),
        ("getAll", {"limit": 1001}, "limit must be a whole number from 1 to 1000"),
        ("getAll", {"limit": "10"}, "limit must be a whole number from 1 to 1000"),
        ("getAll", {"limit": True}, "limit must be a whole number from 1 to 1000"),
        ("getAll", {"skip": -1}, "skip must be a whole number, 0 or more"),
        ("getAll", {"skip": 1.5}, "skip must be a whole number, 0 or more"),
        ("getAll", {"sort": "created"}, "sort must be an object"),
        ("getAll", {"sort": {"created": 2}}, "sort.created must be 1 or -1"),
        ("getAll", {"filter": "active"}, "filter must be an object"),
        ("getAll", {"filter": {"$where": "1"}}, 'filter: unknown field "$where"'),
        ("getAll", {"offset": 1}, 'Unknown field "offset"'),
        ("getCount", {"filtre": {}}, 'Unknown field "filtre"; did you mean filter?'),
        ("getCount", {"limit": 10}, 'Unknown field "limit"'),
        ("getCount", {"filter": {"name": {"$gt": 1}}}, "filter.name must be a string"),
    ],
)
async def test_what_a_list_may_not_be_asked_is_named(
    office: Office, name: str, content: Any, reason: str
) -> None:
    reply = await office.call(name, content)
    assert (reply.status, reply.code) == (400, "INVALID_FIELD")
    assert reply.json["error"].startswith(reason)


# -- what is away, and what others write --------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
async def test_before_the_records_are_open_everything_is_starting(office: Office, name: str) -> None:
    office.reconciler.store = None
    body = (
        BODY if name == "create" else {} if name.startswith("get") and name != "getById" else {"id": NOBODYS}
    )
    reply = await office.call(name, body)
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "STARTING", "1")
    assert (await office.call(name, body, None)).code == "UNAUTHORIZED"


async def test_reads_are_answered_from_memory_while_mongodb_is_away(office: Office) -> None:
    await office.call("getAll")
    office.store.fail = StoreUnavailableError("MongoDB cannot be reached")
    assert len((await office.call("getAll")).json) == 1
    assert (await office.call("getCount")).json == {"count": 1}
    assert (await office.call("getById", {"id": MANIFEST_ROOM})).status == 200
    for name, body in (
        ("create", BODY),
        *((n, {"id": MANIFEST_ROOM}) for n in ("update", "start", "stop", "remove")),
    ):
        reply = await office.call(name, body)
        assert (reply.status, reply.code) == (503, "UNAVAILABLE")
        assert "retry-after" in reply.headers
    office.clock.now += 301
    assert await office.code("getAll") == (503, "UNAVAILABLE")
    office.store.fail = None
    assert len((await office.call("getAll")).json) == 1


async def test_mongodb_that_was_never_read_is_starting(office: Office) -> None:
    office.state.mongodb.seen = None
    office.store.fail = StoreUnavailableError("MongoDB cannot be reached")
    assert await office.code("getAll") == (503, "STARTING")
    office.store.fail = None
    assert (await office.call("getAll")).status == 200


async def test_mongodb_that_hangs_holds_no_read_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.call("getAll")
    monkeypatch.setattr(desired_state, "READ_SECONDS", 0.05)
    hung = asyncio.Event()

    async def hang() -> bool:
        return await hung.wait()

    office.store.refresh = hang  # type: ignore[method-assign]
    assert len((await office.call("getAll")).json) == 1
    hung.set()


async def test_what_another_process_wrote_is_seen_at_once_and_wakes_the_reconciler(office: Office) -> None:
    await office.call("getAll")
    wakes = office.wakes
    office.has(hall(1))
    assert (await office.call("getById", {"id": hall(1).id})).status == 200
    assert office.wakes == wakes + 1


async def test_many_readers_at_once_share_a_look(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look is under way until all have asked."""
    looks, asked, all_asked = 0, 0, asyncio.Event()
    refresh, for_reading = office.store.refresh, desired_state.DesiredStateWriter.for_reading

    async def counted() -> bool:
        nonlocal looks
        looks += 1
        await all_asked.wait()
        return await refresh()

    async def asking(self: desired_state.DesiredStateWriter) -> RecordStore:
        nonlocal asked
        asked += 1
        if asked == READERS:
            all_asked.set()
        return await for_reading(self)

    monkeypatch.setattr(desired_state, "READ_SECONDS", PATIENCE)
    monkeypatch.setattr(desired_state.DesiredStateWriter, "for_reading", asking)
    office.store.refresh = counted  # type: ignore[method-assign]
    replies = await asyncio.gather(*(office.call("getAll") for _ in range(READERS)))
    assert {reply.status for reply in replies} == {200}
    assert looks <= 2


async def test_a_process_without_the_lease_follows_the_one_that_has_it(office: Office) -> None:
    office.state.record_leading(False)
    office.works = False
    other = FakeStore(office.database)

    async def elsewhere() -> None:
        """The holder of the lease: its own store, and a listing that this process does not know."""
        while not unsettled():
            await office.store.next_change().wait()
        await other.refresh()
        mine, office.store = office.store, other
        known, office.state = office.state, type(office.state)(other)
        await office.reconcile()
        office.store, office.state = mine, known

    def unsettled() -> bool:
        rooms = office.database.rooms.values()
        return any(
            room.status.observed_generation < room.generation for room in rooms if not room.removed
        ) or any(room.removed and room.live is not None for room in rooms)

    async def followed(name: str, content: Any) -> Reply:
        _, reply = await asyncio.gather(elsewhere(), office.call(name, content))
        return reply

    room = (await followed("create", BODY)).json
    assert room["sid"]
    assert (await followed("stop", {"id": room["id"]})).json == {"success": True}
    assert (await followed("start", {"id": room["id"]})).json == {"success": True}
    assert (await followed("remove", {"id": room["id"]})).json == {"success": True}


async def test_a_change_is_told_with_who_made_it_and_without_the_id(office: Office) -> None:
    with capture_logs() as logs:
        room = await office.made()
        await office.call("update", {**room, "name": "Other"}, "root")
        await office.call("remove", {"id": room["id"]})
    events = [(event["event"], event["user_id"]) for event in logs]
    assert events == [
        ("room created", "anna"),
        ("room updated", "root"),
        ("room removed", "anna"),
    ]
    assert not any(room["id"] in str(event) for event in logs)


def test_a_live_name_is_kept_by_a_dismissal() -> None:
    room = record(live=LiveName("a"))
    assert room.with_api_removal(room.modified).live == LiveName("a")
