"""Policy files: presets, defaults and limits of a folder and those below it, each error with both places."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from controller.manifests.folder_policy import MAX_NESTED, is_policy
from controller.manifests.load import Cache, load, load_paths
from controller.manifests.policy_file import MAX_PRESETS, MAX_VALUES, SETTABLE_FIELDS
from controller.manifests.report import error_text
from controller.manifests.snapshot import RoomsDirState
from controller.room import FIELDS, PRESETS, RoomSpec
from tests.unit.manifests.corpus import GOOD, laughs
from tests.unit.manifests.test_cache import rewrite, trusted_cache

ROOM = "name: A\nmax_participants: 3\n"
TOWN_HALL = "town-hall: {preset: guest-webinar, max_participants: 500, record: true}"


def rooms_dir(folder: Path, files: Mapping[str, str]) -> Path:
    for file, content in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def specs(folder: Path, files: Mapping[str, str]) -> Mapping[str, RoomSpec]:
    desired = load(rooms_dir(folder, files))
    assert not desired.errors
    return {key: room.spec for key, room in desired.rooms.items()}


def errors(folder: Path, files: Mapping[str, str]) -> list[str]:
    return [error_text(error) for error in load(rooms_dir(folder, files)).errors]


# -- presets ----------------------------------------------------------------------------------------------


def test_a_preset_of_a_team_extends_a_built_in_one(tmp_path: Path) -> None:
    policy = f"presets:\n  {TOWN_HALL}\n"
    spec = specs(
        tmp_path, {"_policy.yaml": policy, "a/b.yaml": "name: B\npreset: town-hall\nrecord: false\n"}
    )
    wanted = {**PRESETS["guest-webinar"], "max_participants": 500, "record": False, "name": "B"}
    assert spec["a/b"] == RoomSpec(**wanted)


def test_presets_extend_each_other_in_any_order(tmp_path: Path) -> None:
    policy = "presets:\n  c: {preset: b, allow_chat: true}\n  b: {preset: a}\n  a: {max_participants: 7}\n"
    spec = specs(tmp_path, {"_policy.yaml": policy, "r.yaml": "name: R\npreset: c\n"})["r"]
    assert (spec.max_participants, spec.allow_chat) == (7, True)


def test_the_nearest_preset_of_a_name_wins_and_others_are_inherited(tmp_path: Path) -> None:
    found = specs(
        tmp_path,
        {
            "_policy.yaml": "presets:\n  x: {max_participants: 1}\n  y: {preset: x, record: true}\n",
            "a/_policy.yaml": "presets:\n  x: {max_participants: 2}\n  z: {preset: y}\n",
            "top.yaml": "name: T\npreset: x\n",
            "a/x.yaml": "name: X\npreset: x\n",
            "a/b/y.yaml": "name: Y\npreset: y\n",
            "a/z.yaml": "name: Z\npreset: z\n",
        },
    )
    assert {key: spec.max_participants for key, spec in found.items()} == {
        "top": 1,
        "a/x": 2,
        "a/b/y": 1,  # what a file above means does not change below it
        "a/z": 1,
    }


def test_a_preset_may_replace_a_built_in_one(tmp_path: Path) -> None:
    policy = "presets:\n  standard-team: {max_participants: 5}\n"
    spec = specs(tmp_path, {"_policy.yaml": policy, "r.yaml": "name: R\npreset: standard-team\n"})["r"]
    assert (spec.max_participants, spec.allow_chat) == (5, False)


def test_an_unknown_preset_is_an_error_with_the_nearest_one_of_its_policy(tmp_path: Path) -> None:
    files = {"_policy.yaml": f"presets:\n  {TOWN_HALL}\n", "r.yaml": "name: R\npreset: town-hal\n"}
    assert errors(tmp_path, files) == [
        'r.yaml:2:9: preset: unknown preset "town-hal"; did you mean town-hall?'
    ]


def test_of_many_presets_only_some_are_listed(tmp_path: Path) -> None:
    policy = "presets:\n" + "".join(f"  team-{n}: {{max_participants: 3}}\n" for n in range(MAX_PRESETS))
    (error,) = errors(tmp_path, {"_policy.yaml": policy, "r.yaml": "name: R\npreset: xyz\n"})
    assert error.endswith(f"team-4, team-5 or one of {MAX_PRESETS + len(PRESETS) - 10} more")


# -- defaults ---------------------------------------------------------------------------------------------


def test_a_manifest_wins_over_its_preset_over_defaults_over_the_model(tmp_path: Path) -> None:
    policy = "defaults: {user_id: events, max_participants: 9, record: true, allow_chat: true}\n"
    found = specs(
        tmp_path,
        {
            "_policy.yaml": policy,
            "a.yaml": "name: A\n",
            "b.yaml": "name: B\npreset: standard-team\n",
            "c.yaml": "name: C\nuser_id: sales\nrecord: false\n",
            "d.json": '{"name": "D", "user_id": null}',
        },
    )
    plain = RoomSpec(name="A", user_id="events", max_participants=9, record=True, allow_chat=True)
    assert found["a"] == plain
    assert found["b"] == RoomSpec(**{**PRESETS["standard-team"], "name": "B", "user_id": "events"})
    assert found["c"] == plain.model_copy(update={"name": "C", "user_id": "sales", "record": False})
    assert found["d"] == plain.model_copy(update={"name": "D"})


def test_the_nearest_default_of_a_field_wins_and_others_are_inherited(tmp_path: Path) -> None:
    files = {
        "_policy.yaml": "defaults: {user_id: all, max_participants: 9}\n",
        "a/_policy.yaml": "defaults:\n  user_id: a\n  max_participants: ~\n",
        "a/r.yaml": "name: R\n",
    }
    spec = specs(tmp_path, files)["a/r"]
    assert (spec.user_id, spec.max_participants) == ("a", 9)


def test_a_default_that_does_not_fit_the_manifest_is_an_error_of_the_manifest(tmp_path: Path) -> None:
    files = {"_policy.yaml": "defaults: {reserved_seats: 20}\n", "r.yaml": f"# r\n{ROOM}"}
    assert errors(tmp_path, files) == [
        (
            'r.yaml:2:1: reserved_seats: the default "20" of _policy.yaml:1:28 is invalid here; '
            "use an integer from 0 to max_participants - 1"
        )
    ]


# -- limits -----------------------------------------------------------------------------------------------

LIMITS = """\
presets:
  big: {max_participants: 900}
