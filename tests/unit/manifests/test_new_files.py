"""New manifests are written all or none, and never over anything."""

from pathlib import Path

import pytest

from controller.manifests.new_files import FilesExistError, write_new_files

TEXTS = {"a.yaml": "a: é\n", "b.yaml": "b\n"}


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_are_written_into_a_new_folder(tmp_path: Path) -> None:
    write_new_files(tmp_path / "x" / "y", TEXTS)
    assert listing(tmp_path / "x" / "y") == ["a.yaml", "b.yaml"]
    assert (tmp_path / "x" / "y" / "a.yaml").read_bytes() == "a: é\n".encode()


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_nothing_is_written_if_one_exists(tmp_path: Path, kind: str) -> None:
    there = tmp_path / "b.yaml"
    match kind:
        case "file":
            there.write_text("mine")
        case "folder":
            there.mkdir()
        case _:
            there.symlink_to("nowhere")
    with pytest.raises(FilesExistError) as refused:
        write_new_files(tmp_path, TEXTS)
    assert refused.value.names == ("b.yaml",)
    assert listing(tmp_path) == ["b.yaml"]


def test_file_that_comes_meanwhile_stays_and_the_others_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Path.hardlink_to

    def raced(path: Path, target: Path) -> None:
        if path.name == "b.yaml":
            path.write_text("theirs")
        link(path, target)

    monkeypatch.setattr(Path, "hardlink_to", raced)
    with pytest.raises(FilesExistError):
        write_new_files(tmp_path, TEXTS)
    assert listing(tmp_path) == ["b.yaml"]
    assert (tmp_path / "b.yaml").read_text() == "theirs"


def test_failure_in_between_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def full(path: Path, text: str, **how: str) -> int:
        if path.name == "b.yaml":
            raise OSError(28, "No space left on device")
        return write(path, text, **how)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        write_new_files(tmp_path, TEXTS)
    assert listing(tmp_path) == []


def test_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(OSError, match="exists"):
        write_new_files(tmp_path / "x", TEXTS)
