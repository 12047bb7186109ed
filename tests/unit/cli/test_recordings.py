"""What `roomctl recordings` makes of the rows: whose they are, and how they read."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.cli.recordings import as_dict, cells, of_rooms
from controller.records.recordings import RecordingRow, RecordingState
from tests.support.rooms import NOW, records, room

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
RUNNING = replace(ROW, ended=None, seconds=0.0, size=0, state=RecordingState.RECORDING)
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


def test_without_names_all_are_meant() -> None:
    assert of_rooms(records(), [ROW, OTHER], ()) == ([ROW, OTHER], [])


@pytest.mark.parametrize("name", ["events/room-1", room(1).id])
def test_a_room_is_meant_by_its_key_and_by_its_id(name: str) -> None:
    assert of_rooms(records(room(1), room(2)), [ROW, OTHER], (name,)) == ([ROW], [])


@pytest.mark.parametrize("name", ["events/room-1", room(1).id])
def test_a_removed_room_that_was_recorded_is_known(name: str) -> None:
    assert of_rooms(records(), [ROW, OTHER], (name,)) == ([ROW], [])


def test_a_room_that_moved_is_meant_by_its_old_key_and_by_its_new_one() -> None:
    moved = records(replace(room(1), key="elsewhere"))
    assert of_rooms(moved, [ROW], ("elsewhere",)) == ([ROW], [])
    assert of_rooms(moved, [ROW], ("events/room-1",)) == ([ROW], [])


def test_a_room_that_was_never_recorded_is_known() -> None:
    assert of_rooms(records(room(1), room(2)), [ROW], ("events/room-2",)) == ([], [])


def test_a_name_that_means_none_is_told_and_the_others_are_found() -> None:
    assert of_rooms(records(room(1)), [ROW], ("nobody", "events/room-1")) == ([ROW], ["nobody"])


def test_a_removed_room_that_was_never_recorded_is_unknown() -> None:
    gone = room(2).marked_removed(NOW)
    assert of_rooms(records(gone), [ROW], (gone.key,)) == ([], [gone.key])


def test_a_short_name_is_good_while_it_means_one_room() -> None:
    one, two = api("abcdef1"), api("abcdef2")
    assert of_rooms(records(), [one], ("api/abcdef",)) == ([one], [])
    assert of_rooms(records(), [one, two], ("api/abcdef",)) == ([], ["api/abcdef"])


def test_the_order_of_the_rows_stays() -> None:
    names = (OTHER.key, ROW.key)
    assert of_rooms(records(), [ROW, OTHER, ROW], names) == ([ROW, OTHER, ROW], [])
