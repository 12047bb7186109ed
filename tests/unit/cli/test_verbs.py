"""What verbs make of what they find: exit codes, and what they say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.cli.apply import apply_code, print_report
from controller.cli.checks import Severity, about_clock, about_webhook
from controller.cli.console import Exit
from controller.cli.doctor import (
    about_auto_create,
    about_hidden,
    about_key,
    about_manifests,
    about_page,
    about_secret,
    about_settings,
)
from controller.cli.get import count_inside, read_rooms
from controller.cli.leader import Leader
from controller.cli.plan import plan_code
from controller.cli.rooms import RoomStatus, room_status
from controller.cli.wait import WaitProgress
from controller.cli.wait_condition import Target, WaitCondition
from controller.errors import LiveKitUnavailableError, StoreUnavailableError
from controller.live.room import Permission
from controller.manifests.snapshot import Desired, ManifestError, ManifestRoom, RoomsDirState
from controller.manifests.snapshot import SourcePosition as Place
from controller.one_shot import ApplyReport
from controller.plan.model import BlockReason, Plan, Recreate, Remove, RoomChange
from controller.records.ports import Holder
from controller.records.record import Condition, RoomRecord, Status
from controller.records.replicas import Replica
from controller.room import RoomSpec
from controller.settings import Settings
from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.rooms import NOW, records, room

ERROR = ManifestError("bad.yaml", "a tab", Place(1, 1), "bad")
CHANGE = RoomChange("events/room-1", "1" * 24, "Room 1", (Recreate(),), "max_participants", deferred=True)
READY = Status(1, (Condition("Ready", "True", "AsSpecified", "", NOW),))
AT_WORK = Holder("x", "host", 17, "run", NOW)
SETTINGS = Settings()
NTP = "so LiveKit may reject tokens; synchronize both hosts with NTP"


def desired(*errors: ManifestError, state: RoomsDirState = RoomsDirState.OK, **rooms: RoomRecord) -> Desired:
    manifests = {r.key: ManifestRoom(r.key, r.file or "", r.spec, Place(1, 1)) for r in rooms.values()}
    return Desired(manifests, errors, "", state, "rooms.d: there is no such folder")


# -- plan and apply


@pytest.mark.parametrize(
    ("plan", "detailed", "code"),
    [
        (Plan(), True, Exit.FINE),
        (Plan(changes=(CHANGE,)), False, Exit.FINE),
        (Plan(changes=(CHANGE,)), True, Exit.CHANGES),
        (Plan(changes=(CHANGE,), invalid=(ERROR,)), True, Exit.FAILED),
        (Plan(invalid=(ERROR,)), False, Exit.FAILED),
    ],
)
def test_a_plan_ends_with_the_contracts_code(plan: Plan, detailed: bool, code: Exit) -> None:
    assert plan_code(plan, detailed=detailed) is code


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (ApplyReport(Plan()), Exit.FINE),
        (ApplyReport(Plan(), left=(CHANGE,)), Exit.LEFT),
        (ApplyReport(Plan(), failed={"a": "no"}, left=(CHANGE,)), Exit.FAILED),
        (ApplyReport(Plan(invalid=(ERROR,)), left=(CHANGE,)), Exit.FAILED),
        (ApplyReport(Plan(invalid=(ERROR,)), granted=("a",)), Exit.FINE),
    ],
)
def test_an_apply_ends_with_the_contracts_code(report: ApplyReport, code: Exit) -> None:
    assert apply_code(report) is code


def test_what_an_apply_left_or_could_not_do_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    held = replace(
        CHANGE, key="api/" + "a" * 24, actions=(Remove(),), deferred=False, blocked_by=BlockReason.EMPTY
    )
    left = (replace(CHANGE, participants=2), held)
    report = ApplyReport(Plan(invalid=(ERROR,)), failed={"team": "no room"}, left=left, granted=("gone",))
    print_report(report, SETTINGS)
    out, err = capsys.readouterr()
    assert out == "gone\n"
    assert err.splitlines()[1:] == [
        "error: team: no room",
        "not applied: events/room-1: recreate (deferred until the room is empty, 2 participants inside)",
        f"not applied: api/aaaaaa: remove ({BlockReason.EMPTY.message(0)})",
        "error: 1 manifest file is invalid: rooms.d/bad.yaml",
    ]


# -- wait


def test_all_rooms_of_the_folder_are_waited_for_as_they_stand_there() -> None:
    watch = WaitProgress(WaitCondition(), desired(a=room(1), b=room(2)))
    assert watch.targets(records(room(1), room(3))) == [
        Target("events/room-1", room(1).spec),
        Target("events/room-2", room(2).spec),
    ]


def test_without_a_folder_those_on_record_are_waited_for() -> None:
    watch = WaitProgress(WaitCondition(), desired(state=RoomsDirState.MISSING))
    assert watch.targets(records(room(1), replace(room(2), removed_at=NOW))) == [Target("events/room-1")]


def test_named_rooms_are_found_by_key_and_by_id_with_their_manifests() -> None:
    watch = WaitProgress(WaitCondition(), desired(a=room(1)), (room(1).id, "events/room-2", "events/none"))
    assert watch.targets(records(room(1), room(2))) == [
        Target("events/room-1", room(1).spec),
        Target("events/room-2"),
        Target("events/none"),
    ]


HELD = Condition("Held", "True", "Held", "by ann until tomorrow: show", NOW)
AS_SPECIFIED = Condition("Ready", "True", "AsSpecified", "", NOW)
WAITS = Condition("Ready", "True", "Held", "recreate held by ann until tomorrow: show", NOW)
OTHER = RoomSpec(name="Another", max_participants=3)


@pytest.mark.parametrize(
    ("conditions", "spec", "condition", "kept"),
    [
        ((AS_SPECIFIED, HELD), room(1).spec, "Ready", False),
        ((AS_SPECIFIED, HELD), OTHER, "Ready", True),
        ((WAITS, HELD), room(1).spec, "Ready", True),
        ((WAITS, HELD), None, "Ready", True),
        ((WAITS, HELD), room(1).spec, "Held", False),
    ],
)
def test_a_room_whose_change_a_hold_blocks_is_named_and_not_waited_for(
    conditions: tuple[Condition, ...], spec: RoomSpec | None, condition: str, kept: bool
) -> None:
    record = room(1).with_status(Status(1, conditions))
    watch = WaitProgress(WaitCondition(condition), desired(a=room(1)), (record.key,))
    watch.update([Target(record.key, spec)], {record.key: RoomStatus(record, conditions)})
    assert watch.missing == {}
    assert watch.kept == ({record.key: f"Held: {HELD.message}"} if kept else {})
    assert watch.report() == (3 if kept else 0)


def test_a_wrong_manifest_ends_the_wait_for_the_rooms_it_stands_for() -> None:
    whole = ManifestError("events/room-1.yaml", "is no UTF-8")
    snapshot = desired(ERROR, whole)
    assert WaitProgress(WaitCondition(), snapshot).wrong(records()) == [ERROR, whole]
    assert WaitProgress(WaitCondition(), snapshot, ("bad",)).wrong(records()) == [ERROR]
    assert WaitProgress(WaitCondition(), snapshot, ("events/room-1",)).wrong(records()) == [whole]
    assert WaitProgress(WaitCondition(), snapshot, (room(1).id,)).wrong(records(room(1))) == [whole]
    assert WaitProgress(WaitCondition(), snapshot, ("events/room-2",)).wrong(records(room(2))) == []
    assert WaitProgress(WaitCondition("delete"), snapshot).wrong(records()) == []


def test_a_wrong_manifest_ends_the_wait_for_its_room_by_id_too() -> None:
    wrong = replace(ERROR, key="events/room-1")
    assert WaitProgress(WaitCondition(), desired(wrong), (room(1).id,)).wrong(records(room(1))) == [wrong]
    assert WaitProgress(WaitCondition(), desired(wrong), (room(2).id,)).wrong(records(room(1), room(2))) == []


def test_a_folder_that_cannot_be_read_ends_the_wait_for_the_rooms_in_it() -> None:
    folder = ManifestError("events", "this cannot be read")
    assert WaitProgress(WaitCondition(), desired(folder), ("events/room-1",)).wrong(records(room(1))) == [
        folder
    ]


def test_an_id_that_the_record_does_not_have_ends_the_wait() -> None:
    snapshot = desired(a=room(1))
    manifest = replace(snapshot.rooms["events/room-1"], pinned_id=room(2).id)
    watch = WaitProgress(WaitCondition(), replace(snapshot, rooms={manifest.key: manifest}))
    assert ["already has a different id" in error.message for error in watch.wrong(records(room(1)))] == [
        True
    ]
    assert watch.wrong(records()) == []


def test_that_a_manifest_is_invalid_can_be_waited_for() -> None:
    condition = WaitCondition("ManifestValid", negated=True)
    assert WaitProgress(condition, desired(ERROR), ("bad",)).wrong(records()) == []


def test_each_room_not_there_yet_has_its_reason() -> None:
    watch = WaitProgress(WaitCondition(), desired(a=room(1), b=room(2)))
    now = {"events/room-1": room_status(replace(room(1), status=READY), Leader(AT_WORK), NOW)}
    watch.update(watch.targets(records()), now)
    assert watch.missing == {"events/room-2": "waiting for Ready: room not found"}


def test_a_deferred_room_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    said = Status(1, (*READY.conditions, Condition("Deferred", "True", "PeopleInside", "2 inside", NOW)))
    watch = WaitProgress(WaitCondition(), desired(a=room(1)))
    now = {"events/room-1": room_status(replace(room(1), status=said), Leader(AT_WORK), NOW)}
    for _ in range(2):
        watch.update(watch.targets(records()), now)
    assert watch.missing == {}
    assert capsys.readouterr().err == "events/room-1: Deferred: 2 inside\n"


async def test_one_look_is_taken_however_short_the_time() -> None:
    ready = replace(room(1), status=READY)
    holder = replace(AT_WORK, renewed=datetime.now(UTC))
    store = FakeStore(FakeDatabase(rooms={ready.id: ready}, holder=holder))
    assert await WaitProgress(WaitCondition(), desired(a=room(1))).met_within(0, store)
    assert not await WaitProgress(WaitCondition("Live"), desired(a=room(1))).met_within(0, store)


async def test_a_database_that_is_away_is_what_is_missing() -> None:
    store = FakeStore()
    store.fail = StoreUnavailableError("MongoDB at db:27017 does not answer")
    watch = WaitProgress(WaitCondition(), desired(a=room(1)))
    assert not await watch.met_within(0, store)
    assert watch.missing == {"the database": "MongoDB at db:27017 does not answer"}


# -- get


async def test_rooms_are_looked_at_with_the_holder_of_the_moment() -> None:
    ready = replace(room(1), status=READY)
    away = replace(AT_WORK, renewed=datetime.now(UTC) - timedelta(minutes=1))
    store = FakeStore(FakeDatabase(rooms={ready.id: ready}, holder=away))
    await store.refresh()
    (status,), unknown = await read_rooms(SETTINGS, store, ("events/room-1", "none"))
    assert [(c.type, c.reason) for c in status.conditions][-1] == ("Ready", "ControllerAway")
    assert unknown == ["none"]
    assert status.participants is None


async def test_people_are_counted_room_by_room_without_agents() -> None:
    live = FakeLive()
    for name in ("lk-1", "lk-2"):
        await live.create_room(name, "", 10)
    live.enter("lk-1", "guest", Permission())
    live.enter("lk-1", "agent-1", Permission(), kind="AGENT")
    rooms = [room(1, live="lk-1"), room(2, live="lk-2"), room(3, live="lk-gone"), room(4)]
    assert await count_inside(live, rooms) == {
        room(1).id: 1,
        room(2).id: 0,
        room(3).id: 0,
        room(4).id: 0,
    }


async def test_what_livekit_does_not_tell_is_unknown() -> None:
    live = FakeLive()
    await live.create_room("lk-1", "", 10)
    live.fail["participants lk-1"] = LiveKitUnavailableError("too slow")
    assert await count_inside(live, [room(1, live="lk-1"), room(2)]) == {room(2).id: 0}
    live.fail["rooms"] = LiveKitUnavailableError("gone")
    assert await count_inside(live, [room(1, live="lk-1")]) == {}


# -- doctor


@pytest.mark.parametrize(
    ("apart", "mark", "text"),
    [
        (0, Severity.OK, "within 1 s of LiveKit's clock"),
        (-9, Severity.OK, "within 9 s of LiveKit's clock"),
        (11, Severity.FAIL, f"the clock of this host is 11 s ahead of LiveKit's, {NTP}"),
        (-3600, Severity.FAIL, f"the clock of this host is 3600 s behind LiveKit's, {NTP}"),
    ],
)
def test_a_clock_that_is_off_is_a_failure(apart: float, mark: Severity, text: str) -> None:
    result = about_clock(apart)
    assert (result.severity, result.text) == (mark, text)


def test_a_clock_that_cannot_be_seen_is_not_checked() -> None:
    assert about_clock(None).severity is Severity.SKIP


@pytest.mark.parametrize(
    ("creates", "mark"), [(False, Severity.OK), (True, Severity.WARN), (None, Severity.SKIP)]
)
def test_rooms_that_livekit_makes_for_whoever_joins_are_a_warning(
    creates: bool | None, mark: Severity
) -> None:
    assert about_auto_create(creates).severity is mark


@pytest.mark.parametrize(
    ("ages", "mark"), [([], Severity.SKIP), ([None, None], Severity.WARN), ([None, 90.0, 5.0], Severity.OK)]
)
def test_webhook_is_one_that_any_replica_had(ages: list[float | None], mark: Severity) -> None:
    written = NOW - timedelta(seconds=3)
    replicas = [
        Replica(id=str(n), host="h", pid=n, started=NOW, written=written, webhook_age_s=age)
        for n, age in enumerate(ages)
    ]
    result = about_webhook(replicas, NOW)
    assert result.severity is mark
    assert ("8 s ago" in result.text) is (mark is Severity.OK)


def test_an_unknown_variable_is_a_warning_of_the_doctor() -> None:
    results = list(about_settings({}, {"ROOMCTL_SECERT": "did you mean ROOMCTL_SECRET?"}))
    assert [(result.severity, result.text) for result in results] == [
        (Severity.WARN, "ROOMCTL_SECERT: unknown setting; did you mean ROOMCTL_SECRET?"),
        (Severity.OK, "all required settings are set and valid"),
    ]


def test_ids_that_depend_on_livekits_secret_are_a_warning() -> None:
    own = replace(SETTINGS, secret="a secret of its own", livekit_api_secret="livekit's")
    assert [*about_key(own)] == []
    (result,) = about_key(replace(own, secret="livekit's"))
    assert result.severity is Severity.WARN
    assert result.text.startswith("ROOMCTL_SECRET is not set")


def test_unseen_guests_are_a_warning_until_they_need_a_token() -> None:
    assert about_hidden(SETTINGS).severity is Severity.WARN
    assert about_hidden(replace(SETTINGS, hidden_requires_token=True)).severity is Severity.OK


def test_a_missing_npm_package_is_a_warning_that_says_how_to_install_it() -> None:
    missing = about_page(["livekit-client"])
    assert missing.severity is Severity.WARN
    assert missing.text.startswith("the join page needs livekit-client; ")
    assert "npm ci --ignore-scripts --prefix " in missing.text
    assert about_page([]).severity is Severity.OK


def test_another_secret_is_a_warning() -> None:
    other = replace(SETTINGS, secret="a", livekit_api_secret="b")
    assert about_secret(other, changed=True).severity is Severity.WARN
    assert "set ROOMCTL_SECRET_PREVIOUS to it" in about_secret(other, changed=True).text
    assert about_secret(other, changed=False).severity is Severity.OK


def test_a_secret_that_was_never_set_is_mended_with_the_old_secret_of_livekit() -> None:
    never_set = replace(SETTINGS, secret="b", livekit_api_secret="b")
    assert "set ROOMCTL_SECRET to the old LIVEKIT_API_SECRET" in about_secret(never_set, changed=True).text


@pytest.mark.parametrize(
    ("snapshot", "mark", "text"),
    [
        (desired(a=room(1)), Severity.OK, "1 room in rooms.d"),
        (desired(ERROR), Severity.FAIL, "1 error in rooms.d; run `roomctl validate`"),
        (desired(state=RoomsDirState.MISSING), Severity.FAIL, "rooms.d: there is no such folder"),
        (desired(state=RoomsDirState.EMPTY), Severity.WARN, "no manifest in rooms.d; add one"),
    ],
)
def test_manifests_are_judged(snapshot: Desired, mark: Severity, text: str) -> None:
    assert about_manifests(snapshot, SETTINGS).severity is mark
    assert about_manifests(snapshot, SETTINGS).text == text
