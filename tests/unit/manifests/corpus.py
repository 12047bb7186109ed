"""Bad files, each with the errors it must give: a line of `LINE:COLUMN: message` for each.

`schema` says whether the JSON Schema can see it too: it knows values, not how they are written.
"""

from typing import Final, NamedTuple

from controller.manifests.keys import KEY_RULE
from controller.room import FIELDS, PRESETS

GOOD: Final = "name: A\nmax_participants: 3\n"
GOOD_JSON: Final = '{"name": "A", "max_participants": 3}'
NAME_RULE: Final = "1 to 100 characters: A-Z a-z 0-9, space and -"
RANGE: Final = "an integer from 1 to 100000"
MEDIA: Final = "MEDIA_TYPE_VIDEO_AUDIO, MEDIA_TYPE_VIDEO_ONLY, MEDIA_TYPE_AUDIO_ONLY"
MODES: Final = "ROOM_COMPOSITE_GRID, ROOM_COMPOSITE_SPEAKER, ROOM_COMPOSITE_AND_CHAT"
NO_NAME: Final = "name is required; add `name: Main stage`"
NO_LIMIT: Final = "max_participants is required; add `max_participants: 20` or `preset: standard-team`"
NO_KEY: Final = (
    "key is required in a file with several documents; add `key: NAME` with a unique name to each document"
)
KEYS: Final = f"the fields are {', '.join((*FIELDS, 'preset', 'key', 'id', 'adopt'))}"
TAB: Final = "tabs are not allowed for indentation; use spaces"
DEEP: Final = "nesting too deep (maximum 4); a manifest is a flat mapping of `field: value`"
COLON: Final = "unexpected `: `; put each field on its own line with the same indentation, or quote the value"
BRACKET: Final = "expected `,` or a closing bracket"
QUOTE: Final = "unterminated quoted string; close the quote"
NOTHING: Final = "1:1: the file contains no manifest; add one or delete the file"


