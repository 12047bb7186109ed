"""What wakes the loop, and what does not."""

import asyncio
from dataclasses import replace

import pytest

from controller.live.room import LiveRoom
from controller.live.webhook import WebhookEvent
from controller.reconcile.triggers import Triggers
from controller.reconcile.webhooks import (
    WatchedRooms,
    needs_companion_check,
    needs_pass,
    needs_permission_check,
)
from tests.support.worlds import INSTANCE, live_room, record

OURS = LiveRoom("ours", "RM_1")
NEW = live_room(record("a"), "new")
LIVE = {"ours": OURS, "theirs": LiveRoom("theirs", "RM_2"), "new": NEW}
PLAIN = {name: record(name, live=name) for name in ("ours", "gone")}
WATCHED = WatchedRooms(ours=PLAIN, instance=INSTANCE)
RESTRICTED = replace(
    WATCHED, ours=PLAIN | {"ours": record("ours", live="ours", mediaType="MEDIA_TYPE_AUDIO_ONLY")}
)
LIMITED = replace(WATCHED, ours=PLAIN | {"ours": record("ours", live="ours", reserved_seats=1)})


@pytest.mark.parametrize(
    ("event", "room", "sid", "wakes"),
    [
        ("room_finished", "ours", "RM_1", True),
        ("room_finished", "ours", "", True),
        ("room_finished", "ours", "RM_0", False),
        ("room_finished", "gone", "RM_9", False),
        ("room_finished", "theirs", "RM_2", False),
        ("room_finished", "new", "RM_new", True),
        ("room_finished", "", "", False),
        ("room_started", "ours", "RM_1", False),
        ("room_started", "ours", "RM_7", True),
        ("room_started", "gone", "RM_7", True),
        ("room_started", "theirs", "RM_7", False),
        ("room_started", "unheard-of", "RM_7", False),
        ("track_published", "ours", "RM_1", False),
        ("an event to come", "ours", "RM_1", False),
    ],
)
def test_a_hint_matters_where_a_room_of_ours_may_have_changed(
    event: str, room: str, sid: str, wakes: bool
) -> None:
    assert needs_pass(WebhookEvent(event, room=room, sid=sid), LIVE, WATCHED) is wakes


@pytest.mark.parametrize("kind", ["participant_left", "participant_connection_aborted"])
def test_people_matter_where_they_decide(kind: str) -> None:
    event = WebhookEvent(kind, room="ours", sid="RM_1")
    assert not needs_pass(event, LIVE, WATCHED)
    assert needs_pass(event, LIVE, replace(WATCHED, people=frozenset({"ours"})))


def test_a_room_with_another_instances_mark_is_not_ours() -> None:
    assert not needs_pass(
        WebhookEvent("room_finished", room="new", sid="RM_new"), LIVE, WatchedRooms(instance="other")
    )


@pytest.mark.parametrize(
    ("room", "watched", "suspect"),
    [
        ("ours", WATCHED, False),
        ("ours", RESTRICTED, True),
        ("ours", replace(WATCHED, people=frozenset({"ours"})), True),
        ("theirs", RESTRICTED, False),
        ("new", WATCHED, True),
        ("new", replace(WATCHED, instance="other"), False),
        ("unheard-of", WATCHED, False),
    ],
)
def test_media_make_a_room_suspect_where_not_every_kind_is_allowed(
    room: str, watched: WatchedRooms, suspect: bool
) -> None:
    assert needs_permission_check(WebhookEvent("track_published", room=room), LIVE, watched) is suspect
    assert not needs_permission_check(WebhookEvent("track_unpublished", room=room), LIVE, watched)


def test_who_joins_is_suspect_where_an_older_token_may_be_used() -> None:
    event = WebhookEvent("participant_joined", room="ours")
    assert needs_permission_check(event, LIVE, replace(WATCHED, people=frozenset({"ours"})))
    assert not needs_permission_check(event, LIVE, RESTRICTED)
    assert not needs_pass(event, LIVE, WATCHED)


def test_who_joins_is_suspect_where_not_everyone_may_stay_and_in_a_room_that_is_new() -> None:
    event = WebhookEvent("participant_joined", room="ours")
    assert needs_permission_check(event, LIVE, LIMITED)
    assert not needs_permission_check(event, LIVE, WATCHED)
    assert needs_permission_check(replace(event, room="new"), LIVE, WATCHED)
    assert not needs_permission_check(replace(event, room="theirs"), LIVE, WATCHED)


