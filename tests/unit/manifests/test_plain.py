"""What is read at once is read event by event alike, and the common form is read at once."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.manifests.folder_policy import BUILT_IN
from controller.manifests.parse import parse, parse_events, parse_policy
from controller.manifests.plain import read_plain
from controller.manifests.policies import Policies
from controller.room import FIELDS, PRESETS
from tests.unit.manifests.corpus import CORPUS, GOOD, GOOD_JSON
from tests.unit.manifests.test_json import JSONISH

VALUES = [
    *("true", "false", '"true"', "True", "yes", "null", "~", "", "1", "20", "007", "0", "-1", "1.5", "1e3"),
    *(
        "100000",
        "100001",
        "1_000",
        "9" * 30,
        "Team",
        "Team room",
        '"Team"',
        "'Team'",
        '"null"',
        '""',
        "a - b",
    ),
    *("a: b", "a #b", "a#b", "- a", "[a]", "&a b", "*a", "!t a", "| a", "%a", "a\\b", "é", "\ufeffa", "a\tb"),
    *('"a\\nb"', "MEDIA_TYPE_AUDIO_ONLY", "ROOM_COMPOSITE_GRID", "standard-team", '"standard-team"'),
]
ENDS = [
    "\n",
    "\r\n",
    " \n",
    "  # why\n",
    " #\n",
    "\r",
    "\u2028",
    "\x85",
    "",
    "\n\n",
    "\n ",
    "\n  b\n",
    "\t\n",
]
LINES = st.tuples(
    st.sampled_from([*FIELDS, "preset", "key", "id", "_id", "sid", "nane", "<<", " name", '"name"']),
    st.sampled_from([": ", ":  ", ":", ":\t", " : "]),
    st.sampled_from(VALUES),
    st.sampled_from(ENDS),
).map("".join)
COMMENTS = st.sampled_from(
    ["# a\n", "#\n", "\n", " # a\n", "# é\n", "---\n", "...\n", "%YAML 1.1\n", "\ufeff"]
)
PLAIN = st.lists(LINES | COMMENTS, max_size=6).map("".join)
ENOUGH = "name: Team\nmax_participants: 20\n"

JSON_VALUES: list[object] = [
    *(True, False, None, 1, 20, 0, -1, 10**30, 1.5, float("nan")),
    *([], {}, "null", "é\u2028", "\x7f", "Team", "", "MEDIA_TYPE_AUDIO_ONLY", "ROOM_COMPOSITE_GRID"),
    *PRESETS,
]
JSON = st.dictionaries(
    st.sampled_from([*FIELDS, "preset", "key", "id", "_id", "nane"]),
    st.sampled_from(JSON_VALUES),
    max_size=5,
)


TEAM = Policies(
    {
        "_policy.yaml": parse_policy(
            b"presets: {standard-team: {preset: audio-briefing, record: true}, Team: {max_participants: 9}}\n"
            b"defaults: {user_id: events, max_participants: 7, join: invite}\n"
            b"limits: {max_participants: 20, user_id: [events, T*], record: [false]}\n",
            "_policy.yaml",
        )
    }
).of_folder("")
WRONG = Policies({"_policy.yaml": parse_policy(b"limits: 3\n", "_policy.yaml")}).of_folder("")


def check(content: bytes, name: str) -> None:
    for policy in (BUILT_IN, TEAM, WRONG):
        assert parse(content, name, "f", policy) == parse_events(content, name, "f", policy)


def test_the_policies_of_these_tests_are_what_they_are_for() -> None:
    assert (TEAM.problem, bool(WRONG.problem)) == ("", True)


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_each_file_of_the_corpus_is_read_alike(ending: str) -> None:
    for content in (GOOD.encode(), GOOD_JSON.encode(), *(bad.raw for bad in CORPUS)):
        check(content, f"f.{ending}")


@given(PLAIN, st.booleans())
@example("name: Team\nname: Team\n", True)
@example("max_participants: 20 \r\n# a\n\nallow_chat: true", True)
def test_yaml_lines_are_read_alike(text: str, complete: bool) -> None:
    check((ENOUGH * complete + text).encode(), "f.yaml")
    check((text + ENOUGH * complete).encode(), "f.yaml")


@given(JSON, st.sampled_from([None, 2]), st.booleans(), st.sampled_from(["", "\n \r\n", " "]))
def test_json_objects_are_read_alike(
    fields: dict[str, object], indent: int | None, ascii_only: bool, before: str
) -> None:
    for written in (fields, {"name": "Team", "max_participants": 20, **fields}):
        check((before + json.dumps(written, indent=indent, ensure_ascii=ascii_only)).encode(), "f.json")


@given(JSONISH)
@example('{"name": "A", "name": "A", "max_participants": 3}')
@example("[" * 60_000)
@example('{"user_id": "\\ud83d", "name": "A", "max_participants": 3}')
def test_anything_like_json_is_read_alike(text: str) -> None:
    check(text.encode(), "f.json")


@pytest.mark.parametrize(
    "text",
    [
        "# Room 1\nname: Team room 1\n\nmax_participants: 20  # seats\nallow_chat: true\n",
        'name: "Team room 1"\r\npreset: standard-team',
        "preset: guest-webinar\nname: 007\nmediaType: MEDIA_TYPE_AUDIO_ONLY\n",
    ],
)
def test_the_common_form_of_yaml_is_read_at_once(text: str) -> None:
    assert read_plain(text, is_json=False) is not None


def test_the_common_form_of_json_is_read_at_once() -> None:
    text = json.dumps({"name": "Team", "preset": "standard-team", "allow_chat": False}, indent=2)
    assert read_plain(text, is_json=True) is not None
