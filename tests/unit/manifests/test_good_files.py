"""What a manifest may look like, and what it then means."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from controller.manifests.load import load
from controller.manifests.schema import manifest_schema
from controller.manifests.snapshot import Desired, ManifestRoom, SourcePosition
from controller.room import FIELDS, OUR_FIELDS, PRESETS, REFERENCE_FIELDS
from tests.support.reference import ANSWER, CREATE, CREATE_ROOM, NEWER
from tests.unit.manifests.corpus import GOOD, GOOD_JSON

EXAMPLES = Path(__file__).parents[3] / "rooms.d"
SCHEMA = jsonschema.Draft202012Validator(manifest_schema())


def load_one(folder: Path, content: str | bytes, name: str = "f.yaml") -> Desired:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(folder)


def room(folder: Path, content: str | bytes, name: str = "f.yaml") -> ManifestRoom:
    desired = load_one(folder, content, name)
    assert desired.errors == ()
    (only,) = desired.rooms.values()
    return only


def test_the_examples_are_the_four_presets_of_the_reference() -> None:
    desired = load(EXAMPLES)
    assert desired.errors == ()
    assert {key: _policy(each.spec.as_dict()) for key, each in desired.rooms.items()} == PRESETS
    assert {each.spec.name for each in desired.rooms.values()} == {
        "Team standup room",
        "Guest webinar room",
        "Audio briefing room",
        "Recorded speaker room",
    }


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_passes_the_schema(path: Path) -> None:
    SCHEMA.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("line", ["name: true", "user_id: 1.5", "key: 1.5"])
def test_what_yaml_takes_for_a_number_is_text_to_the_schema_too(line: str) -> None:
    """The loader takes the scalar's text; an editor has only what YAML makes of it."""
    written = yaml.safe_load(line)
    SCHEMA.validate({"name": "Room", "max_participants": 5, **written})


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(manifest_schema())
    assert json.loads(json.dumps(manifest_schema())) == manifest_schema()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_gives_all_but_the_name(tmp_path: Path, preset: str) -> None:
    assert _policy(room(tmp_path, f"preset: {preset}\nname: A\n").spec.as_dict()) == PRESETS[preset]


def test_keys_beside_a_preset_win_and_null_is_absent(tmp_path: Path) -> None:
    text = "max_participants: ~\nallow_chat: false\nname: A\nrecord:\npreset: standard-team\n"
    assert _policy(room(tmp_path, text).spec.as_dict()) == {
        **PRESETS["standard-team"],
        "allow_chat": False,
    }


@pytest.mark.parametrize("name", ["f.json", "f.yaml", "f.yml"])
def test_the_references_create_body_is_a_manifest_as_it_stands(tmp_path: Path, name: str) -> None:
    assert room(tmp_path, CREATE, name).spec.as_dict() == {**json.loads(CREATE), **NEWER}
    SCHEMA.validate(json.loads(CREATE))


def test_a_room_as_the_api_returns_it_is_a_manifest_that_keeps_its_id(tmp_path: Path) -> None:
    returned = CREATE_ROOM.answers
    manifest = room(tmp_path, ANSWER, "f.json")
    assert manifest.pinned_id == returned["id"]
    assert manifest.id_position == SourcePosition(3, 7)
    ours = {name: FIELDS[name].default for name in OUR_FIELDS}
    assert manifest.spec.as_dict() == {field: returned[field] for field in REFERENCE_FIELDS} | ours
    SCHEMA.validate(returned)


def test_defaults_are_the_contracts(tmp_path: Path) -> None:
    assert room(tmp_path, GOOD).spec.as_dict() == {
        "name": "A",
        "user_id": "rooms",
        "mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
        "max_participants": 3,
        "allow_webinar_mode": False,
        "allow_chat": False,
        "allow_share_screen": False,
        "record": False,
        "record_mode": "ROOM_COMPOSITE_GRID",
        "active": True,
        **NEWER,
    }


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("007", "007"),
        ("true", "true"),
        ("no", "no"),
        ("12e3", "12e3"),
        ("2026-03-24", "2026-03-24"),
        ("'null'", "null"),
        ('"  A B  "', "A B"),
        ("|\n  A B", "A B"),
        (">-\n  A\n  B", "A B"),
        ("A # not B", "A"),
    ],
)
def test_a_text_field_takes_the_scalars_text(tmp_path: Path, written: str, name: str) -> None:
    assert room(tmp_path, f"name: {written}\nmax_participants: 3\n").spec.name == name


