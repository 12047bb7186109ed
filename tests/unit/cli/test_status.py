"""The controller on one page: what each line says, and the exit code that follows."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.cli.checks import Severity, checks_code
from controller.cli.console import Exit
from controller.cli.leader import Leader
from controller.cli.rooms import RoomStatus
from controller.cli.status import Overview, as_dict, check
from controller.git import Commit
from controller.records.events import Event, EventType
from controller.records.ports import Holder
from controller.records.record import Condition
from controller.records.replicas import Replica
from controller.room import format_time
from controller.text import format_age
from tests.support.rooms import NOW, room

HOLDER = Holder("me", "host", 17, "run", NOW - timedelta(seconds=1))
ME = Replica(
    id="me",
    host="host",
    pid=17,
    release="0.2.0",
    started=NOW - timedelta(hours=3),
    written=NOW,
    revision="3f2a9c1b2d4e" + "0" * 52,
    commit=Commit("a1b2c3d4e5f6a7", "Ada", NOW - timedelta(minutes=12), "Add the keynote"),
    livekit_age_s=1.0,
    clock_ahead_s=0.4,
    webhook_age_s=5.0,
)
GUARD = Condition("Guarded", "True", "TooManyMissing", "gone; roomctl apply --allow-removals 7 --yes", NOW)


def ready(number: int, *more: Condition, status: str = "True") -> RoomStatus:
    return RoomStatus(room(number), (Condition("Ready", status, "AsSpecified", "", NOW), *more))


def overview(
    me: Replica | None = ME, *others: Replica, rooms: tuple[RoomStatus, ...] = (ready(1),)
) -> Overview:
    replicas = [each for each in (me, *others) if each is not None]
    return Overview(Leader(HOLDER, me), replicas, rooms, "database roomctl at db:27017", (), NOW)


def lines(given: Overview) -> dict[str, tuple[str, str]]:
    return {result.about: (str(result.severity), result.text) for result in check(given)}


def code(given: Overview) -> Exit:
    return checks_code(result.severity for result in check(given))


def test_controller_that_is_well() -> None:
    assert lines(overview()) == {
        "controller": ("ok", "`roomctl run`, pid 17 on host, release 0.2.0, running for 3 h"),
        "rooms.d": ("ok", "revision 3f2a9c1b2d4e, commit a1b2c3d4e5f6 by Ada 12 min ago: Add the keynote"),
        "livekit": ("ok", "listed 1 s ago"),
        "clock": ("ok", "within 1 s of LiveKit's clock"),
        "mongodb": ("ok", "database roomctl at db:27017"),
        "webhook": ("ok", "last one 5 s ago"),
        "rooms": ("ok", "1 ready, 0 not ready, 0 unknown"),
    }
    assert code(overview()) is Exit.FINE


def test_without_a_controller_it_says_how_to_start_one() -> None:
    none = replace(overview(None), leader=Leader())
    assert lines(none)["controller"] == ("FAIL", "none has run yet; start it with `roomctl run`")
    ended = replace(overview(None), leader=Leader(replace(HOLDER, released=True)))
    assert lines(ended)["controller"][1].startswith(
        "none is running; last seen 1 s ago: `roomctl run`, pid 17"
    )
    assert code(none) is code(ended) is Exit.FAILED


@pytest.mark.parametrize(
    ("fields", "about", "severity", "text"),
    [
        (
            {"livekit_age_s": 20.0, "livekit_error": "cannot be reached"},
            "livekit",
            "FAIL",
            f"no answer from LiveKit since {format_time(NOW - timedelta(seconds=20))}: cannot be reached",
        ),
        (
            {"rooms_dir": "missing", "rooms_dir_problem": "gone"},
            "rooms.d",
            "FAIL",
            "gone; to check it: roomctl doctor",
        ),
        ({"rooms_dir": "empty"}, "rooms.d", "warn", "no manifest"),
        ({"manifests_withheld": True}, "rooms.d", "held", "RevisionDiffers"),
        (
            {"livekit_age_s": 4.0, "livekit_error": "cannot be reached"},
            "livekit",
            "FAIL",
            "listed 4 s ago: cannot be reached",
        ),
        ({"revision": ""}, "rooms.d", "skip", "not read yet"),
        ({"clock_ahead_s": -600.0}, "clock", "FAIL", "the controller's clock is 600 s behind LiveKit's"),
        ({"webhook_age_s": None}, "webhook", "warn", "none received"),
        (
            {"untrusted_proxy": "10.0.0.9", "untrusted_proxy_age_s": 90.0},
            "proxies",
            "warn",
            "X-Forwarded-For from 10.0.0.9 is ignored, last 90 s ago; if that is your reverse proxy, add it",
        ),
    ],
)
def test_what_is_wrong_is_said(fields: dict[str, object], about: str, severity: str, text: str) -> None:
    said = lines(overview(ME.model_copy(update=fields)))[about]
    assert said[0] == severity
    assert text in said[1]


def test_candidate_with_another_revision_is_named() -> None:
    other = ME.model_copy(update={"id": "other", "pid": 18, "revision": "f" * 64, "livekit_age_s": None})
    severity, text = lines(overview(ME, other))["candidate"]
    assert severity == "warn"
    assert text.startswith("`roomctl run`, pid 18 on host, release 0.2.0, has not seen LiveKit")
    assert text.endswith("revision ffffffffffff (RevisionDiffers)")
    dead = other.model_copy(update={"written": NOW - timedelta(seconds=31)})
    assert "candidate" not in lines(overview(ME, dead))


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (
            Condition("Held", "True", "Held", "by ann until noon: show", NOW),
            "1 room (events/room-1): Held: by ann until noon: show; to end it: roomctl release KEY, or --all",
        ),
        (
            Condition("Deferred", "True", "PeopleInside", "remove deferred, 2 inside", NOW),
            "1 room (events/room-1): PeopleInside: remove deferred, 2 inside",
        ),
    ],
)
def test_rooms_that_wait_on_purpose_are_held(condition: Condition, text: str) -> None:
    severity, line = lines(overview(rooms=(ready(1, condition),)))[condition.type.lower()]
    assert (severity, line) == (Severity.HELD, text)


def test_guarded_rooms_are_held_with_the_command() -> None:
    given = overview(rooms=tuple(ready(number, GUARD) for number in range(1, 8)))
    severity, text = lines(given)["guarded"]
    assert severity == "held"
    assert text.startswith(
        "7 rooms (events/room-1, events/room-2, events/room-3, events/room-4, events/room-5, 2 more)"
    )
    assert text.endswith("roomctl apply --allow-removals 7 --yes")
    assert lines(given)["rooms"] == ("ok", "7 ready, 0 not ready, 0 unknown, 7 Guarded")
    assert code(given) is Exit.LEFT


def test_failures_of_the_last_hour_are_counted_by_error() -> None:
    errors = ("no node", "no node", "rejected")
    failures = [Event(at=NOW, type=EventType.FAIL, error=error) for error in errors]
    severity, text = lines(replace(overview(), failures=failures))["errors"]
    assert severity == "warn"
    assert text.startswith(
        "in the last hour: no node (2 times); rejected (1 time); to list them: roomctl events"
    )


def test_rooms_that_are_not_ready_are_a_failure() -> None:
    given = overview(rooms=(ready(1), ready(2, GUARD, status="False")))
    assert lines(given)["rooms"] == (
        "FAIL",
        "1 ready, 1 not ready, 0 unknown, 1 Guarded; to list them: roomctl get",
    )
    assert code(given) is Exit.FAILED


def test_document_has_what_the_lines_say() -> None:
    document = as_dict(overview(rooms=(ready(1, GUARD),)))
    keys = "version running holder candidates database webhook_seconds_ago rooms errors guarded held deferred"
    assert list(document) == keys.split()
    assert document["running"] is True
    assert document["holder"]["commit"]["author"] == "Ada"
    assert document["rooms"] == {"Guarded": {"True": 1}, "Ready": {"True": 1}}
    assert document["guarded"][0]["keys"] == ["events/room-1"]
    assert as_dict(replace(overview(None), leader=Leader()))["holder"] is None


def test_failure_beats_what_is_held() -> None:
    assert checks_code([Severity.HELD, Severity.OK, Severity.FAIL]) is Exit.FAILED
    assert checks_code([Severity.WARN, Severity.HELD]) is Exit.LEFT
    assert checks_code([Severity.WARN, Severity.SKIP]) is Exit.FINE


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (4.4, "4 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_800, "2 d"),
    ],
)
def test_age_is_given_in_its_largest_unit(seconds: float, text: str) -> None:
    assert format_age(seconds) == text
