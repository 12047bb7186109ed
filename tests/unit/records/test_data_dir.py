"""The data directory: whose it may be, and how a file of somebody else is named."""

import stat
from pathlib import Path

import pytest

from controller.errors import SettingsError
from controller.records.data_dir import files_of, own_id, prepare


def forbidden(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_a_folder_of_another_user_that_we_may_write_to_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a volume of root that the process may use by its group."""
    tmp_path.chmod(0o770)
    monkeypatch.setattr(Path, "chmod", forbidden)
    prepare(tmp_path)
    with own_id(tmp_path) as identity:
        assert identity is not None
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o770


def test_one_that_we_may_not_write_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "touch", forbidden)
    with pytest.raises(SettingsError, match=r"^ROOMCTL_DATA_DIR: cannot write to .*; use another directory$"):
        prepare(tmp_path)


def test_a_file_of_another_user_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match=r"cannot write to .*id \(Permission denied\)"),
        files_of(tmp_path),
    ):
        raise PermissionError(13, "Permission denied", str(tmp_path / "id"))
