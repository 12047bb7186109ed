"""Two manifests that claim one room: neither is applied, and each names the other."""

from pathlib import Path

import pytest

from controller.manifests import Desired, load
from tests.unit.manifests.corpus import GOOD

ID = "0123456789abcdef01234567"


def load_files(folder: Path, **files: str) -> Desired:
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(content)
    return load(folder)


def said(desired: Desired) -> list[tuple[str, str | None, str]]:
    return [(error.file, error.key, error.message) for error in desired.errors]


def test_one_key_in_two_files(tmp_path: Path) -> None:
    desired = load_files(tmp_path, a=f"{GOOD}key: c\n", b=f"key: c\n{GOOD}", d=GOOD)
    assert sorted(desired.rooms) == ["d"]
    assert said(desired) == [
        ("a.yaml", "c", 'duplicate key "c", also used in b.yaml:1:6; keys must be unique'),
        ("b.yaml", "c", 'duplicate key "c", also used in a.yaml:3:6; keys must be unique'),
    ]


def test_a_key_that_is_anothers_path(tmp_path: Path) -> None:
    desired = load_files(tmp_path, a=GOOD, b=f"key: a\n{GOOD}")
    assert not desired.rooms
    assert [error.key for error in desired.errors] == ["a", "a"]


def test_two_endings_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD)
    assert [error.file for error in load_files(tmp_path, a=GOOD).errors] == ["a.yaml", "a.yml"]


def test_one_id_in_two_files(tmp_path: Path) -> None:
    desired = load_files(tmp_path, a=f"{GOOD}id: {ID}\n", b=f"id: '{ID}'\n{GOOD}", c=GOOD)
    assert sorted(desired.rooms) == ["c"]
    assert said(desired) == [
        ("a.yaml", "a", f'duplicate id "{ID}", also used in b.yaml:1:5; ids must be unique'),
        ("b.yaml", "b", f'duplicate id "{ID}", also used in a.yaml:3:5; ids must be unique'),
    ]


@pytest.mark.parametrize("wrong", ["active: yes\n", "nmae: x\n", "user_id: &a b\n"])
def test_a_wrong_document_claims_its_key_all_the_same(tmp_path: Path, wrong: str) -> None:
    desired = load_files(tmp_path, a=f"key: c\n{GOOD}{wrong}", b=f"key: c\n{GOOD}")
    assert not desired.rooms
    assert [error.file for error in desired.errors] == ["a.yaml", "a.yaml", "b.yaml"]


def test_documents_before_a_break_claim_their_keys(tmp_path: Path) -> None:
    desired = load_files(tmp_path, a=f"key: c\n{GOOD}---\nname: [\n", b=f"key: c\n{GOOD}")
    assert not desired.rooms


def test_of_many_three_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    desired = load_files(tmp_path, **{f"f{n}": f"key: c\n{GOOD}" for n in range(6)})
    others = "f0.yaml:1:6, f1.yaml:1:6, f2.yaml:1:6 and 2 more"
    assert desired.errors[5].message == f'duplicate key "c", also used in {others}; keys must be unique'
    assert desired.errors[0].message.count("f0.yaml") == 0
    assert len(desired.errors) == 6