defaults: {record: true}
limits:
  max_participants: 500
  user_id: [events, "events-*"]
  mediaType:
    - MEDIA_TYPE_VIDEO_AUDIO
  record: [false]
  join: [invite]
  name: ["E *"]
"""
WITHIN = "name: E 1\nmax_participants: 500\nuser_id: events-2\nrecord: false\njoin: invite\n"


def test_a_manifest_within_all_limits_is_valid(tmp_path: Path) -> None:
    assert specs(tmp_path, {"_policy.yaml": LIMITS, "r.yaml": WITHIN})["r"].max_participants == 500


@pytest.mark.parametrize(
    ("manifest", "error"),
    [
        (
            WITHIN.replace("500", "501"),
            '2:19: max_participants: "501" is beyond the limit of _policy.yaml:5:21; use at most 500',
        ),
        (
            WITHIN.replace("events-2", "sales"),
            '3:10: user_id: "sales" is beyond the limit of _policy.yaml:6:12; use events, events-*',
        ),
        (
            WITHIN.replace("user_id: events-2\n", ""),
            (
                '1:1: user_id: the default "rooms" is beyond the limit of _policy.yaml:6:12; '
                "use events, events-*"
            ),
        ),
        (
            WITHIN + "mediaType: MEDIA_TYPE_AUDIO_ONLY\n",
            (
                '6:12: mediaType: "MEDIA_TYPE_AUDIO_ONLY" is beyond the limit of _policy.yaml:8:5; '
                "use MEDIA_TYPE_VIDEO_AUDIO"
            ),
        ),
        (
            "# r\n" + WITHIN.replace("record: false\n", ""),
            (
                '2:1: record: the default "true" of _policy.yaml:3:20 '
                "is beyond the limit of _policy.yaml:9:11; use false"
            ),
        ),
        (
            WITHIN.replace("max_participants: 500", "preset: big"),
            (
                '1:1: max_participants: "900" of the preset big (_policy.yaml:2:27) '
                "is beyond the limit of _policy.yaml:5:21; use at most 500"
            ),
        ),
        (
            WITHIN.replace("join: invite", "join: link"),
            '5:7: join: "link" is beyond the limit of _policy.yaml:10:9; use invite',
        ),
        (
            WITHIN.replace("E 1", "F 1"),
            '1:7: name: "F 1" is beyond the limit of _policy.yaml:11:9; use E *',
        ),
    ],
)
def test_a_manifest_beyond_a_limit_is_an_error_at_its_value_that_names_the_limit(
    tmp_path: Path, manifest: str, error: str
) -> None:
    assert errors(tmp_path, {"_policy.yaml": LIMITS, "a/r.yaml": manifest}) == [f"a/r.yaml:{error}"]


def test_one_document_beyond_a_limit_fails_alone_and_keeps_its_key(tmp_path: Path) -> None:
    manifests = "key: a\nname: A\nmax_participants: 3\n---\nkey: b\nname: B\nmax_participants: 7\n"
    desired = load(
        rooms_dir(tmp_path, {"_policy.yaml": "limits: {max_participants: 5}\n", "r.yaml": manifests})
    )
    assert list(desired.rooms) == ["a"]
    assert [(error.key, error.file) for error in desired.errors] == [("b", "r.yaml")]


def test_all_limits_on_the_way_up_hold_together(tmp_path: Path) -> None:
    files = {
        "_policy.yaml": "limits: {max_participants: 5, record: [false]}\n",
        "a/b/_policy.yaml": "limits: {max_participants: 9, user_id: [x]}\n",
        "a/b/r.yaml": "name: A\nmax_participants: 7\nrecord: true\nuser_id: y\n",
        "a/r.yaml": "name: A\nmax_participants: 5\n",
    }
    assert errors(tmp_path, files) == [
        'a/b/r.yaml:2:19: max_participants: "7" is beyond the limit of _policy.yaml:1:28; use at most 5',
        'a/b/r.yaml:3:9: record: "true" is beyond the limit of _policy.yaml:1:39; use false',
        'a/b/r.yaml:4:10: user_id: "y" is beyond the limit of a/b/_policy.yaml:1:40; use x',
    ]


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("join: [link]", "join: [invite]"),
        ("record: [true]", "record: [false]"),
        ("user_id: [a, b]", "user_id: [c]"),
        ("user_id: [events]", 'user_id: ["sales-*"]'),
    ],
)
def test_limits_that_exclude_each_other_are_an_error_of_the_lower_file(
    tmp_path: Path, above: str, below: str
) -> None:
    files = {
        "_policy.yaml": f"limits:\n  {above}\n",
        "a/_policy.yaml": f"limits:\n  {below}\n",
        "a/r.yaml": ROOM,
    }
    field = above.partition(":")[0]
    column = 5 + len(field)
    wrong = (
        f"a/_policy.yaml:2:{column}: {field}: no value is within this limit and that of "
        f"_policy.yaml:2:{column}; change one of them"
    )
    assert errors(tmp_path, files) == [
        wrong,
        f"a/r.yaml:1:1: not applied, since a policy file is wrong: {wrong}",
    ]


def test_limits_that_share_a_value_are_none(tmp_path: Path) -> None:
    files = {
        "_policy.yaml": 'limits: {user_id: ["events-*", sales], record: [true, false]}\n',
        "a/_policy.yaml": 'limits: {user_id: [events-1, "*-2"], record: [false]}\n',
        "a/r.yaml": f"{ROOM}user_id: events-2\n",
    }
    assert list(specs(tmp_path, files)) == ["a/r"]


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_of_a_room_can_be_limited_and_all_but_the_name_can_be_a_default(
    tmp_path: Path, name: str
) -> None:
    assert (name in SETTABLE_FIELDS) == (name != "name")
    (error,) = errors(tmp_path, {"_policy.yaml": f"limits:\n  {name}: {{}}\n"})
    assert error.startswith(f"_policy.yaml:2:{5 + len(name)}: {name}: expected ")


# -- files that are wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", ["1:1: the file contains no policy; add `presets`, `defaults` or `limits`, or delete the file"]),
        ("{}\n---\n{}\n", ["3:1: a policy file is one document; remove the second one"]),
        ("[]\n", ["1:1: expected a mapping (one `field: value` per line), got a list"]),
        ("limits: 3\n", ['1:9: expected a mapping (one `field: value` per line), got "3"']),
        ("limitz: {}\n", ['1:1: unknown field "limitz"; did you mean limits?']),
        (
            "max_participants: 3\n",
            ['1:1: unknown field "max_participants"; put it below `presets`, `defaults` or `limits`'],
        ),
        ("limits: {}\nlimits: {}\n", ['2:1: duplicate field "limits", first used on line 1; remove one']),
        (
            "defaults: {record: true, record: true}\n",
            ['1:26: duplicate field "record", first used on line 1; remove one'],
        ),
        ("defaults: {record: yes}\n", ['1:20: record: expected true or false, got "yes"; use true']),
        ("defaults: {record: &a true}\n", ['1:20: "&a": YAML anchors are not supported; remove it']),
        ("defaults: {name: A}\n", ["1:12: name: cannot be set in a policy file; write it in each manifest"]),
        (
            "defaults: {preset: a}\n",
            ["1:12: preset: cannot be set in a policy file; write it in each manifest"],
        ),
        (
            "presets: {a: {key: b}}\n",
            ["1:15: key: cannot be set in a policy file; write it in each manifest"],
        ),
        ("defaults: {recrd: true}\n", ['1:12: unknown field "recrd"; did you mean record?']),
        (
            "defaults: {max_participants: 0}\n",
            ['1:30: max_participants: invalid value "0"; use an integer from 1 to 100000'],
        ),
        (
            "limits: {max_participants: [3]}\n",
            ["1:28: max_participants: expected an integer from 1 to 100000, got a list"],
        ),
        (
            "limits: {record: false}\n",
            ['1:18: record: expected a list of values, such as [false], got "false"'],
        ),
        (
            "limits: {record: []}\n",
            ["1:18: record: an empty list allows no value; add one, or remove the limit"],
        ),
        ("limits: {record: [no]}\n", ['1:19: record: expected true or false, got "no"; use false']),
        ("limits: {join: [lynk]}\n", ['1:17: join: invalid value "lynk"; use link, invite']),
        ("limits: {user_id: [~]}\n", ['1:20: user_id: invalid value "~"; use 1 to 128 characters']),
        (
            "limits: {user_id: [[a]]}\n",
            [
                (
                    "1:20: user_id: expected a list of names or patterns, such as "
                    '[events, "events-*"], got a list in it'
                )
            ],
        ),
        (
            "presets:\n  a b: {}\n",
            [
                (
                    '2:3: invalid name of a preset "a b"; '
                    "use 1 to 100 characters (A-Z a-z 0-9 . _ -), beginning with a letter or a digit"
                )
            ],
        ),
        (
            "presets:\n  a: {preset: standard}\n",
            ['2:15: preset: unknown preset "standard"; did you mean standard-team?'],
        ),
        ("presets:\n  a: {preset: a}\n", ["2:15: preset: a extends itself (a -> a); remove one `preset`"]),
        (
            "presets:\n  d: {preset: a}\n  a: {preset: b}\n  b: {preset: c}\n  c: {preset: a}\n",
            ["3:15: preset: a extends itself (a -> b -> c -> a); remove one `preset`"],
        ),
        (
            f"limits: {{user_id: [{'a, ' * (MAX_VALUES + 1)}]}}\n",
            [f"1:{20 + 3 * MAX_VALUES}: user_id: a limit has at most {MAX_VALUES:,} values; remove some"],
        ),
        (
            "presets:\n" + "".join(f"  p{n}: {{}}\n" for n in range(MAX_PRESETS + 1)),
            [f"{MAX_PRESETS + 2}:3: a policy file holds at most {MAX_PRESETS} presets; remove some"],
        ),
        ("a: [[[[[", ["1:7: nesting too deep (maximum 4); a manifest is a flat mapping of `field: value`"]),
        (
            "<<<<<<< HEAD\n{}\n",
            ['1:1: "<<<<<<< HEAD": Git merge conflict; resolve it and remove the markers'],
        ),
    ],
)
def test_a_wrong_policy_file_says_where_and_so_does_each_manifest_below(
    tmp_path: Path, text: str, wrong: list[str]
) -> None:
    files = {"b/_policy.yaml": text, "b/c/r.yaml": f"# r\n{ROOM}", "a.yaml": ROOM}
    desired = load(rooms_dir(tmp_path, files))
    in_file = [f"b/_policy.yaml:{each}" for each in wrong]
    below = f"b/c/r.yaml:2:1: not applied, since a policy file is wrong: {in_file[0]}"
    assert [error_text(error) for error in desired.errors] == [*in_file, below]
    assert desired.errors[-1].key == "b/c/r"
    assert list(desired.rooms) == ["a"]


def test_below_a_wrong_policy_only_what_does_not_depend_on_it_is_checked(tmp_path: Path) -> None:
    files = {
        "_policy.yaml": "presets: 3\n",
        "r.yaml": "preset: town-hall\nrecord: yes\n",
    }
    wrong = '_policy.yaml:1:10: expected a mapping (one `field: value` per line), got "3"'
    assert errors(tmp_path, files) == [
        wrong,
        f"r.yaml:1:1: not applied, since a policy file is wrong: {wrong}",
        'r.yaml:2:9: record: expected true or false, got "yes"; use true',
    ]


def test_errors_of_a_policy_file_are_in_the_order_of_its_lines(tmp_path: Path) -> None:
    files = {
        "_policy.yaml": "limits: {join: [link]}\n",
        "a/_policy.yaml": "limits: {join: [invite]}\npresets: {x: {preset: y}}\n",
        "a/r.yaml": ROOM,
    }
    first, second, below = errors(tmp_path, files)
    assert first.startswith("a/_policy.yaml:1:16: join: no value is within this limit")
    assert second.startswith('a/_policy.yaml:2:23: preset: unknown preset "y"')
    assert first in below


def test_several_errors_of_a_policy_file_are_counted_at_its_manifests(tmp_path: Path) -> None:
    *_, last = errors(tmp_path, {"_policy.yaml": "a: 1\nb: 2\nlimits: {x: 3}\n", "r.yaml": ROOM})
    assert last.endswith("use presets, defaults, limits (and 2 more errors)")


def test_bombs_are_only_wrong_lines(tmp_path: Path) -> None:
    assert '"&a9": YAML anchors are not supported; remove it' in " ".join(
        errors(tmp_path, {"_policy.yaml": laughs().decode(), "r.yaml": ROOM})
    )


@pytest.mark.parametrize("name", ["_policy.yml", "_policy.json", "_Policy.yaml", "_policy.YAML"])
def test_a_misspelled_name_is_an_error_and_never_ignored(tmp_path: Path, name: str) -> None:
    files = {f"a/{name}": "limits: {record: [false]}\n", "a/r.yaml": ROOM, "b.yaml": ROOM}
    wrong = f"a/{name}:1:1: a policy file is named _policy.yaml; rename it"
    assert is_policy(f"a/{name}")
    assert errors(tmp_path, files) == [
        wrong,
        f"a/r.yaml:1:1: not applied, since a policy file is wrong: {wrong}",
    ]


@pytest.mark.parametrize("name", ["policy.yaml", "a/policies.yml"])
def test_a_policy_under_the_name_of_a_manifest_is_said_to_be_one(tmp_path: Path, name: str) -> None:
    first, *_ = errors(tmp_path, {name: "# ours\nlimits:\n  record: [false]\n"})
    assert first == (
        f'{name}:2:1: unknown field "limits"; it belongs to the top level of a policy file, _policy.yaml'
    )


def test_other_names_with_an_underscore_are_still_passed_over(tmp_path: Path) -> None:
    files = {"_policy.yaml.bak": "3", "_policies.yaml": "3", "_policy": "3", "_a.yaml": "3", "r.yaml": ROOM}
    assert list(specs(tmp_path, files)) == ["r"]


def test_a_policy_that_cannot_be_read_is_wrong(tmp_path: Path) -> None:
    folder = rooms_dir(tmp_path, {"a/r.yaml": ROOM, "b/r.yaml": ROOM, "c/r.yaml": ROOM, "r.yaml": ROOM})
    (folder / "a" / "_policy.yaml").symlink_to("gone")
    (folder / "b" / "_policy.yaml").mkdir()
    os.mkfifo(folder / "c" / "_policy.yaml")
    desired = load(folder)
    assert list(desired.rooms) == ["r"]
    assert [error.file for error in desired.errors] == [
        *("a/_policy.yaml", "a/r.yaml", "b/_policy.yaml", "b/r.yaml", "c/_policy.yaml", "c/r.yaml")
    ]


def test_a_link_to_a_policy_below_rooms_d_is_followed_as_of_a_config_map(tmp_path: Path) -> None:
    folder = rooms_dir(
        tmp_path, {"..v1/_policy.yaml": "defaults: {max_participants: 8}\n", "r.yaml": "name: R\n"}
    )
    (folder / "..data").symlink_to("..v1")
    (folder / "_policy.yaml").symlink_to("..data/_policy.yaml")
    assert load(folder).rooms["r"].spec.max_participants == 8


def test_a_folder_with_a_policy_alone_is_empty(tmp_path: Path) -> None:
    assert load(rooms_dir(tmp_path, {"_policy.yaml": "limits: {}\n"})).state is RoomsDirState.EMPTY


# -- many of them -----------------------------------------------------------------------------------------


def test_two_thousand_folders_may_have_one_each(tmp_path: Path) -> None:
    files = {"_policy.yaml": "presets: {x: {max_participants: 5}}\nlimits: {max_participants: 9}\n"}
    for number in range(2_000):
        files[f"f{number}/_policy.yaml"] = f"defaults: {{user_id: u{number}}}\n"
        files[f"f{number}/r.yaml"] = "name: R\npreset: x\n"
    found = specs(tmp_path, files)
    assert len(found) == 2_000
    assert all(spec.user_id == f"u{key[1:-2]}" for key, spec in found.items())


def test_policies_above_each_other_are_counted_and_folders_are_not(tmp_path: Path) -> None:
    deep = "a/" * 60
    nested = {
        "a/" * depth + "_policy.yaml": f"defaults: {{user_id: u{depth}}}\n" for depth in range(MAX_NESTED)
    }
    files = {**nested, f"{deep}_policy.yaml": "{}\n", f"{deep}r.yaml": ROOM, f"{'a/' * 40}r.yaml": ROOM}
    desired = load(rooms_dir(tmp_path, files))
    assert [room.spec.user_id for room in desired.rooms.values()] == [f"u{MAX_NESTED - 1}"]
    assert [error.file for error in desired.errors] == [f"{deep}_policy.yaml", f"{deep}r.yaml"]
    assert desired.errors[0].message == f"more than {MAX_NESTED} policy files above each other; merge some"


# -- changes ----------------------------------------------------------------------------------------------


def test_a_changed_policy_changes_the_revision_and_only_rooms_below_it(tmp_path: Path) -> None:
    files = {"a/_policy.yaml": "defaults: {user_id: x}\n", "a/r.yaml": ROOM, "b/r.yaml": ROOM}
    folder, cache = rooms_dir(tmp_path, files), trusted_cache()
    first = load(folder, cache)
    assert load(folder, cache) is first
    rewrite(folder / "a" / "_policy.yaml", "defaults: {user_id: y}\n")
    second = load(folder, cache)
    assert second.revision != first.revision
    assert (first.rooms["a/r"].spec.user_id, second.rooms["a/r"].spec.user_id) == ("x", "y")
    assert second.rooms["b/r"] is first.rooms["b/r"]
    assert second == load(folder)


def test_a_policy_comes_breaks_is_mended_and_goes(tmp_path: Path) -> None:
    folder, cache = rooms_dir(tmp_path, {"a/r.yaml": ROOM}), trusted_cache()
    policy = folder / "a" / "_policy.yaml"

    def owner() -> str | None:
        room = load(folder, cache).rooms.get("a/r")
        return room.spec.user_id if room is not None else None

    seen = [owner()]
    policy.write_text("defaults: {user_id: x}\n")
    seen.append(owner())
    rewrite(policy, "defaults: [\n")
    seen.append(owner())
    rewrite(policy, "defaults: {user_id: y}\n")
    seen.append(owner())
    policy.unlink()
    seen.append(owner())
    assert seen == ["rooms", "x", None, "y", "rooms"]


def test_a_comment_in_the_policy_above_reads_the_rooms_below_again_with_the_new_lines(tmp_path: Path) -> None:
    files = {"_policy.yaml": "limits: {max_participants: 2}\n", "r.yaml": GOOD}
    folder, cache = rooms_dir(tmp_path, files), Cache()
    assert "_policy.yaml:1:28" in load(folder, cache).errors[0].message
    rewrite(folder / "_policy.yaml", "# two\nlimits: {max_participants: 2}\n")
    assert "_policy.yaml:2:28" in load(folder, cache).errors[0].message


# -- paths of the command line ----------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """rooms.d with a policy at the top and one in a folder, both of which the manifests exceed."""
    files = {
        "_policy.yaml": "limits: {max_participants: 2}\n",
        "a/_policy.yaml": "limits: {record: [true]}\n",
        "a/r.yaml": ROOM,
        "b/r.yaml": ROOM,
    }
    monkeypatch.chdir(tmp_path)
    return rooms_dir(tmp_path / "rooms.d", files)


def said(rooms: Path, *paths: str) -> list[str]:
    """The errors at paths, without what to write instead."""
    return [
        error_text(error).partition(";")[0] for error in load_paths([Path(p) for p in paths], rooms).errors
    ]


def test_one_file_is_checked_with_the_policies_above_it(three: Path) -> None:
    assert said(three, "rooms.d/a/r.yaml") == [
        (
            'rooms.d/a/r.yaml:1:1: record: the default "false" is beyond the limit of '
            "rooms.d/a/_policy.yaml:1:18"
        ),
        'rooms.d/a/r.yaml:2:19: max_participants: "3" is beyond the limit of rooms.d/_policy.yaml:1:28',
    ]


def test_paths_in_errors_are_relative_also_above_the_current_folder(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(three / "a")
    assert said(three, "r.yaml") == [
        'r.yaml:1:1: record: the default "false" is beyond the limit of _policy.yaml:1:18',
        'r.yaml:2:19: max_participants: "3" is beyond the limit of ../_policy.yaml:1:28',
    ]


def test_a_policy_file_stands_for_the_manifests_below_it(three: Path) -> None:
    assert said(three, "rooms.d/a/_policy.yaml") == said(three, "rooms.d/a")
    (three / "a" / "r.yaml").unlink()
    assert said(three, "rooms.d/a/_policy.yaml") == []
    assert load_paths([Path("rooms.d/a/_policy.yaml")], three).state is RoomsDirState.OK


def test_a_wrong_policy_is_listed_once_whatever_paths_are_given(three: Path) -> None:
    (three / "_policy.yaml").write_text("x: 1\n")
    found = said(three, "rooms.d/a/r.yaml", "rooms.d/b", "rooms.d/a/_policy.yaml")
    assert [each.partition(":")[0] for each in found] == [
        *("rooms.d/_policy.yaml", "rooms.d/a/r.yaml", "rooms.d/b/r.yaml")
    ]
