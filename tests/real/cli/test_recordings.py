"""`roomctl recordings` on a real database: what it shows, of which rooms, how it ends."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.records import open_store
from controller.records.recordings import RecordingRow, RecordingState
from tests.real.cli.process import on_terminal
from tests.support.controller import Site

BEGAN = datetime(2026, 3, 24, 16, tzinfo=UTC)
GONE = RecordingRow(
    "EG_gone", "gone", "ab" * 12, "/recordings/ab/1.mp4", BEGAN, BEGAN, 0.0, 0, RecordingState.LOST, "away"
)


async def keep(site: Site, *rows: RecordingRow) -> None:
    async with open_store(site.access) as store:
        await store.refresh()
        for row in rows:
            await store.recordings.put(row)


@pytest.fixture
async def recorded(site: Site) -> Site:
    """A room that is being recorded, another that never was, and one that was and is gone."""
    site.write("team")
    site.write("quiet")
    await site.verb("apply", "--yes")
    room_id = (await site.record("team")).id
    started = datetime.now(UTC) - timedelta(minutes=5)
    starting = RecordingRow("EG_now", "team", room_id, f"s3://a-bucket/{room_id}/1.mp4", started)
    running = replace(starting, recorded_from=started)
    done = replace(starting, egress_id="EG_before", started=BEGAN, seconds=3723.5, size=2_000_000)
    await keep(site, replace(done, state=RecordingState.COMPLETE), GONE, running)
    return site


async def test_all_recordings_are_shown_the_latest_first(recorded: Site) -> None:
    shown = json.loads((await recorded.verb("recordings", "-o", "json")).out)
    assert [(one["egress_id"], one["state"]) for one in shown] == [
        ("EG_now", "recording"),
        ("EG_gone", "lost"),
        ("EG_before", "complete"),
    ]
    assert shown[0]["seconds"] >= 300


async def test_a_table_names_no_room_by_its_id(recorded: Site) -> None:
    room_id = (await recorded.record("team")).id
    table = await recorded.verb("recordings", "team")
    assert (table.code, table.err) == (0, "")
    assert room_id not in table.out
    assert table.out.splitlines()[2].split() == [
        *("team", "complete", "2026-03-24T16:00:00.000Z", "1:02:03", "2.0", "MB"),
        f"s3://a-bucket/{room_id[:6]}…/1.mp4",
    ]


async def test_a_removed_rooms_recordings_are_found_by_its_key(recorded: Site) -> None:
    result = await recorded.verb("recordings", "gone", "-o", "json")
    assert (result.code, [one["error"] for one in json.loads(result.out)]) == (0, ["away"])


async def test_an_unknown_room_is_exit_1_and_the_others_are_shown(recorded: Site) -> None:
    shown = await recorded.verb("recordings", "team", "nobody")
    assert shown.code == 1
    assert len(shown.out.splitlines()) == 3
    assert 'room "nobody" not found' in shown.err


async def test_a_room_that_was_never_recorded_has_none(recorded: Site) -> None:
    shown = await recorded.verb("recordings", "quiet")
    assert (shown.code, shown.out, shown.err) == (0, "", "no recordings found\n")
    assert (await recorded.verb("recordings", "quiet", "-o", "json")).out == "[]\n"


async def test_it_needs_no_livekit(recorded: Site) -> None:
    shown = await recorded.verb("recordings", LIVEKIT_URL="", LIVEKIT_API_KEY="", LIVEKIT_API_SECRET="")
    assert (shown.code, shown.err) == (0, "")


async def test_a_terminal_sees_in_red_what_was_lost(recorded: Site) -> None:
    shown = await asyncio.to_thread(on_terminal, "recordings", "gone", cwd=recorded.folder, env=recorded.env)
    assert "\x1b[31mlost" in shown.out


async def test_before_there_is_a_database_there_are_none_and_none_is_made(site: Site) -> None:
    shown = await site.verb("recordings", MONGODB_URI="")
    assert (shown.code, shown.out, shown.err) == (0, "", "no recordings found\n")
    assert not site.data_dir.exists()
