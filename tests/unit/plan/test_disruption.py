"""What a change does to people who are inside, whether or not anybody is."""

from dataclasses import replace
from typing import Any

import pytest

from controller.room import Disruption
from tests.support.worlds import desired, live_room, manifest, only, planned, record

VIDEO, AUDIO = "MEDIA_TYPE_VIDEO_ONLY", "MEDIA_TYPE_AUDIO_ONLY"


@pytest.mark.parametrize(
    ("before", "after", "disruption"),
    [
        ({"allow_chat": True}, {"allow_chat": False}, "restricts"),
        ({"allow_chat": False}, {"allow_chat": True}, "none"),
        ({"allow_share_screen": True}, {"allow_share_screen": False}, "restricts"),
        ({"allow_share_screen": False}, {"allow_share_screen": True}, "none"),
        ({"allow_webinar_mode": False}, {"allow_webinar_mode": True}, "restricts"),
        ({"allow_webinar_mode": True}, {"allow_webinar_mode": False}, "none"),
        ({}, {"mediaType": AUDIO}, "restricts"),
        ({}, {"mediaType": VIDEO}, "restricts"),
        ({"mediaType": AUDIO}, {"mediaType": VIDEO}, "restricts"),
        ({"mediaType": AUDIO}, {}, "none"),
        ({}, {"name": "Another"}, "none"),
        ({}, {"record": True}, "none"),
        ({}, {"max_participants": 1}, "none"),
        ({}, {"active": False}, "disconnects"),
        ({"active": False}, {"active": True}, "none"),
        ({"allow_chat": True}, {"active": False}, "disconnects"),
    ],
)
def test_the_class_of_a_change(before: dict[str, Any], after: dict[str, Any], disruption: str) -> None:
    active = before.get("active", True)
    room = record("a", live="x" if active else None, **before)
    live = (live_room(room),) if active else ()
    assert only(planned(desired(manifest("a", **after)), (room,), live)).disruption is Disruption(disruption)


def test_a_removal_waits_and_so_disconnects_nobody() -> None:
    room, keep = record("a", live="x"), record("b", active=False)
    plan = planned(desired(manifest("b", active=False)), (room, keep), (live_room(room),), {"x": 1})
    assert (only(plan).disruption, only(plan).deferred) == (Disruption.NONE, True)


@pytest.mark.parametrize(
    ("old_fields", "disruption"),
    [({"allow_chat": True}, "restricts"), ({"allow_webinar_mode": True}, "none"), ({}, "none")],
)
def test_a_change_on_record_that_was_not_carried_to_people_yet_has_its_class(
    old_fields: dict[str, Any], disruption: str
) -> None:
    """As an update by API is until its repair, or an edit whose controller ended in between."""
    before, after = record("a", live="x", **old_fields), record("a", name="Another", live="x")
    plan = planned(desired(manifest("a", name="Another")), (after,), (live_room(before),))
    assert only(plan).disruption is Disruption(disruption)


@pytest.mark.parametrize("metadata", ["", "{", "[]", '{"allow_chat": {}}', "[" * 100_000])
def test_metadata_that_somebody_else_wrote_takes_nothing_from_a_plan(metadata: str) -> None:
    room = record("a", live="x")
    live = replace(live_room(room), metadata=metadata)
    change = only(planned(desired(manifest("a")), (room,), (live,)))
    assert [str(action.action_name) for action in change.actions] == ["update"]
