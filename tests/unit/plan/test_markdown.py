"""A plan as one comment: what cuts people off comes first, and no text of a manifest is markup."""

import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.manifests.snapshot import ManifestError
from controller.plan.markdown import MARKER, MAX_LENGTH, as_markdown
from controller.plan.model import Plan
from controller.plan.offline import compare_manifests
from controller.records.record import Hold
from tests.support.worlds import NOW, desired, live_room, manifest, planned, record

ROOM = record("b", live="x")


def test_no_changes() -> None:
    assert as_markdown(Plan(revision="ab" * 32)).splitlines() == [
        MARKER,
        "### roomctl plan: No changes",
        "",
        "",
        "Revision <code>abababababab</code>",
    ]


def test_what_disconnects_comes_first_with_the_number_of_people() -> None:
    plan = planned(desired(manifest("a"), manifest("b", active=False)), (ROOM,), (live_room(ROOM),), {"x": 3})
    _, headline, _, first, field, second, *_ = as_markdown(plan).splitlines()
    assert headline == (
        "### roomctl plan: 1 to create, 1 to update, 1 to start, 1 to stop; **disconnects 3 participants**"
    )
    assert first.startswith("- &#45; <code>b</code>: update, stop (")
    assert first.endswith("**disconnects 3 participants**")
    assert field == "  - <code>active</code>: <code>true</code> → <code>false</code>"
    assert second == "- &#43; <code>a</code>: create, start (manifest added; room is active)"


def test_what_is_done_at_once_and_what_waits_are_two_lines() -> None:
    room = record("b", live="x", allow_chat=True)
    wanted = desired(manifest("b", max_participants=9))
    plan = planned(wanted, (room,), (live_room(room),), {"x": 2})
    assert as_markdown(plan).splitlines()[4:6] == [
        "  - now: update — **restricts 2 participants**",
        "  - waits: recreate — deferred until the room is empty, 2 participants inside",
    ]


def test_offline_it_says_for_how_many_rooms_people_are_cut_off() -> None:
    plan = compare_manifests(desired(manifest("a"), manifest("b")), desired(manifest("a", active=False)), NOW)
    _, headline, _, stop, _, _, remove, *_ = as_markdown(plan).splitlines()
    assert headline.endswith("; **disconnects everybody inside 1 room**")
    assert stop.endswith("— **disconnects everybody inside**")
    assert remove == "  - waits: remove — until the room is empty"


def test_who_is_disconnected_when_something_ends_is_counted_as_later() -> None:
    hold = Hold("ann", "the show is on", NOW + timedelta(hours=1))
    rooms = (ROOM, record("c", live="y").with_hold(hold))
    wanted = desired(manifest("b", active=False), manifest("c", active=False))
    live = tuple(map(live_room, rooms))
    both = as_markdown(planned(wanted, rooms, live, {"x": 3, "y": 2}))
    assert "; **disconnects 3 participants and 2 later**\n" in both
    assert "; **disconnects 2 participants later**\n" in as_markdown(planned(wanted, rooms, live, {"y": 2}))


def test_like_rooms_are_folded() -> None:
    plan = planned(desired(*(manifest(f"rooms/{n}", name=f"Room {n}") for n in range(9))))
    lines = as_markdown(plan).splitlines()
    assert lines[3] == (
        "<details><summary>+ 9 rooms: create, start (manifest added; room is active)</summary>"
    )
    assert lines[5].count("<code>rooms/") == 9


def test_five_thousand_rooms_fit_into_one_comment() -> None:
    plan = planned(desired(*(manifest(f"{'deep/' * 30}{n}", user_id=f"user {n}") for n in range(5_000))))
    text = as_markdown(plan)
    assert len(text) <= MAX_LENGTH
    assert "… and " in text
    edited = planned(
        desired(*(manifest(f"{n}", user_id=f"new {n}") for n in range(2_000))),
        tuple(record(f"{n}", active=False) for n in range(2_000)),
    )
    assert len(as_markdown(edited)) <= MAX_LENGTH
    rooms = tuple(record(f"{n}", live=f"x{n}", allow_chat=True) for n in range(5_000))
    people = {f"x{n}": n % 7 for n in range(5_000)}
    wanted = desired(*(manifest(f"{n}", max_participants=n + 30) for n in range(5_000)))
    waiting = as_markdown(planned(wanted, rooms, tuple(map(live_room, rooms)), people))
    assert len(waiting) <= MAX_LENGTH
    gone = tuple(record(f"{'deep/' * 9}{n}", active=False) for n in range(5_000))
    other = manifest("new", name="Another", user_id="ann", max_participants=9, allow_chat=True)
    removed = as_markdown(planned(desired(other), gone))
    assert MAX_LENGTH // 3 < len(removed) <= MAX_LENGTH
    assert "- 5000 rooms: remove (manifest deleted, id and links end until the key comes back)" in removed
    assert re.search(r"</code> and \d+ more\n", removed)
    assert "<code>new</code>" in removed, "the next group is told, too"
    assert waiting.count("  - waits: recreate") > 50
    errors = tuple(ManifestError(f"{n}.yaml", "x" * 300) for n in range(1_000))
    assert len(as_markdown(Plan(invalid=errors))) <= MAX_LENGTH


@given(st.text(min_size=1, max_size=40))
def test_text_of_a_manifest_is_no_markup(text: str) -> None:
    before = record("b", active=False, user_id="anna")
    hold = Hold(text, text, NOW + timedelta(hours=1))
    plan = planned(desired(manifest("b", active=False, user_id=text)), (before,), hold_all=hold)
    body = as_markdown(plan).removeprefix(MARKER)
    tags = set(re.findall(r"<[^>]*>", body))
    assert tags <= {"<code>", "</code>"}
    outside = re.sub(r"<code>.*?</code>", "", body)
    assert not set("@[]|`<>\\_") & set(outside)
