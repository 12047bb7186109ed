"""A file whose name ends in .json is JSON: all of it, and nothing else; each error has its place."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.manifests.document import UnreadableError
from controller.manifests.json_events import json_events
from controller.manifests.load import load
from controller.manifests.parse import parse
from controller.manifests.snapshot import Desired
from tests.unit.manifests.corpus import BRACKET, DEEP, GOOD, GOOD_JSON, NOTHING, QUOTE, RANGE
from tests.unit.manifests.test_bad_files import errors

NO_COLON = "expected `: ` and a value after the field name"
NO_NAME = "expected a field name in double quotes (JSON has no comments)"
NO_VALUE = (
    "expected a JSON value; use text in double quotes, a decimal number, true, false or null, "
    "or rename a file with YAML to .yaml"
)
ESCAPE = r"invalid escape sequence or tab in a string; use \" \\ \/ \b \f \n \r \t or \uXXXX"
AFTER = "unexpected content after the document; a JSON file holds one manifest"
COMMA = "JSON has no trailing commas; remove it"

PARTS = [*'{}[],:"', '"a"', '"b"', r'"\/"', r'"\ud83d\udc27"', r'"\ud83d"', '"\t"', "1", "-0", "01", "1.5e+3"]
JSONISH = st.lists(
    st.sampled_from([*PARTS, "true", "null", "NaN", "-Infinity", "'a'", "// c", " ", "\n", "\r\n", "\t"]),
    max_size=12,
).map("".join)


def load_json(folder: Path, content: str) -> Desired:
    (folder / "f.json").write_bytes(content.encode())
    return load(folder)


@pytest.mark.parametrize(
    ("written", "user"),
    [
        (r'"\ud83d\udc27"', "\U0001f427"),
        (r'"\uD83D\uDC27 \u00e9"', "\U0001f427 é"),
        (r'"a\/b"', "a/b"),
        (r'"\"\\\/\b\f\n\r\t"', '"\\/\b\f\n\r\t'),
        (r'"\u0000"', "\0"),
        ('"{a: [b], #c}"', "{a: [b], #c}"),
        ('"a\u2028b\u0085c"', "a\u2028b\u0085c"),
        ("12.50", "12.50"),
        ("-1e+4", "-1e+4"),
        ("true", "true"),
        ("null", "rooms"),
        ('"null"', "null"),
    ],
)
def test_a_text_field_takes_a_string_with_all_escapes_or_the_text_of_a_scalar(
    tmp_path: Path, written: str, user: str
) -> None:
    desired = load_json(tmp_path, f'{{"name": "A", "max_participants": 3, "user_id": {written}}}')
    assert desired.errors == ()
    assert desired.rooms["f"].spec.user_id == user


@pytest.mark.parametrize("written", ["123456789012345678901234", '"012345678901234567890123"'])
def test_an_id_all_of_digits_needs_no_quotes(tmp_path: Path, written: str) -> None:
    desired = load_json(tmp_path, f'{{"name": "A", "max_participants": 3, "id": {written}}}')
    assert desired.rooms["f"].pinned_id == written.strip('"')


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"\ufeff{GOOD_JSON}", id="byte order mark"),
        pytest.param('\r\n{\r\n\t"name"\t:\r"A",\n"max_participants":3}\n', id="white space"),
        pytest.param(r'{"n\u0061me":"\u0041","max_participants":3}', id="escapes"),
        pytest.param(GOOD_JSON.replace(":", ":" + " " * 2_000), id="far apart"),
    ],
)
def test_the_same_room_in_another_dress(tmp_path: Path, content: str) -> None:
    desired = load_json(tmp_path, content)
    assert desired.errors == ()
    (tmp_path / "g.yaml").write_text(GOOD)
    desired = load_json(tmp_path, content)
    assert desired.rooms["f"].spec == desired.rooms["g"].spec


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # the form
        ("", [NOTHING]),
        ("\ufeff \n", [NOTHING]),
        ("null", [NOTHING]),
        ("[]", ["1:1: expected a mapping (one `field: value` per line), got a list"]),
        ('"A"', ['1:1: expected a mapping (one `field: value` per line), got "A"']),
        (GOOD, [f'1:1: "name: A": {NO_VALUE}']),
        ("---\n{}", [f'1:1: "---": {NO_VALUE}']),
        ("# c\n{}", [f'1:1: "# c": {NO_VALUE}']),
        ("{\n // c\n}", [f'2:2: "// c": {NO_NAME}']),
        ("{'name': 'A'}", [f"1:2: \"'name': 'A'}}\": {NO_NAME}"]),
        ("{\"name\": 'A'}", [f"1:10: \"'A'}}\": {NO_VALUE}"]),
        ('{"name": "A"', [f'1:1: "{{"name": "A"": {BRACKET}']),
        ('{"name": [1,\n2', [f'1:10: "[1,": {BRACKET}']),
        ('{"name"}', [f'1:8: "}}": {NO_COLON}']),
        ('{"name": }', [f'1:10: "}}": {NO_VALUE}']),
        ('{"name": "A"\n "active": true}', [f'2:2: ""active": true}}": {BRACKET}']),
        ('{"name": "A",\n}', [f'1:13: ",": {COMMA}']),
        ('{"name": [1, ]}', [f'1:12: ", ]}}": {COMMA}']),
        ("{,}", [f'1:2: ",}}": {NO_NAME}']),
        ('{"name": "A}\n', [f'1:10: ""A}}": {QUOTE}']),
        ('{"name": "A\nB"}', [f'1:10: ""A": {QUOTE}']),
        (f"{GOOD_JSON}\n{GOOD_JSON}", [f'2:1: "{GOOD_JSON}": {AFTER}']),
        (f"{GOOD_JSON}]", [f'1:37: "]": {AFTER}']),
        # values
        ('{"name": "\\q"}', [f'1:10: ""\\q"}}": {ESCAPE}']),
        ('{"name": "\\x41"}', [f'1:10: ""\\x41"}}": {ESCAPE}']),
        ('{"name": "a\tb"}', [f'1:10: ""a\\tb"}}": {ESCAPE}']),
        ('{"name": "\\ud83d"}', [f'1:10: ""\\ud83d"}}": {ESCAPE}']),
        ('{"name": "\\udc27\\ud83d"}', [f'1:10: ""\\udc27\\ud83d"}}": {ESCAPE}']),
        ('{"name": NaN}', [f'1:10: "NaN}}": {NO_VALUE}']),
        ('{"name": -Infinity}', [f'1:10: "-Infinity}}": {NO_VALUE}']),
        ('{"max_participants": 020}', [f'1:22: "020}}": {NO_VALUE}']),
        ('{"record": True}', [f'1:12: "True}}": {NO_VALUE}']),
        ('{"a":\u00a01}', [f'1:6: "\\xa01}}": {NO_VALUE}']),
        # the rules of manifests
        (
            '{"name": "A", "max_participants": 3,\n "name": "B"}',
            ['2:2: duplicate field "name", first used on line 1; remove one'],
        ),
        (
            '{"name": "A", "max_participants": 3,\n "n\\u0061me": "B"}',
            ['2:2: duplicate field "name", first used on line 1; remove one'],
        ),
        (
            '{"name": "A", "max_participants": "3"}',
            ['1:35: max_participants: expected an integer, got the string "3"; remove the quotes'],
        ),
        ('{"name": "A", "max_participants": 3.0}', [f'1:35: max_participants: expected {RANGE}, got "3.0"']),
        (
            '{"name": "A", "max_participants": true}',
            [f'1:35: max_participants: expected {RANGE}, got "true"'],
        ),
        (
            '{"name": "A", "max_participants": 3,\n"record": "true"}',
            ['2:11: record: expected true or false, got the string "true"; remove the quotes'],
        ),
        (
            '{"name": "A", "max_participants": 3,\n"record": 1}',
            ['2:11: record: expected true or false, got "1"; use true'],
        ),
        (
            '{"name": "A", "max_participants": 3,\n"record": [[[1]]]}',
            ["2:11: record: expected true or false, got a list"],
        ),
        ('{"name": "A", "max_participants": 3,\n"<<": {}}', None),
        ('{"name":\n[[[[1]]]]}', [f"2:4: {DEEP}"]),
        ('{"name":\n{"a": {"a": {"a": {}}}}}', [f"2:19: {DEEP}"]),
        ("[" * 60_000, [f"1:5: {DEEP}"]),
        ('{"a":' * 50_000, [f"1:21: {DEEP}"]),
        (
            '{"name": "A\x07"}',
            ['1:12: "\\x07" is a control character; remove it, or use an escape sequence in double quotes'],
        ),
    ],
)
def test_bad_json_says_what_is_wrong_and_where(
    tmp_path: Path, content: str, expected: list[str] | None
) -> None:
    told = errors(load_json(tmp_path, content))
    if expected is None:
        assert told[0].startswith('2:1: unknown field "<<"; the fields are')
    else:
        assert told == expected


def test_bytes_that_are_no_utf8_are_an_error_at_their_place(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_bytes(b'{"name": "A",\n"user_id": "\xff"}')
    assert errors(load(tmp_path)) == ["2:13: invalid UTF-8 byte 0xff; save the file as UTF-8"]


def test_a_json_file_that_cannot_be_parsed_fails_whole(tmp_path: Path) -> None:
    desired = load_json(tmp_path, '{"key": "mine", "name": "A"')
    assert [(error.file, error.key) for error in desired.errors] == [("f.json", None)]


@given(JSONISH)
@example('{"a":"b","b":[true,1.5e+3]}')
def test_what_pythons_json_takes_is_taken_and_nothing_else(text: str) -> None:
    try:
        list(json_events(text))
        taken = bool(text.strip())
    except UnreadableError:
        taken = False
    assert taken == is_json(text)


def is_json(text: str) -> bool:
    """Whether `text` is JSON without NaN, infinities and halves of surrogate pairs."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        json.dumps(json.loads(text, parse_constant=refuse), ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


