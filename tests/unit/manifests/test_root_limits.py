"""The limits for the API: those of rooms.d/_policy.yaml now, or the last good ones."""

from pathlib import Path

import pytest

from controller.manifests.root_limits import RootLimits
from tests.unit.manifests.test_cache import rewrite
from tests.unit.manifests.test_folder import as_somebody

GOOD = "limits: {max_participants: 5}\n"
WRONG = "limits: {max_participants: many}\n"


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    folder = tmp_path / "rooms.d"
    folder.mkdir()
    return folder


def maximum(limits: RootLimits) -> object:
    """The one limit there is; () if there is none, None if it is not known."""
    found = limits.read()
    return found[0].allowed if found else found


def test_limits_follow_the_file(rooms: Path) -> None:
    limits, policy = RootLimits(rooms), rooms / "_policy.yaml"
    seen = [maximum(limits)]
    policy.write_text(GOOD)
    seen.append(maximum(limits))
    rewrite(policy, "limits: {max_participants: 9}\n")
    seen.append(maximum(limits))
    policy.unlink()
    seen.append(maximum(limits))
    assert seen == [(), 5, 9, ()]


@pytest.mark.parametrize("wrong", ["text", "link", "misspelled"])
def test_the_last_good_limits_hold_while_the_file_is_wrong(rooms: Path, wrong: str) -> None:
    policy = rooms / "_policy.yaml"
    policy.write_text(GOOD)
    limits = RootLimits(rooms)
    assert maximum(limits) == 5
    if wrong == "text":
        rewrite(policy, WRONG)
    elif wrong == "link":
        policy.unlink()
        policy.symlink_to("gone")
    else:
        policy.rename(rooms / "_policy.yml")
    assert maximum(limits) == 5
    assert maximum(RootLimits(rooms)) is None


def test_limits_that_were_wrong_since_the_start_are_known_once_they_are_mended(rooms: Path) -> None:
    (rooms / "_policy.yaml").write_text(WRONG)
    limits = RootLimits(rooms)
    seen = [maximum(limits), maximum(limits)]
    rewrite(rooms / "_policy.yaml", GOOD)
    assert [*seen, maximum(limits)] == [None, None, 5]


def test_while_rooms_d_is_away_the_last_limits_hold(rooms: Path) -> None:
    (rooms / "_policy.yaml").write_text(GOOD)
    limits = RootLimits(rooms)
    assert maximum(limits) == 5
    rooms.rename(rooms.with_name("away"))
    assert maximum(limits) == 5
    assert maximum(RootLimits(rooms)) == ()  # rooms can be made over the API alone


def test_in_a_folder_without_permission_the_last_limits_hold(shared: Path) -> None:
    (shared / "_policy.yaml").write_text(GOOD)
    limits = RootLimits(shared)
    assert maximum(limits) == 5
    shared.chmod(0o600)
    with as_somebody():
        assert maximum(limits) == 5


def test_policies_of_folders_do_not_count(rooms: Path) -> None:
    (rooms / "a").mkdir()
    (rooms / "a" / "_policy.yaml").write_text(WRONG)
    assert maximum(RootLimits(rooms)) == ()
