"""The list of agents in manifests, policy files and the schema: what is read, and each error at its place."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from controller.agents import MAX_AGENTS, Agent
from controller.manifests.load import load
from controller.manifests.report import error_text
from controller.manifests.schema import manifest_schema, policy_schema
from controller.room import RoomSpec, our_values

HEAD = "name: A\nmax_participants: 3\n"


def read(folder: Path, text: str, name: str = "r.yaml") -> tuple[RoomSpec | None, list[str]]:
    (folder / name).write_text(text)
    desired = load(folder)
    room = next(iter(desired.rooms.values()), None)
    return room.spec if room is not None else None, [error_text(error) for error in desired.errors]


@pytest.mark.parametrize(
    ("text", "agents"),
    [
        ("agents: [a, b]\n", (Agent("a"), Agent("b"))),
        ("agents:\n- a\n- name: b\n  metadata: |\n    x\n    y\n", (Agent("a"), Agent("b", "x\ny\n"))),
        ('agents: [""]\n', (Agent(""),)),
        ('agents: [{name: "", metadata: m}, 007]\n', (Agent("", "m"), Agent("007"))),
        ("agents: [{name: a, metadata: null}]\n", (Agent("a"),)),
        ("agents: null\n", ()),
        ("agents: []\n", ()),
    ],
)
def test_a_list_is_read(tmp_path: Path, text: str, agents: tuple[Agent, ...]) -> None:
    spec, errors = read(tmp_path, HEAD + text)
    assert errors == []
    assert spec is not None
    assert spec.agents == agents


def test_json_and_yaml_are_read_alike(tmp_path: Path) -> None:
    agents = ["a", {"name": "b", "metadata": "ü \U0001f600"}, ""]
    manifest = {"name": "A", "max_participants": 3, "agents": agents}
    compact, _ = read(tmp_path, json.dumps(manifest, ensure_ascii=False), "r.json")
    escaped, _ = read(tmp_path, json.dumps(manifest), "r.json")
    assert compact == escaped
    assert compact is not None
    assert our_values(compact) == {"agents": agents}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("agents: a\n", "3:9: agents: expected a list of at most 8 agents, each a name of at most 128"),
        ("agents: {name: a}\n", "3:9: agents: expected a list of at most 8 agents"),
        ("agents: [a, b, a]\n", '3:16: agents: duplicate agent "a"; remove one'),
        ("agents: [a, ~]\n", '3:13: agents: an agent has no name; use a name, or "" for the unnamed agent'),
        ("agents: [{metadata: m}]\n", "3:10: agents: an agent has no name"),
        (
            "agents: [{name: a, metdata: m}]\n",
            '3:20: agents: unknown field "metdata"; did you mean metadata?',
        ),
        ("agents: [{name: [a]}]\n", "3:17: agents: name: expected a string, got a list"),
        ("agents: [[a]]\n", "3:10: agents: expected a list of at most 8 agents"),
        ("agents: [roomctl-none]\n", '3:10: agents: invalid agent "roomctl-none"; use a name of at most 128'),
        (f"agents: [{'a' * 129}]\n", "3:10: agents: invalid agent"),
        ("agents: [&x a]\n", '3:10: "&x": YAML anchors are not supported'),
        (f"agents: {list('abcdefghi')}\n", "3:50: agents: expected at most 8 agents; remove some"),
        ("agents: [[[[a]]]]\n", "3:12: nesting too deep"),
        ("agent: [a]\n", '3:1: unknown field "agent"; did you mean agents?'),
    ],
)
def test_an_error_has_its_place_and_a_fix(tmp_path: Path, text: str, problem: str) -> None:
    spec, (error,) = read(tmp_path, HEAD + text)
    assert spec is None
    assert error.startswith(f"r.yaml:{problem}")


def test_a_policy_file_gives_and_limits_agents(tmp_path: Path) -> None:
    policy = 'defaults: {agents: [helper]}\nlimits:\n  agents: [helper, "team-*", ""]\n'
    (tmp_path / "_policy.yaml").write_text(policy)
    spec, errors = read(tmp_path, HEAD)
    assert errors == []
    assert spec is not None
    assert spec.agents == (Agent("helper"),)
    spec, errors = read(tmp_path, f'{HEAD}agents: [team-1, "", helper]\n')
    assert errors == []
    spec, errors = read(tmp_path, f"{HEAD}agents: [team-1, spy]\n")
    assert errors == [
        'r.yaml:3:9: agents: "team-1, spy" is beyond the limit of _policy.yaml:3:11; use helper, team-*, ""'
    ]


def test_a_wrong_list_in_a_policy_file_is_an_error_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "_policy.yaml").write_text("presets:\n  hall: {max_participants: 3, agents: [a, a]}\n")
    _, errors = read(tmp_path, HEAD)
    assert errors[0] == '_policy.yaml:2:43: agents: duplicate agent "a"; remove one'


@pytest.mark.parametrize(
    ("agents", "is_valid"),
    [
        (["a", {"name": "b", "metadata": "m"}, ""], True),
        ([], True),
        (None, True),
        ("a", False),
        ([{"metadata": "m"}], False),
        ([{"name": "a", "other": 1}], False),
        (["roomctl-none"], False),
        (["a"] * (MAX_AGENTS + 1), False),
    ],
)
def test_the_schema_says_the_same(agents: Any, is_valid: bool) -> None:
    manifest = {"name": "A", "max_participants": 3, "agents": agents}
    assert jsonschema.Draft202012Validator(manifest_schema()).is_valid(manifest) is is_valid
    policy = {"defaults": {"agents": agents}}
    assert jsonschema.Draft202012Validator(policy_schema()).is_valid(policy) is is_valid
