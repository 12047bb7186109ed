"""What the sidecar records: refused participants, counted, and what callers of the API want."""

from pathlib import Path
from typing import Any

import pytest

from controller.records.events import Event
from controller.room import FieldChange
from tests.support.fake_store import FakeStore
from tests.unit.sidecar.harness import FIND, NOW, ROOM_ID, Harness, serving
from tests.unit.sidecar.test_rooms import Office, working


async def recorded(harness: Harness, store: FakeStore | None = None) -> list[Event]:
    """The events of all that has happened."""
    store = store or FakeStore()
    async with harness.events.written_to(store):
        pass
    return list(await store.events.find())


async def test_refusals_are_counted_by_room_and_code() -> None:
    async with serving() as harness:
        for _ in range(3):
            assert (await harness.token(LKRoomName="another")).code == "ROOM_NAME_STALE"
        assert (await harness.token(hidden=True, room_id=ROOM_ID, egress_mode_token="x")).status == 200
        harness.state.live.clear()
        assert (await harness.post(FIND, {"id": ROOM_ID})).code == "ROOM_NOT_READY"
        events = await recorded(harness)
    assert [(event.type, event.reason, event.count) for event in events] == [
        ("refuse", "ROOM_NAME_STALE", 3),
        ("refuse", "ROOM_NOT_READY", 1),
    ]
    assert {(event.room_id, event.by) for event in events} == {(ROOM_ID, "controller")}
    assert "jane" not in str(events)


async def test_a_refusal_for_an_unknown_room_is_not_recorded() -> None:
    async with serving() as harness:
        assert (await harness.post(FIND, {"id": "f" * 24})).code == "ROOM_NOT_FOUND"
        assert (await harness.token(room_id="e" * 24)).code == "ROOM_NOT_FOUND"
        assert await recorded(harness) == []


async def test_a_participant_who_gets_in_is_no_event() -> None:
    async with serving() as harness:
        assert (await harness.token()).status == 200
        assert await recorded(harness) == []


@pytest.fixture(name="made")
async def _made(tmp_path: Path) -> Any:
    async with working(tmp_path) as office:
        await office.store.refresh()
        yield office, (await office.made(allow_chat=True))["id"]


async def words(office: Office) -> list[tuple[str, str, str | None]]:
    events = await recorded(office, office.store)
    office.database.events.clear()
    return [(event.type, event.by, event.disruption) for event in events]


async def test_a_room_is_created_and_started_by_its_user(made: tuple[Office, str]) -> None:
    office, room_id = made
    events = await recorded(office, office.store)
    assert [(event.type, event.by, event.reason) for event in events] == [
        ("create", "api anna", "API call create"),
        ("start", "api anna", "API call create"),
    ]
    assert {event.room_id for event in events} == {room_id}
    assert events[0].at.timestamp() == NOW


async def test_an_update_has_the_fields_that_changed(made: tuple[Office, str]) -> None:
    office, room_id = made
    await words(office)
    await office.call("update", {"id": room_id, "allow_chat": False, "name": "Another"})
    (event,) = await recorded(office, office.store)
    assert (event.type, event.disruption) == ("update", "restricts")
    assert FieldChange("allow_chat", True, False) in event.fields
    assert {change.field for change in event.fields} == {"name", "allow_chat"}


async def test_an_update_that_changes_nothing_is_no_event(made: tuple[Office, str]) -> None:
    office, room_id = made
    await words(office)
    await office.call("update", {"id": room_id, "allow_chat": True})
    await office.call("start", {"id": room_id})
    assert await words(office) == []


async def test_stop_start_and_remove_are_events_of_their_own(made: tuple[Office, str]) -> None:
    office, room_id = made
    await words(office)
    await office.call("stop", {"id": room_id}, "root")
    await office.call("start", {"id": room_id})
    await office.call(f"remove?id={room_id}")
    assert await words(office) == [
        ("stop", "api root", "disconnects"),
        ("start", "api anna", "none"),
        ("remove", "api anna", "disconnects"),
    ]


async def test_an_update_of_active_is_a_stop(made: tuple[Office, str]) -> None:
    office, room_id = made
    await words(office)
    await office.call("update", {"id": room_id, "active": False, "name": "Closed"})
    assert [kind for kind, _, _ in await words(office)] == ["update", "stop"]
