"""Any tree of policies and manifests against a plain model: nearest wins, and all limits hold."""

import json
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.manifests.load import Cache, load
from controller.manifests.snapshot import Desired
from controller.room import PRESETS, RoomSpec

FOLDERS = ("", "a", "a/b", "a/b/c", "d")
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "user_id": st.sampled_from(["x", "y", "xy"]),
    "max_participants": st.integers(1, 4),
    "record": st.booleans(),
    "join": st.sampled_from(["link", "invite"]),
}
FIELDS = st.fixed_dictionaries({}, optional=VALUES)
NAMES = ("one", "two", "standard-team")
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.lists(st.sampled_from(["x", "y", "x*", "*y", "rooms"]), min_size=1, max_size=3),
        "max_participants": st.integers(1, 20),
        "record": st.just([True, False]) | st.just([False]),
        "join": st.just(["link", "invite"]) | st.just(["link"]),
    },
)
PRESETS_OF_A_TEAM = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, FIELDS)).flatmap(
    lambda presets: st.fixed_dictionaries(
        {
            name: st.just(fields) | st.just({**fields, "preset": "audio-briefing"})
            for name, fields in presets.items()
        }
    )
)
POLICY = st.fixed_dictionaries(
    {}, optional={"presets": PRESETS_OF_A_TEAM, "defaults": FIELDS, "limits": LIMITS}
)
TREE = st.dictionaries(st.sampled_from(FOLDERS), POLICY)
MANIFEST = st.builds(
    lambda fields, preset: {"name": "R", **fields, **({"preset": preset} if preset else {})},
    FIELDS,
    st.sampled_from([None, *NAMES, "audio-briefing"]),
)
ROOMS = st.fixed_dictionaries(dict.fromkeys(FOLDERS, MANIFEST))


def above(folder: str) -> list[str]:
    """The folder and those above it, the nearest first."""
    return [each for each in reversed(FOLDERS) if each == folder or not each or folder.startswith(f"{each}/")]


def expected(tree: dict[str, Any], folder: str, manifest: dict[str, Any]) -> RoomSpec | None:
    """What the documentation says, word for word."""
    policies = [tree[each] for each in above(folder) if each in tree]
    fields: dict[str, Any] = {}
    for policy in reversed(policies):
        fields |= policy.get("defaults", {})
    if "preset" in manifest:
        found = [policy["presets"] for policy in policies if manifest["preset"] in policy.get("presets", {})]
        presets: dict[str, Any] = dict((found or [PRESETS])[0])
        if manifest["preset"] not in presets:
            return None
        preset = dict(presets[manifest["preset"]])
        fields |= {**PRESETS.get(preset.pop("preset", ""), {}), **preset}
    fields |= {name: value for name, value in manifest.items() if name != "preset"}
    if "max_participants" not in fields:
        return None
    spec = RoomSpec(**fields)
    return spec if all(holds(policy.get("limits", {}), spec) for policy in policies) else None


def holds(limits: dict[str, Any], spec: RoomSpec) -> bool:
    return all(
        getattr(spec, name) <= limit
        if name == "max_participants"
        else any(fnmatchcase(spec.user_id, pattern) for pattern in limit)
        if name == "user_id"
        else spec.as_dict()[name] in limit
        for name, limit in limits.items()
    )


def excluding(tree: dict[str, Any], folder: str) -> bool:
    """Whether lists of owners alone leave none, which is an error of the policy file."""
    lists = [
        tree[each]["limits"]["user_id"]
        for each in above(folder)
        if each in tree and "user_id" in tree[each].get("limits", {})
    ]
    plain = [names for names in lists if not any("*" in name for name in names)]
    return bool(plain) and not any(
        all(any(fnmatchcase(name, pattern) for pattern in names) for names in lists) for name in plain[0]
    )


def write(folder: Path, tree: dict[str, Any], rooms: dict[str, Any]) -> None:
    for below, manifest in rooms.items():
        (folder / below).mkdir(parents=True, exist_ok=True)
        (folder / below / "r.json").write_text(json.dumps(manifest))
        policy = folder / below / "_policy.yaml"
        policy.unlink(missing_ok=True)
        if below in tree:
            policy.write_text(json.dumps(tree[below]))


def check(desired: Desired, tree: dict[str, Any], rooms: dict[str, Any]) -> None:
    found = {key.removesuffix("r").removesuffix("/"): room.spec for key, room in desired.rooms.items()}
    wanted = {below: expected(tree, below, manifest) for below, manifest in rooms.items()}
    assert found == {below: spec for below, spec in wanted.items() if spec and not excluding(tree, below)}


@given(TREE, ROOMS, TREE)
@settings(deadline=None)
def test_any_tree_is_read_as_the_plain_model_says_also_after_a_change(
    tree: dict[str, Any], rooms: dict[str, Any], later: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name), Cache()
        write(folder, tree, rooms)
        check(load(folder, cache), tree, rooms)
        write(folder, later, rooms)
        after = load(folder, cache)
        check(after, later, rooms)
        assert after == load(folder)