@pytest.mark.parametrize(
    ("name", "kind", "looks"),
    [
        ("participant_joined", "STANDARD", True),
        ("participant_joined", "SIP", True),
        ("participant_joined", "EGRESS", False),
        ("participant_left", "STANDARD", True),
        ("participant_left", "EGRESS", False),
        ("participant_connection_aborted", "STANDARD", True),
        ("egress_started", "", True),
        ("egress_updated", "", True),
        ("egress_ended", "", True),
        ("track_published", "STANDARD", False),
        ("room_started", "", False),
        ("room_finished", "", False),
        ("", "", False),
    ],
)
def test_a_recording_is_about_people_and_egresses_and_its_recorder_is_nobody(
    name: str, kind: str, looks: bool
) -> None:
    event = WebhookEvent(name, room="ours", sid="RM_1", kind=kind)
    assert (
        needs_companion_check(event, LIVE, replace(WATCHED, serves=lambda each: each is PLAIN["ours"]))
        is looks
    )
    assert not needs_companion_check(event, LIVE, WATCHED)


@pytest.mark.parametrize(
    ("room", "instance", "looks"),
    [
        ("new", INSTANCE, True),
        ("new", "other", False),
        ("theirs", INSTANCE, False),
        ("unheard-of", INSTANCE, False),
        ("", INSTANCE, False),
    ],
)
def test_a_room_made_since_the_last_pass_may_be_one_to_record(room: str, instance: str, looks: bool) -> None:
    event = WebhookEvent("participant_joined", room=room, kind="STANDARD")
    assert needs_companion_check(event, LIVE, replace(WATCHED, instance=instance)) is looks


async def test_a_mark_wakes_the_loop_and_is_taken_once() -> None:
    triggers = Triggers()
    triggers.companion_checks.put("ours")
    assert await triggers.wait(60.0)
    assert triggers.companion_checks.drain() == {"ours"}
    assert not triggers.companion_checks.drain()
    triggers.companion_checks.keep("ours")
    assert not await triggers.wait(0.0)
    assert triggers.companion_checks.drain() == {"ours"}


async def test_a_suspicion_wakes_the_loop_and_is_taken_once() -> None:
    triggers = Triggers()
    triggers.permission_checks.put("ours")
    assert await triggers.wait(60.0)
    assert triggers.permission_checks.drain() == {"ours"}
    assert not triggers.permission_checks.drain()
    triggers.permission_checks.keep("ours")
    assert not await triggers.wait(0.0)
    assert triggers.permission_checks.drain() == {"ours"}


async def test_a_wake_before_the_wait_counts() -> None:
    triggers = Triggers()
    triggers.wake()
    assert await triggers.wait(60.0)
    assert not await triggers.wait(0.0)


async def test_a_wake_during_the_wait_ends_it() -> None:
    triggers = Triggers()
    waiting = asyncio.create_task(triggers.wait(60.0))
    await asyncio.sleep(0)
    triggers.wake()
    assert await waiting


async def test_later_wakes_after_a_while_and_not_after_closing() -> None:
    triggers = Triggers()
    triggers.later(-1.0)
    assert await triggers.wait(60.0)
    triggers.later(0.0)
    triggers.close()
    assert not await triggers.wait(0.01)


async def test_files_are_read_at_the_start_and_after_each_word_of_a_change() -> None:
    triggers = Triggers()
    assert [triggers.drain_files_changed(), triggers.drain_files_changed()] == [True, False]
    triggers.files_changed()
    assert await triggers.wait(60.0)
    assert triggers.drain_files_changed()
    triggers.files_stay_changed()
    assert triggers.drain_files_changed()
    triggers.files_later(0.0)
    assert await triggers.wait(60.0)
    assert triggers.drain_files_changed()


async def test_however_many_ask_for_one_moment_it_is_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    triggers = Triggers()
    loop = asyncio.get_running_loop()
    now = loop.time()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", lambda: now)
        for _ in range(1000):
            triggers.later(0.0)
            triggers.files_later(0.0)
    assert len(triggers._timers) == 2, "one for each of the two calls"
    assert await triggers.wait(60.0)
    triggers.close()
