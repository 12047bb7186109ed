"""The JSON Schemas of policy files, and of manifests below them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from hypothesis import given

from controller.manifests.load import load, load_policies
from controller.manifests.schema import manifest_schema, policy_schema
from controller.room import FIELDS, PRESETS
from tests.support.documents import blocks, page
from tests.unit.manifests.test_policy_properties import POLICY

SCHEMA = jsonschema.Draft202012Validator(policy_schema())


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(policy_schema())
    assert json.loads(json.dumps(policy_schema())) == policy_schema()


@given(POLICY)
def test_a_policy_that_is_read_passes(policy: Mapping[str, Any]) -> None:
    assert SCHEMA.is_valid(policy)


def test_the_example_of_the_page_passes_and_is_complete() -> None:
    (example,) = map(yaml.safe_load, blocks(page("policy-files.md"), "yaml"))
    assert SCHEMA.is_valid(example)
    assert example.keys() == policy_schema()["properties"].keys()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "limitz: {}",
        "max_participants: 3",
        "limits: 3",
        "limits: {max_participants: [3]}",
        "limits: {max_participants: 0}",
        "limits: {record: false}",
        "limits: {record: []}",
        "limits: {join: [lynk]}",
        "limits: {recrd: [true]}",
        "limits: {user_id: [[a]]}",
        "defaults: {name: A}",
        "defaults: {preset: standard-team}",
        "defaults: {max_participants: 0}",
        "presets: {a: 3}",
        "presets: {a b: {}}",
        "presets: {a: {key: b}}",
        "presets: {a: {preset: a b}}",
    ],
)
def test_a_wrong_policy_does_not_pass_and_is_not_read(tmp_path: Path, text: str) -> None:
    assert not SCHEMA.is_valid(yaml.safe_load(text))
    (tmp_path / "_policy.yaml").write_text(f"{text}\n")
    assert load(tmp_path).errors


def test_every_field_can_be_limited_and_all_but_the_name_can_be_set() -> None:
    sections = policy_schema()["properties"]
    assert list(sections["limits"]["properties"]) == list(FIELDS)
    assert ["name", *sections["defaults"]["properties"]] == list(FIELDS)
    presets = sections["presets"]["additionalProperties"]["properties"]
    assert ["preset", *sections["defaults"]["properties"]] == list(presets)


def test_a_manifest_may_name_any_preset_and_those_of_the_policies_are_suggested(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "_policy.yaml").write_text("presets: {town-hall: {max_participants: 3}}\n")
    schema = manifest_schema(load_policies(tmp_path).presets)
    assert schema["properties"]["preset"]["anyOf"][0] == {"enum": [*PRESETS, "town-hall", None]}
    assert jsonschema.Draft202012Validator(schema).is_valid({"name": "A", "preset": "any-name"})
    assert not jsonschema.Draft202012Validator(schema).is_valid({"name": "A", "preset": "no name"})


def test_a_manifest_may_lack_max_participants_only_where_a_policy_gives_it(tmp_path: Path) -> None:
    alone = jsonschema.Draft202012Validator(manifest_schema(defaults=load_policies(tmp_path).defaults))
    assert not alone.is_valid({"name": "A"})
    (tmp_path / "_policy.yaml").write_text("defaults: {max_participants: 3}\n")
    below = jsonschema.Draft202012Validator(manifest_schema(defaults=load_policies(tmp_path).defaults))
    assert below.is_valid({"name": "A"})


def test_a_folder_that_is_missing_has_no_policies(tmp_path: Path) -> None:
    policies = load_policies(tmp_path / "none")
    assert (list(policies.presets), policies.defaults) == (list(PRESETS), frozenset())