class Bad(NamedTuple):
    """A file that must not pass."""

    about: str
    content: str | bytes
    errors: tuple[str, ...]
    schema: bool = False

    @property
    def raw(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content.encode()


def field(about: str, line: str, column: int, message: str, *, schema: bool = False) -> Bad:
    """One wrong line below a good room."""
    return Bad(about, f"{GOOD}{line}\n", (f"3:{column}: {message}",), schema)


def limit(text: str, message: str, *, schema: bool = False) -> Bad:
    """One way to write max_participants that must not pass."""
    return Bad(
        f"max_participants {text[:30]}", f"name: A\nmax_participants: {text}\n", (f"2:19: {message}",), schema
    )


def name(text: str, shown: str) -> Bad:
    """One name that must not pass."""
    message = f'1:7: name: invalid value "{shown}"; use {NAME_RULE}'
    return Bad(f"name {shown[:20]}", f"name: {text}\nmax_participants: 3\n", (message,), schema=True)


def key(text: str) -> Bad:
    """One key that must not pass."""
    return field(
        f"key {text[:20]}", f"key: {text}", 6, f'key: invalid value "{text}"; use {KEY_RULE}', schema=True
    )


def broken(about: str, content: str, error: str) -> Bad:
    """No YAML at all."""
    return Bad(about, content, (error,))


CORPUS: Final[tuple[Bad, ...]] = (
    # nothing there
    broken("nothing", "", NOTHING),
    broken("only a comment", "# a room, one day\n", NOTHING),
    broken("only empty documents", "---\n---\n# none\n---\n", NOTHING),
    Bad("an empty mapping", "{}\n", (f"1:1: {NO_NAME}", f"1:1: {NO_LIMIT}"), schema=True),
    Bad(
        "text",
        "hello\n",
        ('1:1: expected a mapping (one `field: value` per line), got "hello"',),
        schema=True,
    ),
    Bad(
        "a list",
        "- a\n- b\n",
        ("1:1: expected a mapping (one `field: value` per line), got a list",),
        schema=True,
    ),
    # keys
    field(
        "a misspelt key",
        "max_participant: 2",
        1,
        'unknown field "max_participant"; did you mean max_participants?',
        schema=True,
    ),
    field(
        "another case",
        "MaxParticipants: 2",
        1,
        'unknown field "MaxParticipants"; did you mean max_participants?',
        schema=True,
    ),
    field(
        "another style",
        "media-type: x",
        1,
        'unknown field "media-type"; did you mean mediaType?',
        schema=True,
    ),
    field(
        "a swapped letter",
        "alow_caht: true",
        1,
        'unknown field "alow_caht"; did you mean allow_chat?',
        schema=True,
    ),
    field("a key that is near none", "xyzzy: true", 1, f'unknown field "xyzzy"; {KEYS}', schema=True),
    field("a key of `roomctl get`", "LKRoomName: x", 1, f'unknown field "LKRoomName"; {KEYS}', schema=True),
    field("a long key", "z" * 200 + ": 1", 1, f'unknown field "{"z" * 79}…"; {KEYS}', schema=True),
    field("a key twice", "name: B", 1, 'duplicate field "name", first used on line 1; remove one'),
    field(
        "a key that is no text", "? [a, b]\n: c", 3, "field names must be plain strings; use `field: value`"
    ),
    Bad("no name", "max_participants: 3\n", (f"1:1: {NO_NAME}",), schema=True),
    Bad("name is null", "max_participants: 3\nname: ~\n", (f"2:7: {NO_NAME}",), schema=True),
    Bad("no limit", "# x\nname: A\n", (f"2:1: {NO_LIMIT}",), schema=True),
    Bad("limit is null", "name: A\nmax_participants:\n", (f"2:18: {NO_LIMIT}",), schema=True),
    # booleans
    field("yes", "allow_chat: yes", 13, 'allow_chat: expected true or false, got "yes"; use true'),
    field("on", "allow_chat: on", 13, 'allow_chat: expected true or false, got "on"; use true'),
    field("True", "record: True", 9, 'record: expected true or false, got "True"; use true'),
    field("1", "record: 1", 9, 'record: expected true or false, got "1"; use true', schema=True),
    field("no", "active: no", 9, 'active: expected true or false, got "no"; use false'),
    field("OFF", "active: OFF", 9, 'active: expected true or false, got "OFF"; use false'),
    field("0", "active: 0", 9, 'active: expected true or false, got "0"; use false', schema=True),
    field("maybe", "active: maybe", 9, 'active: expected true or false, got "maybe"', schema=True),
    field(
        "quoted",
        'record: "true"',
        9,
        'record: expected true or false, got the string "true"; remove the quotes',
        schema=True,
    ),
    field(
        "single quotes",
        "record: 'false'",
        9,
        'record: expected true or false, got the string "false"; remove the quotes',
        schema=True,
    ),
    field("a list", "record: [true]", 9, "record: expected true or false, got a list", schema=True),
    # integers
    limit("020", f'max_participants: expected {RANGE}, got "020"; use 20'),
    limit("1:30", f'max_participants: expected {RANGE}, got "1:30"'),
    limit("0x14", f'max_participants: expected {RANGE}, got "0x14"'),
    limit("0o24", f'max_participants: expected {RANGE}, got "0o24"', schema=True),
    limit("1_000", f'max_participants: expected {RANGE}, got "1_000"; use 1000'),
    limit("1,000", f'max_participants: expected {RANGE}, got "1,000"; use 1000'),
    limit("+5", f'max_participants: expected {RANGE}, got "+5"; use 5'),
    limit("5.0", f'max_participants: expected {RANGE}, got "5.0"'),
    limit("5.5", f'max_participants: expected {RANGE}, got "5.5"', schema=True),
    limit("1e3", f'max_participants: expected {RANGE}, got "1e3"', schema=True),
    limit("many", f'max_participants: expected {RANGE}, got "many"', schema=True),
    limit("true", f'max_participants: expected {RANGE}, got "true"', schema=True),
    limit(
        '"20"', 'max_participants: expected an integer, got the string "20"; remove the quotes', schema=True
    ),
    limit("0", f'max_participants: invalid value "0"; use {RANGE}', schema=True),
    limit("-5", f'max_participants: invalid value "-5"; use {RANGE}', schema=True),
    limit("100001", f'max_participants: invalid value "100001"; use {RANGE}', schema=True),
    limit("9" * 5000, f'max_participants: expected {RANGE}, got "{"9" * 79}…"'),
    limit("٣", f'max_participants: expected {RANGE}, got "٣"', schema=True),
    limit("{a: 1}", f"max_participants: expected {RANGE}, got a mapping", schema=True),
    # text
    name("Team_1", "Team_1"),
    name('"Tür"', "Tür"),
    name('"  "', "  "),
    name("'a\u202eb'", r"a\u202eb"),
    name('"a\\nb"', r"a\nb"),
    name("x" * 101, "x" * 79 + "…"),
    Bad(
        "a list as name",
        "name: [A]\nmax_participants: 3\n",
        (f"1:7: name: expected {NAME_RULE}, got a list",),
        schema=True,
    ),
    field(
        "an empty user",
        'user_id: ""',
        10,
        'user_id: invalid value ""; use 1 to 128 characters',
        schema=True,
    ),
    field(
        "a long user",
        "user_id: " + "u" * 129,
        10,
        f'user_id: invalid value "{"u" * 79}…"; use 1 to 128 characters',
        schema=True,
    ),
    field(
        "a media type",
        "mediaType: video",
        12,
        f'mediaType: invalid value "video"; use {MEDIA}',
        schema=True,
    ),
    field(
        "a record mode",
        "record_mode: GRID",
        14,
        f'record_mode: invalid value "GRID"; use {MODES}',
        schema=True,
    ),
    # keys of ours
    Bad(
        "a preset",
        "name: A\npreset: standard_team\n",
        ('2:9: preset: unknown preset "standard_team"; did you mean standard-team?',),
    ),
    Bad(
        "no such preset",
        "name: A\npreset: xyz\n",
        (f'2:9: preset: unknown preset "xyz"; use {", ".join(PRESETS)}',),
    ),
    key("api/x"),
    key("a//b"),
    key("/a"),
    key("a/"),
    key("a/../b"),
    key("."),
    key("a/."),
    key("a b"),
    key("k" * 201)._replace(errors=(f'3:6: key: invalid value "{"k" * 79}…"; use {KEY_RULE}',)),
    field("a short id", "id: 12345", 5, 'id: invalid id "12345"; must be 24 hexadecimal digits (0-9, a-f)'),
    field(
        "no hex id",
        "id: " + "g" * 24,
        5,
        f'id: invalid id "{"g" * 24}"; must be 24 hexadecimal digits (0-9, a-f)',
        schema=True,
    ),
    field(
        "an id in capitals", "id: " + "A" * 24, 5, f'id: invalid id "{"A" * 24}"; use {"a" * 24}', schema=True
    ),
    # what YAML has beside
    field("an anchor", "user_id: &me x", 10, '"&me": YAML anchors are not supported; remove it'),
    field("an alias", "user_id: *me", 10, '"*me": YAML aliases are not supported; repeat the value'),
    field("a tag", "user_id: !!str x", 10, '"!!str": YAML tags are not supported; remove it'),
    field("a local tag", "user_id: !mine x", 10, '"!mine": YAML tags are not supported; remove it'),
    field(
        "an object",
        "user_id: !!python/object:os.system x",
        10,
        '"!!python/object:os.system": YAML tags are not supported; remove it',
    ),
    field(
        "a merge key",
        "<<: {allow_chat: true}",
        1,
        '"<<": merge keys are not supported; repeat the fields, or use `preset`',
    ),
    field("a quoted merge key", '"<<": x', 1, f'unknown field "<<"; {KEYS}', schema=True),
    Bad("an anchored room", f"--- &a\n{GOOD}", ('1:5: "&a": YAML anchors are not supported; remove it',)),
    Bad("a tagged room", f"--- !!map\n{GOOD}", ('1:5: "!!map": YAML tags are not supported; remove it',)),
    Bad(
        "a %TAG line",
        f"%TAG !x! tag:x,2026:\n---\n{GOOD}",
        ("1:1: YAML tags are not supported; remove the %TAG line",),
    ),
    # depth
    broken("60,000 brackets", "[" * 60_000, f'1:1001: "{"[" * 79}…": {DEEP}'),
    broken("60,000 braces", "{" * 60_000, f'1:1001: "{"{" * 79}…": {DEEP}'),
    broken("60,000 list items", "- " * 60_000, f"1:9: {DEEP}"),
    broken("too deep", "name: [[[[1]]]]\n", f"1:10: {DEEP}"),
    Bad(
        "deep enough",
        f"{GOOD}active: [[[1]]]\n",
        ("3:9: active: expected true or false, got a list",),
        schema=True,
    ),
    # no YAML
    broken("a tab first", "\tname: A\n", f'1:1: "\\tname: A": {TAB}'),
    broken("a tab as indentation", f"{GOOD}\tactive: true\n", f'3:1: "\\tactive: true": {TAB}'),
    broken("a tab before a value", "name:\n\tA\n", f'2:1: "\\tA": {TAB}'),
    broken("a tab in a block", "name: |\n\tA\n", f'2:1: "\\tA": {TAB}'),
    broken("an open quote", 'name: "A\nactive: true\n', f'1:7: ""A": {QUOTE}'),
    broken("an open single quote", "name: 'A\n---\n", f'1:7: "\'A": {QUOTE}'),
    broken("an open bracket", "name: [A\n", f'1:7: "[A": {BRACKET}'),
    broken("half a JSON file", '{"name": "A",\n "active": true', f'1:1: "{{"name": "A",": {BRACKET}'),
    broken(
        "text after JSON",
        '{"name": "A", "max_participants": 3} x',
        '1:38: "x": unexpected content after the document; separate documents with ---',
    ),
    broken("an at sign", "name: @A\n", '1:7: "@A": a value cannot begin with @; put it in quotes'),
    broken("a colon in text", "name: A: B\n", f'1:8: ": B": {COLON}'),
    broken("a key indented", "name: A\n  active: true\n", f'2:9: ": true": {COLON}'),
    broken(
        "a key without value",
        f"{GOOD}active\n",
        '3:1: "active": expected `: ` and a value after the field name',
    ),
    broken(
        "text after a quote",
        'name: "A" B\n',
        '1:11: "B": expected `field: value`; check the indentation',
    ),
    broken(
        "an escape",
        'name: "\\q"\n',
        '1:7: ""\\q"": unknown escape sequence in double quotes; use the character itself, or single quotes',
    ),
    broken("an end alone", "...\n", '1:1: "...": invalid YAML; write one `field: value` per line'),
    broken(
        "YAML 3",
        f"%YAML 3.0\n---\n{GOOD}",
        '1:1: "%YAML 3.0": manifests use YAML 1.1 or 1.2; remove the %YAML line',
    ),
    # bytes
    Bad(
        "Latin-1",
        b"name: A\nuser_id: M\xfcller\n",
        ("2:11: invalid UTF-8 byte 0xfc; save the file as UTF-8",),
    ),
    Bad("UTF-16", "name: A".encode("utf-16"), ("1:1: invalid UTF-8 byte 0xff; save the file as UTF-8",)),
    Bad(
        "UTF-16 without a mark",
        "name: A".encode("utf-16-le"),
        ('1:2: "\\x00" is a control character; remove it, or use an escape sequence in double quotes',),
    ),
    Bad(
        "a cut character",
        b"name: A\r\nuser_id: \xe2\x82",
        ("2:10: invalid UTF-8 byte 0xe2; save the file as UTF-8",),
    ),
    Bad(
        "a surrogate",
        b"name: \xed\xa0\x80\n",
        ("1:7: invalid UTF-8 byte 0xed; save the file as UTF-8",),
    ),
    broken(
        "a bell",
        "name: A\x07\n",
        '1:8: "\\x07" is a control character; remove it, or use an escape sequence in double quotes',
    ),
    broken(
        "a mark in the middle",
        "name: A\ufeff\n",
        '1:8: "\\ufeff" is a control character; remove it, or use an escape sequence in double quotes',
    ),
    broken(
        "a mark at the start of a line",
        f"{GOOD}\ufeffactive: true\n",
        '3:1: "\\ufeff" is a control character; remove it, or use an escape sequence in double quotes',
    ),
    broken(
        "two marks",
        f"\ufeff\ufeff{GOOD}",
        '1:1: "\\ufeff" is a control character; remove it, or use an escape sequence in double quotes',
    ),
    # several documents
    Bad("several without key", f"{GOOD}---\n{GOOD}", (f"1:1: {NO_KEY}", f"4:1: {NO_KEY}")),
    Bad("one without key", f"key: a\n{GOOD}---\n{GOOD}", (f"5:1: {NO_KEY}",)),
    Bad(
        "one key twice",
        f"key: a\n{GOOD}---\n{GOOD}key: a\n",
        (
            '1:6: duplicate key "a", also used in f.yaml:7:6; keys must be unique',
            '7:6: duplicate key "a", also used in f.yaml:1:6; keys must be unique',
        ),
    ),
    Bad(
        "1,001 documents",
        "---\n" * 1_001,
        ("1001:1: a file holds at most 1,000 documents; split it into several files",),
    ),
    # all at once
    Bad(
        "everything at once",
        "name: A_B\nmax_participants: 0\nallow_chat: yes\nmedia: x\nrecord: &x true\nid: 1\n",
        (
            f'1:7: name: invalid value "A_B"; use {NAME_RULE}',
            f'2:19: max_participants: invalid value "0"; use {RANGE}',
            '3:13: allow_chat: expected true or false, got "yes"; use true',
            '4:1: unknown field "media"; did you mean mediaType?',
            '5:9: "&x": YAML anchors are not supported; remove it',
            '6:5: id: invalid id "1"; must be 24 hexadecimal digits (0-9, a-f)',
        ),
        schema=True,
    ),
)


def laughs() -> bytes:
    """A billion laughs: nine levels of aliases, ten each."""
    lines = ["a0: &a0 ha"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines).encode()
