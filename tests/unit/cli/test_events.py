"""How `roomctl events` reads: which rooms its names mean, and what a row says."""

import json
from dataclasses import replace

import pytest

from controller.cli.console import json_array
from controller.cli.events import cells, find_keys
from controller.cli.record_event import command_author
from controller.records.events import Event
from controller.room import FieldChange
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.rooms import NOW, room

EVENT = Event(
    at=NOW,
    type="update",
    key="events/room-1",
    room_id=room(1).id,
    reason="manifest changed",
    fields=(FieldChange("allow_chat", True, False), FieldChange("name", "A", "Café")),
    participants=4,
    by="manifest events/room-1.yaml",
)


def api(digits: str) -> Event:
    room_id = digits.ljust(24, "0")
    return Event(at=NOW, type="heal", key=f"api/{room_id}", room_id=room_id)


@pytest.fixture
async def store() -> FakeStore:
    store = FakeStore(FakeDatabase(rooms={room(1).id: room(1)}))
    await store.refresh()
    gone = replace(EVENT, id="2", key="gone", room_id=room(2).id)
    earlier = replace(EVENT, id="3", room_id=room(3).id)  # another room had the key before
    await store.events.append([EVENT, gone, earlier, api("abcdef"), api("abcdee1"), api("abcdee2")])
    return store


def test_a_row_says_what_changed_and_how_many_were_inside() -> None:
    assert cells(EVENT) == (
        "03-24 16:00:00",
        "events/room-1",
        "update",
        'allow_chat true -> false, name "A" -> "Café"; 4 inside',
        "manifest events/room-1.yaml",
    )


def test_a_row_without_fields_has_the_reason() -> None:
    assert cells(replace(EVENT, fields=(), participants=0))[3] == "manifest changed"


def test_an_error_comes_first() -> None:
    assert cells(replace(EVENT, fields=(), participants=0, error="refused"))[3] == "refused; manifest changed"


def test_refusals_say_how_often() -> None:
    refuse = Event(at=NOW, type="refuse", key="a", room_id=room(1).id, reason="ROOM_FULL", count=12)
    assert cells(refuse)[3] == "ROOM_FULL (12 times)"


def test_an_event_about_no_room_has_no_key() -> None:
    assert cells(Event(at=NOW, type="lead", reason="lease acquired"))[1] == "-"


def test_a_row_names_no_room_by_its_id() -> None:
    event = replace(api("abcdef"), reason=f"of {'abcdef'.ljust(24, '0')}", by="api ann")
    assert cells(event)[1:] == ("api/abcdef", "heal", "of abcdef…", "api ann")


async def test_no_name_means_every_event(store: FakeStore) -> None:
    assert await find_keys(store, ()) == (None, [])


async def test_a_room_has_its_key_and_the_one_that_it_had_in_the_api(store: FakeStore) -> None:
    assert await find_keys(store, (room(1).id,)) == (
        frozenset({"events/room-1", f"api/{room(1).id}"}),
        [],
    )


@pytest.mark.parametrize("name", ["gone", room(2).id])
async def test_a_removed_room_is_found_by_its_events(store: FakeStore, name: str) -> None:
    assert await find_keys(store, (name,)) == (frozenset({"gone"}), [])


async def test_a_short_name_means_a_room_while_it_means_one(store: FakeStore) -> None:
    assert await find_keys(store, ("api/abcdef", "api/abcdee")) == (
        frozenset({"api/" + "abcdef".ljust(24, "0")}),
        ["api/abcdee"],
    )


async def test_an_unknown_name_is_said(store: FakeStore) -> None:
    assert await find_keys(store, ("nobody", "gone")) == (frozenset({"gone"}), ["nobody"])


@pytest.mark.parametrize("items", [[], [{"a": 1}], [{"a": [1, "é"]}, {"b": None}]])
def test_an_array_is_written_as_json_writes_it(items: list[object]) -> None:
    assert "\n".join(json_array(items)) == json.dumps(items, indent=2, ensure_ascii=False)


def test_a_verb_is_run_by_a_user_on_a_host() -> None:
    kind, _, who = command_author().partition(" ")
    assert kind == "cli"
    assert all(who.split("@"))
