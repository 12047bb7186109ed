"""A room that is written as a manifest reads back as exactly that room."""

from collections import ChainMap
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.agents import MAX_AGENTS, NO_AGENT
from controller.manifests.export import MAX_NAME_LENGTH, Export, file_names, manifest_text
from controller.manifests.fields import MAX_LIVEKIT_NAME_BYTES
from controller.manifests.folder_policy import BUILT_IN, FolderPolicy, Values
from controller.manifests.keys import is_key
from controller.manifests.parse import parse
from controller.room import FIELDS, PRESETS, RoomSpec

TEXTS: dict[str, st.SearchStrategy[Any]] = {
    "name": st.from_regex(r"[A-Za-z0-9-]([A-Za-z0-9 -]{0,20}[A-Za-z0-9-])?", fullmatch=True)
    | st.sampled_from(["null", "true", "007", "1e3", "-", "- a", "yes"]),
    "user_id": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
    | st.sampled_from(["null", "~", "a: b", "#", "a #b", "'", '"', "\\", "{", "\u2028", "\ufeff"]),
}
SEATS = st.integers(1, 3)
AGENTS = st.lists(
    st.builds(
        lambda name, metadata: {"name": name, "metadata": metadata},
        st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8).filter(
            lambda name: name != NO_AGENT
        ),
        st.sampled_from(["", "null"]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    ),
    max_size=MAX_AGENTS,
    unique_by=lambda agent: agent["name"],
)
IDS = st.none() | st.text("0123456789abcdef", min_size=24, max_size=24)
NAMES = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: len(name.encode()) <= MAX_LIVEKIT_NAME_BYTES
)


@st.composite
def specs(draw: st.DrawFn) -> RoomSpec:
    """Any room: of each field its own kind of value, or none."""
    required = {"name": draw(TEXTS["name"]), "max_participants": draw(st.integers(4, 100_000))}
    given_fields = draw(st.sets(st.sampled_from(sorted(FIELDS.keys() - required.keys()))))
    values = {name: draw(_values(name)) for name in sorted(given_fields)}
    return RoomSpec.model_validate(required | {name: v for name, v in values.items() if v is not None})


def _values(name: str) -> st.SearchStrategy[Any]:
    kind = FIELDS[name].kind
    if name in TEXTS:
        return TEXTS[name]
    if kind is bool:
        return st.booleans()
    if kind is tuple:
        return AGENTS
    return SEATS if kind is int else st.sampled_from(list(kind)) if issubclass(kind, StrEnum) else st.none()


@st.composite
def policies(draw: st.DrawFn) -> FolderPolicy:
    """Any presets and defaults; a built-in preset may have other values."""
    names = st.sampled_from([*PRESETS, "hall"])
    presets = draw(st.dictionaries(names, specs(), max_size=2))
    values = {name: _without_name(spec) for name, spec in presets.items()}
    return FolderPolicy(BUILT_IN.presets.new_child(values), _without_name(draw(specs())))


def _without_name(spec: RoomSpec) -> Values:
    return Values({name: value for name, value in spec.as_dict().items() if name != "name"})


@given(specs(), IDS, NAMES, st.text(st.characters(exclude_categories=["Cs"])))
def test_manifest_reads_back_to_the_same_room(
    spec: RoomSpec, room_id: str | None, adopt: str | None, origin: str
) -> None:
    text = manifest_text(Export(spec, origin, room_id, adopt))
    parsed = parse(text.encode(), "imported/a.yaml", "imported/a")
    assert parsed.errors == ()
    (claim,) = parsed.claims
    assert claim.room is not None
    assert (claim.room.spec, claim.room.pinned_id, claim.room.adopt) == (spec, room_id, adopt)
    assert text.startswith("# ")


@given(specs(), policies())
def test_manifest_below_a_policy_file_reads_back_to_the_same_room(
    spec: RoomSpec, policy: FolderPolicy
) -> None:
    text = manifest_text(Export(spec, "x"), policy)
    (claim,) = parse(text.encode(), "imported/a.yaml", "imported/a", policy).claims
    assert claim.room is not None
    assert claim.room.spec == spec


def test_preset_of_a_team_is_used() -> None:
    presets = {"hall": Values({"max_participants": 500, "record": True, "allow_chat": True})}
    spec = RoomSpec(name="Hall", max_participants=400, record=True, allow_chat=True)
    text = manifest_text(Export(spec, "x"), FolderPolicy(ChainMap(presets), Values({"user_id": "events"})))
    assert text.splitlines()[1:] == [
        "name: Hall",
        "preset: hall",
        "user_id: rooms",
        "max_participants: 400",
    ]


def lines(**fields: Any) -> list[str]:
    spec = RoomSpec.model_validate({"name": "Main stage", **fields})
    return manifest_text(Export(spec, "Where from.")).splitlines()


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert lines(max_participants=7) == ["# Where from.", "name: Main stage", "max_participants: 7"]


@pytest.mark.parametrize("preset", PRESETS)
def test_fitting_preset_is_used(preset: str) -> None:
    assert lines(**PRESETS[preset])[1:] == ["name: Main stage", f"preset: {preset}"]
    more = lines(**{**PRESETS[preset], "max_participants": 7, "active": False, "user_id": "ann"})
    assert more[2:] == [f"preset: {preset}", "user_id: ann", "max_participants: 7", "active: false"]


def test_nearest_preset_is_used() -> None:
    assert lines(**{**PRESETS["standard-team"], "max_participants": 50})[2] == "preset: standard-team"


@given(st.lists(st.text() | st.sampled_from(["a", "A", "a-2", "a 2", "", "???", "con"])))
def test_file_names_are_unique_keys(titles: list[str]) -> None:
    names = file_names(titles)
    assert len(set(names)) == len(titles)
    for name in names:
        assert is_key(name)
        assert name == name.lower()
        assert not name.startswith((".", "_"))


def test_titles_that_come_to_one_name_are_numbered() -> None:
    assert file_names(["B b", "b_b", "Ä", "b-b-2", "B b"]) == ["b-b", "b-b-4", "room", "b-b-2", "b-b-3"]


@given(st.lists(st.text(max_size=3), unique=True), st.randoms(use_true_random=False))
def test_a_name_does_not_depend_on_the_order(titles: list[str], chance: Any) -> None:
    mixed = chance.sample(titles, len(titles))
    one, other = (dict(zip(each, file_names(each), strict=True)) for each in (titles, mixed))
    assert one == other


def test_ten_thousand_rooms_of_one_name_are_numbered_at_once() -> None:
    names = file_names(["Room"] * 10_000)
    assert (names[0], names[-1], len(set(names))) == ("room", "room-10000", 10_000)


def test_long_title_makes_a_short_name() -> None:
    (name,) = file_names(["x" * 300])
    assert len(name) == MAX_NAME_LENGTH
