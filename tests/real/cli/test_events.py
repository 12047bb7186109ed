"""`roomctl events` on a real database: what it shows, of which rooms, how it ends."""

import asyncio
import json
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.records import open_store
from controller.records.events import Event
from controller.room import FieldChange, truncate_to_millis
from tests.real.cli.process import on_terminal
from tests.support.controller import Site
from tests.support.wait import until

NOW = truncate_to_millis(datetime.now(UTC))
GONE = Event(
    at=NOW - timedelta(hours=2),
    type="remove",
    key="gone",
    room_id="ab" * 12,
    reason="manifest deleted",
    disruption="disconnects",
    participants=0,
    by="git 1a2b3c4 Ann",
)
API_ROOM = "cd" * 12
API = Event(at=NOW - timedelta(minutes=9), type="heal", key=f"api/{API_ROOM}", room_id=API_ROOM)


async def keep(site: Site, *events: Event) -> None:
    async with open_store(site.access) as store:
        await store.refresh()
        await store.events.append(events)


@pytest.fixture
async def busy(site: Site) -> Site:
    """A room that something was done to, another that nothing was done to, and two that are gone."""
    site.write("team")
    site.write("quiet")
    await site.verb("apply", "--yes")
    async with open_store(site.access) as store:
        await store.refresh()
        await store.events.purge(NOW + timedelta(days=1))
    update = Event(
        at=NOW - timedelta(minutes=5),
        type="update",
        key="team",
        room_id=(await site.record("team")).id,
        fields=(FieldChange("allow_chat", True, False),),
        disruption="restricts",
        participants=4,
        by="manifest team.json",
    )
    fail = replace(update, id="f" * 32, type="fail", fields=(), error="LiveKit refused it", participants=0)
    await keep(site, fail, update, API, GONE)
    return site


async def test_all_events_are_listed_the_newest_last(busy: Site) -> None:
    shown = json.loads((await busy.verb("events", "-o", "json")).out)
    assert [one["type"] for one in shown] == ["remove", "heal", "update", "fail"]
    assert shown[2]["fields"] == [{"field": "allow_chat", "from": True, "to": False}]


async def test_describe_lists_the_events_of_the_room_and_its_refusals_apart(busy: Site) -> None:
    room_id = (await busy.record("team")).id
    refusal = Event(at=NOW, type="refuse", key="team", room_id=room_id, reason="ROOM_FULL", count=3)
    taken_over = Event(at=NOW - timedelta(hours=1), type="create", key=f"api/{room_id}", room_id=room_id)
    await keep(busy, refusal, taken_over)
    shown = json.loads((await busy.verb("describe", "team", "-o", "json")).out)
    assert [event["type"] for event in shown["events"]] == ["create", "update", "fail"]
    assert [(event["reason"], event["count"]) for event in shown["refusals"]] == [("ROOM_FULL", 3)]
    text = (await busy.verb("describe", "team")).out
    assert "allow_chat true -> false; 4 inside" in text
    assert "ROOM_FULL (3 times)" in text


async def test_a_table_names_no_room_by_its_id(busy: Site) -> None:
    table = await busy.verb("events")
    assert (table.code, table.err) == (0, "")
    assert API_ROOM not in table.out
    rows = [line.split()[2:] for line in table.out.splitlines()[1:]]
    assert rows[0] == ["gone", "remove", "manifest", "deleted", "git", "1a2b3c4", "Ann"]
    assert rows[1] == ["api/cdcdcd", "heal", "controller"]
    assert " ".join(rows[2]) == "team update allow_chat true -> false; 4 inside manifest team.json"


async def test_a_removed_room_is_found_by_its_key(busy: Site) -> None:
    result = await busy.verb("events", "gone", "-o", "json")
    assert (result.code, [one["type"] for one in json.loads(result.out)]) == (0, ["remove"])


async def test_an_unknown_room_is_exit_1_and_the_others_are_shown(busy: Site) -> None:
    shown = await busy.verb("events", "team", "nobody")
    assert shown.code == 1
    assert len(shown.out.splitlines()) == 3
    assert 'room "nobody" not found' in shown.err


async def test_since_and_type_leave_the_others_out(busy: Site) -> None:
    recent = json.loads((await busy.verb("events", "--since", "1h", "-o", "json")).out)
    assert [one["type"] for one in recent] == ["heal", "update", "fail"]
    some = await busy.verb("events", "--type", "fail", "--type", "remove", "-o", "json")
    assert [one["type"] for one in json.loads(some.out)] == ["remove", "fail"]


@pytest.mark.parametrize("words", [("--since", "yesterday"), ("--type", "party")])
async def test_a_wrong_option_is_a_usage_error(site: Site, words: tuple[str, str]) -> None:
    assert (await site.verb("events", *words)).code == 64


async def test_a_room_without_events_has_none(busy: Site) -> None:
    shown = await busy.verb("events", "quiet")
    assert (shown.code, shown.out) == (0, "")
    assert shown.err.startswith("no events found")
    assert (await busy.verb("events", "quiet", "-o", "json")).out == "[]\n"


async def test_it_needs_no_livekit(busy: Site) -> None:
    shown = await busy.verb("events", LIVEKIT_URL="", LIVEKIT_API_KEY="", LIVEKIT_API_SECRET="")
    assert (shown.code, shown.err) == (0, "")


async def test_a_terminal_sees_failures_in_red_and_80_columns(busy: Site) -> None:
    shown = await asyncio.to_thread(on_terminal, "events", cwd=busy.folder, env=busy.env)
    assert "\x1b[31mfail" in shown.out
    plain = await asyncio.to_thread(on_terminal, "events", cwd=busy.folder, env={**busy.env, "NO_COLOR": "1"})
    assert "\x1b" not in plain.out
    assert max(map(len, plain.out.splitlines())) <= 80


async def test_a_watch_shows_what_is_new_once(busy: Site, tmp_path: Path) -> None:
    out = tmp_path / "watched"
    watching = busy.start("events", "--watch", "--since", "1h", out=out)

    async def shows(word: str) -> None:
        async def so() -> bool:
            return out.exists() and word in out.read_text()

        await until(so)

    await shows("fail")
    await keep(busy, Event(at=truncate_to_millis(datetime.now(UTC)), type="lead", reason="lease acquired"))
    await shows("lease acquired")
    watching.signal(signal.SIGINT)
    assert await watching.end() in (0, 130)
    assert out.read_text().count("lease acquired") == 1
    assert out.read_text().count("LiveKit refused it") == 1


async def test_before_there_is_a_database_there_are_none_and_none_is_made(site: Site) -> None:
    shown = await site.verb("events", MONGODB_URI="")
    assert (shown.code, shown.out) == (0, "")
    assert shown.err.startswith("no events found")
    assert not site.data_dir.exists()


async def test_an_unreachable_database_is_said(site: Site) -> None:
    shown = await site.verb("events", MONGODB_URI="mongodb://127.0.0.1:1")
    assert (shown.code, shown.out) == (1, "")
    assert "cannot connect to MongoDB at 127.0.0.1:1" in shown.err