@pytest.mark.parametrize("written", ["null", "Null", "NULL", "~", "", "# nothing"])
def test_null_is_absent(tmp_path: Path, written: str) -> None:
    assert room(tmp_path, f"{GOOD}user_id: {written}\n").spec.user_id == "rooms"


@pytest.mark.parametrize(
    "written",
    ["123456789012345678901234", "012345678901234567890123", "0x0", "1e4", "69f013c1aa11bb22cc33dd44"],
)
def test_an_id_is_the_text_of_its_scalar(tmp_path: Path, written: str) -> None:
    text = written if len(written) == 24 else f"'{'0' * 24}'"
    assert room(tmp_path, f"{GOOD}id: {text}\n").pinned_id == text.strip("'")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xef\xbb\xbf" + GOOD.encode(), id="byte order mark"),
        pytest.param(GOOD.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + f"# c\n---\n{GOOD}".replace("\n", "\r\n").encode(), id="both"),
        pytest.param(GOOD.replace("\n", "\r").encode(), id="CR"),
        pytest.param(f"---\n{GOOD}...\n".encode(), id="marked"),
        pytest.param(f"%YAML 1.1\n---\n{GOOD}".encode(), id="directive"),
        pytest.param(f"---\n# nothing\n---\n{GOOD}---\n---\n~\n".encode(), id="empty documents"),
        pytest.param(b'{\n\t"name":"A",\n\t"max_participants":3\n}', id="JSON with tabs"),
        pytest.param(b'{"name":"\\u0041","max_participants":3}', id="JSON escapes"),
        pytest.param(b'"name": A\n"max_participants": 3', id="quoted keys"),
        pytest.param(b"{name: A, max_participants: 3,}", id="flow"),
    ],
)
def test_the_same_room_in_another_dress(tmp_path: Path, content: bytes) -> None:
    assert room(tmp_path, content).spec.as_dict() == room(tmp_path, GOOD).spec.as_dict()


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("---\n^{a}---\n^{b}", id="after each marker"),
        pytest.param("^---\n{a}^---\n{b}", id="before each marker"),
        pytest.param("^---\n^{a}^---\n^{b}", id="before and after"),
        pytest.param("^{a}...\n^---\n{b}", id="after an end"),
        pytest.param("^%YAML 1.2\n---\n{a}...\n^%YAML 1.2\n---\n{b}", id="before a directive"),
        pytest.param("# c\n^{a}--- # c\n\n# c\n^{b}", id="after comments"),
        pytest.param("^# c\n---\n{a}^# c\n\n---\n{b}", id="before comments"),
        pytest.param("---\r\n^{a}--- \r\n^{b}", id="CRLF"),
    ],
)
def test_a_byte_order_mark_at_the_start_of_a_document_is_not_there(tmp_path: Path, written: str) -> None:
    marked = written.format(a=f"key: a\n{GOOD}", b=f"key: b\n{GOOD}").replace("^", "\ufeff")
    desired = load_one(tmp_path, marked)
    assert (desired.errors, sorted(desired.rooms)) == ((), ["a", "b"])
    assert desired.rooms == load_one(tmp_path, marked.replace("\ufeff", "")).rooms


def test_several_rooms_in_a_file_have_keys_of_their_own(tmp_path: Path) -> None:
    desired = load_one(tmp_path, f"key: a\n{GOOD}---\n# none\n---\nkey: b/c\n{GOOD}---\n")
    assert desired.errors == ()
    assert {key: each.position.line for key, each in desired.rooms.items()} == {"a": 1, "b/c": 7}


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("keynote.yaml", "keynote"),
        ("events/keynote.yml", "events/keynote"),
        ("a/b/c/d.json", "a/b/c/d"),
        ("v1.2.yaml.yaml", "v1.2.yaml"),
        ("api.yaml", "api"),
    ],
)
def test_the_path_gives_the_key(tmp_path: Path, file: str, key: str) -> None:
    manifest = room(tmp_path, GOOD_JSON if file.endswith(".json") else GOOD, file)
    assert (manifest.key, manifest.file) == (key, file)


@pytest.mark.parametrize(
    ("file", "shown"), [("api/x.yaml", "api/x"), ("my room.yaml", "my room"), ("Tür.yaml", "Tür")]
)
def test_where_the_path_gives_no_key_one_is_wanted(tmp_path: Path, file: str, shown: str) -> None:
    (error,) = load_one(tmp_path, GOOD, file).errors
    assert error.message.startswith(f'the file path does not yield a valid key ("{shown}"); add `key:`')
    assert error.position == SourcePosition(1, 1)
    assert room(tmp_path, f"key: mine\n{GOOD}", file).key == "mine"


def _policy(spec: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in spec.items() if field in PRESETS["standard-team"]}
