"""What `roomctl recordings` makes of the rows: whose they are, and how they read."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.cli.recordings import as_dict, as_json, cells, of_rooms
from controller.records.record import RoomRecord
from controller.records.recordings import RecordingRow, RecordingState
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.rooms import NOW, room

LATER = NOW + timedelta(hours=1, minutes=2, seconds=3)
ROW = RecordingRow(
    egress_id="EG_1",
    key="events/room-1",
    room_id=room(1).id,
    file="/recordings/events/room-1/1.mp4",
    started=NOW,
    ended=LATER,
    seconds=3723.25,
    size=1_234_567_890,
    state=RecordingState.COMPLETE,
)
STARTING = replace(ROW, ended=None, seconds=0.0, size=0, state=RecordingState.RECORDING)
RUNNING = replace(STARTING, recorded_from=NOW)
OTHER = replace(ROW, egress_id="EG_2", key="events/room-2", room_id=room(2).id)


def api(digits: str) -> RecordingRow:
    room_id = digits.ljust(24, "0")
    return replace(ROW, key=f"api/{room_id}", room_id=room_id, file=f"/recordings/api/{room_id}/1.mp4")


def test_an_element_has_the_contracts_fields() -> None:
    assert as_dict(ROW, LATER) == {
        "key": "events/room-1",
        "room_id": room(1).id,
        "egress_id": "EG_1",
        "file": "/recordings/events/room-1/1.mp4",
        "started": "2026-03-24T16:00:00.123Z",
        "ended": "2026-03-24T17:02:03.123Z",
        "seconds": 3723.25,
        "bytes": 1_234_567_890,
        "state": "complete",
        "error": None,
    }


def test_one_that_goes_on_counts_up_to_now() -> None:
    shown = as_dict(RUNNING, NOW + timedelta(seconds=90, microseconds=1499))
    assert (shown["ended"], shown["seconds"]) == (None, 90.001)


def test_one_that_is_still_starting_has_no_recorded_time() -> None:
    assert as_dict(STARTING, LATER)["seconds"] == 0
    assert cells(STARTING, LATER)[3] == "0:00:00"


def test_one_that_began_by_another_clock_has_no_time_before_it_began() -> None:
    assert as_dict(RUNNING, NOW - timedelta(seconds=5))["seconds"] == 0


def test_what_went_wrong_is_told() -> None:
    assert as_dict(replace(ROW, error="the output was refused"), LATER)["error"] == "the output was refused"


@pytest.mark.parametrize(
    ("row", "length", "size"),
    [
        (ROW, "1:02:03", "1234.6 MB"),
        (replace(ROW, seconds=59.9), "0:00:59", "1234.6 MB"),
        (replace(ROW, seconds=100 * 3600.0, size=0), "100:00:00", "-"),
        (RUNNING, "1:02:03", "-"),
    ],
)
def test_people_read_hours_and_megabytes(row: RecordingRow, length: str, size: str) -> None:
    assert cells(row, LATER)[3:5] == (length, size)


def test_no_cell_holds_a_rooms_id() -> None:
    row = replace(api("abcdef"), error="abcdef000000000000000000 went")
    shown = cells(row, LATER)
    assert shown[0] == "api/abcdef"
    assert shown[5] == "/recordings/api/abcdef…/1.mp4"
    assert not [cell for cell in shown if row.room_id in cell]


@pytest.mark.parametrize("rows", [[], [ROW], [ROW, replace(OTHER, error="a\u2028b\n"), RUNNING]])
def test_the_array_is_written_in_pieces_as_it_would_be_whole(rows: list[RecordingRow]) -> None:
    whole = json.dumps([as_dict(row, LATER) for row in rows], indent=2, ensure_ascii=False)
    assert "\n".join(as_json(rows, LATER)) == whole


async def asked(
    rooms: Iterable[RoomRecord], rows: Iterable[RecordingRow], *names: str
) -> tuple[list[str], list[str]]:
    """The egress ids that are found for `names`, and the names that mean none."""
    store = FakeStore(
        FakeDatabase({one.id: one for one in rooms}, recordings={row.egress_id: row for row in rows})
    )
    await store.refresh()
    rows, unknown = await of_rooms(store, store.recordings, names)
    return [row.egress_id for row in rows], unknown


async def test_without_names_all_are_meant_the_latest_first() -> None:
    assert await asked([], [ROW, OTHER]) == (["EG_2", "EG_1"], [])


@pytest.mark.parametrize("name", ["events/room-1", room(1).id])
async def test_a_room_is_meant_by_its_key_and_by_its_id(name: str) -> None:
    assert await asked([room(1), room(2)], [ROW, OTHER], name) == (["EG_1"], [])


@pytest.mark.parametrize("name", ["events/room-1", room(1).id])
async def test_a_removed_room_that_was_recorded_is_known(name: str) -> None:
    assert await asked([], [ROW, OTHER], name) == (["EG_1"], [])


@pytest.mark.parametrize("name", ["elsewhere", "events/room-1"])
async def test_a_room_that_moved_is_meant_by_its_old_key_and_by_its_new_one(name: str) -> None:
    moved = replace(room(1), key="elsewhere")
    later = replace(ROW, egress_id="EG_3", key="elsewhere")
    assert await asked([moved], [ROW, OTHER, later], name) == (["EG_3", "EG_1"], [])


async def test_a_room_that_was_never_recorded_is_known() -> None:
    assert await asked([room(1), room(2)], [ROW], "events/room-2") == ([], [])


async def test_a_name_that_means_none_is_told_and_the_others_are_found() -> None:
    assert await asked([room(1)], [ROW], "nobody", "events/room-1") == (["EG_1"], ["nobody"])


async def test_a_removed_room_that_was_never_recorded_is_unknown() -> None:
    gone = room(2).with_tombstone(NOW)
    assert await asked([gone], [ROW], gone.key) == ([], [gone.key])


async def test_a_short_name_is_good_while_it_means_one_room() -> None:
    one, two = api("abcdef1"), replace(api("abcdef2"), egress_id="EG_2")
    assert await asked([], [one], "api/abcdef") == (["EG_1"], [])
    assert await asked([], [one, two], "api/abcdef") == ([], ["api/abcdef"])


async def test_two_names_of_one_room_show_its_rows_once() -> None:
    assert await asked([room(1)], [ROW, OTHER], ROW.key, ROW.room_id) == (["EG_1"], [])
