"""Bad files, each with the errors it must give: a line of `LINE:COLUMN: message` for each.

`schema` says whether the JSON Schema can see it too: it knows values, not how they are written.
"""

from typing import Final, NamedTuple

from controller.manifests.keys import KEY_RULE
from controller.room import PRESETS

GOOD: Final = "name: A\nmax_participants: 3\n"
NAME_RULE: Final = "1 to 100 of A-Z a-z 0-9, space and -"
RANGE: Final = "a whole number from 1 to 100000"
MEDIA: Final = "MEDIA_TYPE_VIDEO_AUDIO, MEDIA_TYPE_VIDEO_ONLY, MEDIA_TYPE_AUDIO_ONLY"
MODES: Final = "ROOM_COMPOSITE_GRID, ROOM_COMPOSITE_SPEAKER, ROOM_COMPOSITE_AND_CHAT"
NO_NAME: Final = "name is missing; write `name: Main stage`"
NO_LIMIT: Final = "max_participants is missing; write `max_participants: 20`, or `preset: standard-team`"
NO_KEY: Final = "key is missing, and this file holds several rooms; write `key: NAME`, another for each"
KEYS: Final = (
    "the keys are name, user_id, mediaType, max_participants, allow_webinar_mode, allow_chat, "
    "allow_share_screen, record, record_mode, active, preset, key, id"
)
TAB: Final = "a tab cannot indent; use spaces"
DEEP: Final = "nested more than 4 deep; a manifest is a flat list of `key: value`"
COLON: Final = "a `: ` cannot stand here; give each key its own line, all indented alike, or quote the text"
BRACKET: Final = "a comma is missing, or a bracket is never closed"
QUOTE: Final = "the quote that opens here is never closed; close it"
NOTHING: Final = "1:1: this file holds no room; write one, or take it away"


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
    message = f'1:7: name: "{shown}" is not allowed; write {NAME_RULE}'
    return Bad(f"name {shown[:20]}", f"name: {text}\nmax_participants: 3\n", (message,), schema=True)