@given(JSONISH)
def test_anything_like_json_gives_rooms_or_errors_within_the_file(text: str) -> None:
    parsed = parse(text.encode(), "f.json", "f")
    assert parsed.errors or any(claim.room for claim in parsed.claims)
    lines = text.replace("\r\n", "\n").split("\n")
    for error in parsed.errors:
        assert error.message.isprintable()
        assert error.position is not None
        assert 1 <= error.position.line <= len(lines)
        assert 1 <= error.position.column <= len(lines[error.position.line - 1]) + 1


TEXT = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=20)


@given(
    st.dictionaries(
        st.sampled_from(["user_id", "name", "record", "max_participants", "key", "other"]),
        TEXT | st.integers() | st.booleans() | st.none() | st.lists(st.integers(), max_size=2),
        min_size=1,
    ),
    st.sampled_from([None, 1, "\t"]),
)
def test_json_gives_the_same_room_or_the_same_errors_at_the_same_places_as_yaml(
    body: dict[str, object], indent: int | str | None
) -> None:
    """But for surrogate pairs and a slash with a backslash, all that is written here is YAML too."""
    content = json.dumps(body, indent=indent).encode()
    as_json, as_yaml = (parse(content, file, "f") for file in ("f.json", "f.yaml"))
    assert [(e.message, e.position, e.key) for e in as_json.errors] == [
        (e.message, e.position, e.key) for e in as_yaml.errors
    ]
    assert [claim.room and claim.room.spec for claim in as_json.claims] == [
        claim.room and claim.room.spec for claim in as_yaml.claims
    ]
