"""A plan as text and as JSON, to the letter of controller/docs/cli.md#plan--o-json."""

import json
from dataclasses import replace

import pytest

from controller.git import Commit
from controller.manifests.snapshot import ManifestError, ManifestRoom, SourcePosition
from controller.plan.model import (
    Action,
    BlockReason,
    Create,
    Heal,
    Plan,
    Recreate,
    Remove,
    RoomChange,
    Start,
    Stop,
    Update,
)
from controller.plan.render import as_dict, as_json, as_text
from controller.records.record import Condition, Hold, Status
from controller.room import Disruption, FieldChange
from tests.support.rooms import NOW, room

ROOM = room()
FAILED = replace(
    ROOM,
    status=Status(1, (Condition("Ready", "False", "Failed", "LiveKit refused the room", NOW),)),
)
MANIFEST = ManifestRoom(ROOM.key, "events/room-1.yaml", ROOM.spec, SourcePosition(1, 1))
NEW = RoomChange(
    key="events/keynote",
    id="69f013c1aa11bb22cc33dd44",
    name="Keynote",
    actions=(Create(MANIFEST, "69f013c1aa11bb22cc33dd44"), Start()),
    reason="a new manifest",
    fields=(FieldChange("name", None, "Keynote"), FieldChange("max_participants", None, 20)),
)


def change(*actions: Action, **facts: object) -> RoomChange:
    made = RoomChange("team/standup", ROOM.id, "Standup", actions, "manifest changed")
    return replace(made, **facts)  # type: ignore[arg-type] # what each test says of it


def test_the_json_is_the_contracts_to_the_letter() -> None:
    plan = Plan(
        changes=(
            NEW,
            change(
                Update(MANIFEST),
                fields=(FieldChange("allow_chat", True, False),),
                disruption=Disruption.RESTRICTS,
                participants=3,
            ),
        ),
        invalid=(
            ManifestError("bad.yaml", "a tab", SourcePosition(3, 7)),
            ManifestError("gone.yaml", "no file"),
        ),
        unchanged=5,
        revision="ab" * 32,
    )
    assert as_json(plan, NOW, lambda file: f"rooms.d/{file}") == json.dumps(
        {
            "version": 1,
            "generated_at": "2026-03-24T16:00:00.123Z",
            "revision": "ab" * 32,
            "summary": {
                "create": 1,
                "update": 1,
                "start": 1,
                "stop": 0,
                "recreate": 0,
                "remove": 0,
                "unchanged": 5,
                "deferred": 0,
                "invalid": 2,
            },
            "changes": [
                {
                    "key": "events/keynote",
                    "id": "69f013c1aa11bb22cc33dd44",
                    "name": "Keynote",
                    "actions": ["create", "start"],
                    "fields": [
                        {"field": "name", "from": None, "to": "Keynote"},
                        {"field": "max_participants", "from": None, "to": 20},
                    ],
                    "disruption": "none",
                    "participants": 0,
                    "deferred": False,
                    "reason": "a new manifest",
                    "steps": [
                        {
                            "actions": ["create", "start"],
                            "waits_for": [],
                            "disruption": "none",
                            "participants": 0,
                        }
                    ],
                },
                {
                    "key": "team/standup",
                    "id": ROOM.id,
                    "name": "Standup",
                    "actions": ["update"],
                    "fields": [{"field": "allow_chat", "from": True, "to": False}],
                    "disruption": "restricts",
                    "participants": 3,
                    "deferred": False,
                    "reason": "manifest changed",
                    "steps": [
                        {
                            "actions": ["update"],
                            "waits_for": [],
                            "disruption": "restricts",
                            "participants": 3,
                        }
                    ],
                },
            ],
            "invalid": [
                {"file": "rooms.d/bad.yaml", "line": 3, "column": 7, "message": "a tab"},
                {"file": "rooms.d/gone.yaml", "line": 1, "column": 1, "message": "no file"},
            ],
        },
        indent=2,
    )


def test_nothing_to_do_is_one_line() -> None:
    assert as_text(Plan(unchanged=4)) == "No changes."


def test_the_text_has_a_line_a_room_its_fields_beneath_and_the_counts_last() -> None:
    assert as_text(Plan(changes=(NEW,))).splitlines() == [
        "+ events/keynote: create, start (a new manifest)",
        '    name              "Keynote"',
        "    max_participants  20",
        "",
        "Plan: 1 to create, 1 to start.",
    ]


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (change(Start()), "+ team/standup: start (manifest changed)"),
        (change(Heal("n")), "+ team/standup: start (manifest changed)"),
        (change(Update(MANIFEST)), "~ team/standup: update (manifest changed)"),
        (change(Update(MANIFEST), Start()), "+ team/standup: update, start (manifest changed)"),
        (
            change(Update(MANIFEST), Stop(), disruption=Disruption.DISCONNECTS, participants=1),
            "- team/standup: update, stop (manifest changed) - disconnects 1 participant",
        ),
        (
            change(Stop(), disruption=Disruption.DISCONNECTS),
            "- team/standup: stop (manifest changed) - disconnects 0 participants",
        ),
        (
            change(Update(MANIFEST), disruption=Disruption.RESTRICTS, participants=2),
            "~ team/standup: update (manifest changed) - restricts 2 participants",
        ),
    ],
)
def test_a_room_is_shown_by_what_happens_to_it(made: RoomChange, line: str) -> None:
    assert as_text(Plan(changes=(made,))).splitlines()[0] == line