def key(text: str) -> Bad:
    """One key that must not pass."""
    return field(
        f"key {text[:20]}", f"key: {text}", 6, f'key: "{text}" is not allowed; write {KEY_RULE}', schema=True
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
        "text", "hello\n", ('1:1: "hello" is no room; write a mapping, one `key: value` a line',), schema=True
    ),
    Bad(
        "a list",
        "- a\n- b\n",
        ("1:1: this list is no room; write a mapping, one `key: value` a line",),
        schema=True,
    ),
    # keys
    field(
        "a misspelt key",
        "max_participant: 2",
        1,
        'unknown key "max_participant"; write max_participants',
        schema=True,
    ),
    field(
        "another case",
        "MaxParticipants: 2",
        1,
        'unknown key "MaxParticipants"; write max_participants',
        schema=True,
    ),
    field("another style", "media-type: x", 1, 'unknown key "media-type"; write mediaType', schema=True),
    field("a swapped letter", "alow_caht: true", 1, 'unknown key "alow_caht"; write allow_chat', schema=True),
    field("a key that is near none", "xyzzy: true", 1, f'unknown key "xyzzy"; {KEYS}', schema=True),
    field("a key of `roomctl get`", "LKRoomName: x", 1, f'unknown key "LKRoomName"; {KEYS}', schema=True),
    field("a long key", "z" * 200 + ": 1", 1, f'unknown key "{"z" * 79}…"; {KEYS}', schema=True),
    field("a key twice", "name: B", 1, '"name" is written twice, first on line 1; keep one of the two'),
    field("a key that is no text", "? [a, b]\n: c", 3, "a key is plain text; write `key: value`"),
    Bad("no name", "max_participants: 3\n", (f"1:1: {NO_NAME}",), schema=True),
    Bad("name is null", "max_participants: 3\nname: ~\n", (f"2:7: {NO_NAME}",), schema=True),
    Bad("no limit", "# x\nname: A\n", (f"2:1: {NO_LIMIT}",), schema=True),
    Bad("limit is null", "name: A\nmax_participants:\n", (f"2:18: {NO_LIMIT}",), schema=True),
    # booleans
    field("yes", "allow_chat: yes", 13, 'allow_chat: "yes" is no boolean; write true'),
    field("on", "allow_chat: on", 13, 'allow_chat: "on" is no boolean; write true'),
    field("True", "record: True", 9, 'record: "True" is no boolean; write true'),
    field("1", "record: 1", 9, 'record: "1" is no boolean; write true', schema=True),
    field("no", "active: no", 9, 'active: "no" is no boolean; write false'),
    field("OFF", "active: OFF", 9, 'active: "OFF" is no boolean; write false'),
    field("0", "active: 0", 9, 'active: "0" is no boolean; write false', schema=True),
    field("maybe", "active: maybe", 9, 'active: "maybe" is no boolean; write true or false', schema=True),
    field(
        "quoted",
        'record: "true"',
        9,
        'record: "true" in quotes is text; write true without quotes',
        schema=True,
    ),
    field(
        "single quotes",
        "record: 'false'",
        9,
        'record: "false" in quotes is text; write false without quotes',
        schema=True,
    ),
    field(
        "a list", "record: [true]", 9, "record: a list cannot stand here; write true or false", schema=True
    ),
    # integers
    limit("020", 'max_participants: "020" is no integer; write 20'),
    limit("1:30", f'max_participants: "1:30" is no integer; write {RANGE}'),
    limit("0x14", f'max_participants: "0x14" is no integer; write {RANGE}'),
    limit("0o24", f'max_participants: "0o24" is no integer; write {RANGE}', schema=True),
    limit("1_000", 'max_participants: "1_000" is no integer; write 1000'),
    limit("1,000", 'max_participants: "1,000" is no integer; write 1000'),
    limit("+5", 'max_participants: "+5" is no integer; write 5'),
    limit("5.0", f'max_participants: "5.0" is no integer; write {RANGE}'),
    limit("5.5", f'max_participants: "5.5" is no integer; write {RANGE}', schema=True),
    limit("1e3", f'max_participants: "1e3" is no integer; write {RANGE}', schema=True),
    limit("many", f'max_participants: "many" is no integer; write {RANGE}', schema=True),
    limit("true", f'max_participants: "true" is no integer; write {RANGE}', schema=True),
    limit('"20"', 'max_participants: "20" in quotes is text; write 20 without quotes', schema=True),
    limit("0", f'max_participants: "0" is not allowed; write {RANGE}', schema=True),
    limit("-5", f'max_participants: "-5" is not allowed; write {RANGE}', schema=True),
    limit("100001", f'max_participants: "100001" is not allowed; write {RANGE}', schema=True),
    limit("9" * 5000, f'max_participants: "{"9" * 79}…" is not allowed; write {RANGE}'),
    limit("٣", f'max_participants: "٣" is no integer; write {RANGE}', schema=True),
    limit("{a: 1}", f"max_participants: a mapping cannot stand here; write {RANGE}", schema=True),
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
        (f"1:7: name: a list cannot stand here; write {NAME_RULE}",),
        schema=True,
    ),
    field(
        "an empty user",
        'user_id: ""',
        10,
        'user_id: "" is not allowed; write 1 to 128 characters',
        schema=True,
    ),
    field(
        "a long user",
        "user_id: " + "u" * 129,
        10,
        f'user_id: "{"u" * 79}…" is not allowed; write 1 to 128 characters',
        schema=True,
    ),
    field(
        "a media type",
        "mediaType: video",
        12,
        f'mediaType: "video" is not allowed; write {MEDIA}',
        schema=True,
    ),
    field(
        "a record mode",
        "record_mode: GRID",
        14,
        f'record_mode: "GRID" is not allowed; write {MODES}',
        schema=True,
    ),
    # keys of ours
    Bad(
        "a preset",
        "name: A\npreset: standard_team\n",
        ('2:9: preset: there is no preset "standard_team"; write standard-team',),
        schema=True,
    ),
    Bad(
        "no such preset",
        "name: A\npreset: xyz\n",
        (f'2:9: preset: there is no preset "xyz"; write {", ".join(PRESETS)}',),
        schema=True,
    ),
    key("api/x"),
    key("a//b"),
    key("/a"),
    key("a/"),
    key("a/../b"),
    key("."),
    key("a/."),
    key("a b"),
    key("k" * 201)._replace(errors=(f'3:6: key: "{"k" * 79}…" is not allowed; write {KEY_RULE}',)),
    field("a short id", "id: 12345", 5, 'id: "12345" is no id; write 24 hex digits, 0-9 and a-f'),
    field(
        "no hex id",
        "id: " + "g" * 24,
        5,
        f'id: "{"g" * 24}" is no id; write 24 hex digits, 0-9 and a-f',
        schema=True,
    ),
    field(
        "an id in capitals", "id: " + "A" * 24, 5, f'id: "{"A" * 24}" is no id; write {"a" * 24}', schema=True
    ),
    # what YAML has beside
    field("an anchor", "user_id: &me x", 10, '"&me": anchors are not used in manifests; leave it out'),
    field("an alias", "user_id: *me", 10, '"*me": aliases are not used in manifests; write the value out'),
    field("a tag", "user_id: !!str x", 10, '"!!str": tags are not used in manifests; leave it out'),
    field("a local tag", "user_id: !mine x", 10, '"!mine": tags are not used in manifests; leave it out'),
    field(
        "an object",
        "user_id: !!python/object:os.system x",
        10,
        '"!!python/object:os.system": tags are not used in manifests; leave it out',
    ),
    field(
        "a merge key",
        "<<: {allow_chat: true}",
        1,
        '"<<": merge keys are not used in manifests; write the keys out, or use `preset`',
    ),
    field("a quoted merge key", '"<<": x', 1, f'unknown key "<<"; {KEYS}', schema=True),
    Bad(
        "an anchored room", f"--- &a\n{GOOD}", ('1:5: "&a": anchors are not used in manifests; leave it out',)
    ),
    Bad(
        "a tagged room", f"--- !!map\n{GOOD}", ('1:5: "!!map": tags are not used in manifests; leave it out',)
    ),
    Bad(
        "a %TAG line",
        f"%TAG !x! tag:x,2026:\n---\n{GOOD}",
        ("1:1: tags are not used in manifests; leave the %TAG line out",),
    ),
    # depth
    broken("60,000 brackets", "[" * 60_000, f'1:1001: "{"[" * 79}…": {DEEP}'),
    broken("60,000 braces", "{" * 60_000, f'1:1001: "{"{" * 79}…": {DEEP}'),
    broken("60,000 list items", "- " * 60_000, f"1:9: {DEEP}"),
    broken("too deep", "name: [[[[1]]]]\n", f"1:10: {DEEP}"),
    Bad(
        "deep enough",
        f"{GOOD}active: [[[1]]]\n",
        ("3:9: active: a list cannot stand here; write true or false",),
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
        '1:38: "x": this follows the end of a document; a further one begins with a line of ---',
    ),
    broken("an at sign", "name: @A\n", '1:7: "@A": text cannot begin with @; put it in quotes'),
    broken("a colon in text", "name: A: B\n", f'1:8: ": B": {COLON}'),
    broken("a key indented", "name: A\n  active: true\n", f'2:9: ": true": {COLON}'),
    broken("a key without value", f"{GOOD}active\n", '3:1: "active": a key needs a `: ` and a value'),
    broken(
        "text after a quote",
        'name: "A" B\n',
        '1:11: "B": this is no key; write one `key: value` a line, all indented alike',
    ),
    broken(
        "an escape",
        'name: "\\q"\n',
        '1:7: ""\\q"": no such escape in double quotes; write the character itself, or use single quotes',
    ),
    broken("an end alone", "...\n", '1:1: "...": this is no YAML; write one `key: value` a line'),
    broken(
        "YAML 3",
        f"%YAML 3.0\n---\n{GOOD}",
        '1:1: "%YAML 3.0": manifests are YAML 1.1 or 1.2; leave the %YAML line out',
    ),
    # bytes
    Bad(
        "Latin-1",
        b"name: A\nuser_id: M\xfcller\n",
        ("2:11: the byte 0xfc is no UTF-8 text; save the file as UTF-8",),
    ),
    Bad(
        "UTF-16", "name: A".encode("utf-16"), ("1:1: the byte 0xff is no UTF-8 text; save the file as UTF-8",)
    ),
    Bad(
        "UTF-16 without a mark",
        "name: A".encode("utf-16-le"),
        ('1:2: "\\x00" is a control character; take it out, or write it as an escape in quotes',),
    ),
    Bad(
        "a cut character",
        b"name: A\r\nuser_id: \xe2\x82",
        ("2:10: the byte 0xe2 is no UTF-8 text; save the file as UTF-8",),
    ),
    Bad(
        "a surrogate",
        b"name: \xed\xa0\x80\n",
        ("1:7: the byte 0xed is no UTF-8 text; save the file as UTF-8",),
    ),
    broken(
        "a bell",
        "name: A\x07\n",
        '1:8: "\\x07" is a control character; take it out, or write it as an escape in quotes',
    ),
    broken(
        "a mark in the middle",
        "name: A\ufeff\n",
        '1:8: "\\ufeff" is a control character; take it out, or write it as an escape in quotes',
    ),
    # several documents
    Bad("several without key", f"{GOOD}---\n{GOOD}", (f"1:1: {NO_KEY}", f"4:1: {NO_KEY}")),
    Bad("one without key", f"key: a\n{GOOD}---\n{GOOD}", (f"5:1: {NO_KEY}",)),
    Bad(
        "one key twice",
        f"key: a\n{GOOD}---\n{GOOD}key: a\n",
        (
            '1:6: key "a" is claimed by f.yaml:7:6 too; give each room a key of its own',
            '7:6: key "a" is claimed by f.yaml:1:6 too; give each room a key of its own',
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
            f'1:7: name: "A_B" is not allowed; write {NAME_RULE}',
            f'2:19: max_participants: "0" is not allowed; write {RANGE}',
            '3:13: allow_chat: "yes" is no boolean; write true',
            '4:1: unknown key "media"; write mediaType',
            '5:9: "&x": anchors are not used in manifests; leave it out',
            '6:5: id: "1" is no id; write 24 hex digits, 0-9 and a-f',
        ),
        schema=True,
    ),
)


def laughs() -> bytes:
    """A billion laughs: nine levels of aliases, ten each."""
    lines = ["a0: &a0 ha"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines).encode()
