"""What holds for any bytes, any names and any order."""

import re
import string
import tempfile
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.manifests.keys import is_key
from controller.manifests.load import load
from controller.manifests.parse import parse
from controller.manifests.schema import manifest_schema
from controller.manifests.snapshot import Desired
from controller.room import FIELDS, PRESETS, MediaType, RecordMode
from controller.text import MAX_QUOTED_CHARS, escape_unprintable, quote_excerpt
from tests.unit.manifests.corpus import CORPUS

SCHEMA = jsonschema.Draft202012Validator(manifest_schema())

WORDS = r"""name key id preset : - [ ] { } , &a *a !!str << | > --- ... ' " # ? %TAG \ true null 3 A"""
SPACES = [" ", "\n", "\n---\n", ": ", "- ", "\t", "\r", "\u2028", "\ufeff"]
YAMLISH = st.lists(st.sampled_from(WORDS.split() + SPACES), max_size=40).map("".join)

TEXT = st.text(string.ascii_letters + string.digits + " -", min_size=1, max_size=100).filter(str.strip)

BODIES = st.fixed_dictionaries(
    {"name": TEXT, "max_participants": st.integers(1, 100_000)},
    optional={
        "user_id": st.text(string.printable.strip(), min_size=1, max_size=128),
        "mediaType": st.sampled_from([*MediaType]).map(str),
        "record_mode": st.sampled_from([*RecordMode]).map(str),
        "preset": st.sampled_from([*PRESETS]),
        **{
            field: st.booleans()
            for field in FIELDS
            if field.startswith("allow") or field in ("record", "active")
        },
    },
)


@given(st.binary() | st.sampled_from(CORPUS).map(lambda bad: bad.raw))
@example(b"\xff\xfe")
def test_any_bytes_give_rooms_or_errors(content: bytes) -> None:
    parsed = parse(content, "f.yaml", "f")
    assert parsed.errors or any(claim.room for claim in parsed.claims)


@given(YAMLISH)
@example("\ufeff\ufeff\t")
@example("[")
def test_anything_like_yaml_gives_rooms_or_errors_within_the_file(text: str) -> None:
    parsed = parse(text.encode(), "f.yaml", "f")
    assert parsed.errors or any(claim.room for claim in parsed.claims)
    lines = len(re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text))
    assert all(
        error.position and 1 <= error.position.line <= lines and error.position.column >= 1
        for error in parsed.errors
    )
    assert all(error.message.isprintable() for error in parsed.errors)


@given(
    st.text(), st.sampled_from([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88"]), st.text(string.printable)
)
def test_bytes_that_are_no_utf8_are_an_error_at_their_place(before: str, wrong: bytes, after: str) -> None:
    (error,) = parse(before.encode() + wrong + after.encode(), "f.yaml", "f").errors
    assert error.message == f"invalid UTF-8 byte 0x{wrong[0]:02x}; save the file as UTF-8"
    assert error.position is not None
    assert error.position.line == len(re.split(r"\r\n|[\n\r\x85\u2028\u2029]", before))


@given(st.text())
def test_what_is_quoted_is_printable_and_at_most_eighty_characters(text: str) -> None:
    shown = quote_excerpt(text)[1:-1]
    assert shown.isprintable()
    assert len(shown) <= MAX_QUOTED_CHARS
    assert shown == escape_unprintable(text) or escape_unprintable(text).startswith(shown.removesuffix("…"))


@given(st.text(alphabet=st.characters(exclude_characters="\n\r"), min_size=200, max_size=400))
def test_an_error_repeats_at_most_eighty_characters_of_a_file(text: str) -> None:
    content = yaml.safe_dump({"name": text, "max_participants": 3}, width=10_000)
    for error in parse(content.encode(), "f.yaml", "f").errors:
        assert all(len(part) <= MAX_QUOTED_CHARS for part in re.findall(r'"(.*)"', error.message))


@given(BODIES)
def test_a_right_body_is_the_same_room_as_yaml_and_as_the_schema_sees_it(body: dict[str, object]) -> None:
    parsed = parse(yaml.safe_dump(body, sort_keys=False).encode(), "f.yaml", "f")
    assert parsed.errors == ()
    (claim,) = parsed.claims
    assert claim.room is not None
    wanted = dict(PRESETS.get(str(body.get("preset")), {})) | {k: v for k, v in body.items() if k != "preset"}
    wanted["name"] = str(body["name"]).strip()
    spec = claim.room.spec.as_dict()
    assert {field: spec[field] for field in wanted} == wanted
    assert SCHEMA.is_valid(body)


@given(st.text("ab./-_ é~", max_size=12) | st.text("a", min_size=198, max_size=202))
def test_a_key_has_parts_and_none_of_them_climbs(text: str) -> None:
    parts = text.split("/")
    allowed = (
        1 <= len(text) <= 200
        and all(part not in ("", ".", "..") for part in parts)
        and all(c in string.ascii_letters + string.digits + "._/-" for c in text)
    )
    assert is_key(text) == allowed


@given(st.permutations(["a", "b", "c/d", "c/e", "f"]))
@settings(max_examples=20)
def test_the_order_in_which_files_came_about_is_irrelevant(names: list[str]) -> None:
    assert _loaded(names) == _loaded(sorted(names))


def _loaded(names: list[str]) -> Desired:
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            path = Path(folder, f"{name}.yaml")
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"name: {name.replace('/', '-')}\nmax_participants: 3\nkey: {name[0]}\n")
        return load(Path(folder))