HOLD = Hold("ann", "the show is on", NOW)
HELD = "held by ann until 2026-03-24T16:00:00.123Z: the show is on"


@pytest.mark.parametrize(
    ("made", "lines"),
    [
        (
            change(Update(MANIFEST), Recreate(), participants=2, deferred=True),
            [
                "± team/standup: update, recreate (manifest changed)",
                "    now: update",
                "    waits: recreate - deferred until the room is empty, 2 participants inside",
            ],
        ),
        (
            change(
                Update(MANIFEST), Recreate(), disruption=Disruption.RESTRICTS, participants=2, deferred=True
            ),
            [
                "± team/standup: update, recreate (manifest changed)",
                "    now: update - restricts 2 participants",
                "    waits: recreate - deferred until the room is empty, 2 participants inside",
            ],
        ),
        (
            change(
                Heal("n"),
                Update(MANIFEST),
                Stop(),
                fields=(FieldChange("active", True, False),),
                disruption=Disruption.DISCONNECTS,
                participants=1,
                hold=HOLD,
            ),
            [
                "- team/standup: start, update, stop (manifest changed)",
                "    now: start",
                f"    waits: update, stop - disconnects 1 participant - {HELD}",
                "    active  true -> false",
            ],
        ),
        (
            change(Remove(), blocked_by=BlockReason.TOO_MANY),
            [
                "- team/standup: remove (manifest changed)",
                f"    waits: remove - blocked: {BlockReason.TOO_MANY.message(1)}",
            ],
        ),
        (
            change(Remove(), blocked_by=BlockReason.EMPTY, hold=HOLD),
            [
                "- team/standup: remove (manifest changed)",
                f"    waits: remove - {HELD}; blocked: {BlockReason.EMPTY.message(1)}",
            ],
        ),
        (
            change(Start(), record=FAILED),
            ["+ team/standup: start (manifest changed)", "    last try: LiveKit refused the room"],
        ),
    ],
)
def test_lines_say_what_is_done_at_once_and_to_whom_and_what_waits_for_what(
    made: RoomChange, lines: list[str]
) -> None:
    assert as_text(Plan(changes=(made,))).splitlines()[:-2] == lines


def test_json_has_the_same_steps() -> None:
    made = change(
        Update(MANIFEST), Recreate(), disruption=Disruption.RESTRICTS, participants=2, deferred=True
    )
    assert as_dict(Plan(changes=(made,)), NOW)["changes"][0]["steps"] == [
        {"actions": ["update"], "waits_for": [], "disruption": "restricts", "participants": 2},
        {
            "actions": ["recreate"],
            "waits_for": ["empty"],
            "disruption": "none",
            "participants": 0,
            "wait": "deferred until the room is empty, 2 participants inside",
        },
    ]
    failing = as_dict(Plan(changes=(change(Start(), record=FAILED),)), NOW)["changes"][0]
    assert failing["last_failure"] == "LiveKit refused the room"


def test_the_last_line_counts_what_waits() -> None:
    plan = Plan(
        changes=(
            change(Recreate(), deferred=True),
            change(Remove(), blocked_by=BlockReason.EMPTY),
            change(Update(MANIFEST)),
        )
    )
    assert as_text(plan).splitlines()[-1] == (
        "Plan: 1 to update, 1 to recreate, 1 to remove (1 deferred, 1 blocked)."
    )


def test_an_api_room_is_cut_short_and_no_id_is_in_the_text() -> None:
    key = f"api/{ROOM.id}"
    text = as_text(Plan(changes=(change(Heal("n"), key=key), NEW)))
    assert "+ api/000000: start" in text
    assert ROOM.id not in text
    assert NEW.id not in text


def test_errors_and_notes_stand_before_the_counts() -> None:
    plan = Plan(
        changes=(change(Update(MANIFEST)),),
        invalid=(ManifestError("bad.yaml", "a tab", SourcePosition(3, 7)),),
        notes=("moved? write `key: old` into new.yaml",),
    )
    assert as_text(plan).splitlines()[1:] == [
        "! bad.yaml:3:7: a tab",
        "  moved? write `key: old` into new.yaml",
        "",
        "Plan: 1 to update.",
    ]


def test_commit_is_beside_the_revision_in_a_git_checkout() -> None:
    plan = Plan(revision="ab", commit=Commit("c0ffee", "Ada", NOW, "Add the keynote"))
    keys = list(as_dict(plan, NOW))
    assert keys[keys.index("revision") + 1] == "commit"
    assert as_dict(plan, NOW)["commit"] == {
        "id": "c0ffee",
        "author": "Ada",
        "time": f"{NOW:%Y-%m-%dT%H:%M:%S}.000Z",
        "subject": "Add the keynote",
    }
