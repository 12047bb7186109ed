"""Two manifests that claim one room: neither is applied, and each names the other."""

from pathlib import Path

import pytest

from controller.manifests.load import load
from controller.manifests.snapshot import Desired
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


@pytest.mark.parametrize(
    ("name", "other", "here", "there"),
    [
        pytest.param("Standup", "standup", '"S" U+0053', '"s" U+0073', id="case"),
        pytest.param("team/x/A", "team/X/a", '"x" U+0078', '"X" U+0058', id="case of a folder"),
        pytest.param("caf\u00e9", "cafe\u0301", '"\u00e9" U+00E9', '"e\u0301" U+0065 U+0301', id="form"),
        pytest.param("\uac00", "\u1100\u1161", '"\uac00" U+AC00', '"\u1100" U+1100', id="Hangul"),
        pytest.param("\u2126", "\u03c9", '"\u2126" U+2126', '"\u03c9" U+03C9', id="a sign"),
        pytest.param("\u00c9", "e\u0301", '"\u00c9" U+00C9', '"e\u0301" U+0065 U+0301', id="both"),
    ],
)
def test_two_paths_that_a_file_system_may_take_for_one(
    tmp_path: Path, name: str, other: str, here: str, there: str
) -> None:
    for number, file in enumerate((name, other)):
        path = tmp_path / f"{file}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"key: k{number}\n{GOOD}")
    desired = load_files(tmp_path, d=GOOD)
    assert sorted(desired.rooms) == ["d"]
    only = "only in case or Unicode form"
    assert sorted(said(desired)) == sorted(
        [
            (
                f"{name}.yaml",
                "k0",
                f"path differs from {other}.yaml {only} ({here} here, {there} there); rename one",
            ),
            (
                f"{other}.yaml",
                "k1",
                f"path differs from {name}.yaml {only} ({there} here, {here} there); rename one",
            ),
        ]
    )


def test_each_document_of_a_shared_path_stands_for_its_key(tmp_path: Path) -> None:
    several = f"key: b\n{GOOD}---\nkey: c\n{GOOD}"
    desired = load_files(tmp_path, a=several, A="name: [\n")
    assert not desired.rooms
    assert [(error.file, error.key) for error in desired.errors] == [
        ("A.yaml", None),
        ("A.yaml", None),
        ("a.yaml", "b"),
        ("a.yaml", "c"),
    ]


def test_keys_and_paths_that_differ_in_more_than_case_are_two_rooms(tmp_path: Path) -> None:
    (tmp_path / "B").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "B/x.yaml").write_text(GOOD)
    (tmp_path / "b/y.yaml").write_text(GOOD)
    (tmp_path / "C.yml").write_text(GOOD)
    (tmp_path / "stra\u00dfe.yaml").write_text(f"key: s\n{GOOD}")
    desired = load_files(tmp_path, a=f"key: k\n{GOOD}", d=f"key: K\n{GOOD}", c=GOOD, strasse=GOOD)
    assert desired.errors == ()
    assert sorted(desired.rooms) == ["B/x", "C", "K", "b/y", "c", "k", "s", "strasse"]


def test_of_many_three_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    desired = load_files(tmp_path, **{f"f{n}": f"key: c\n{GOOD}" for n in range(6)})
    others = "f0.yaml:1:6, f1.yaml:1:6, f2.yaml:1:6 and 2 more"
    assert desired.errors[5].message == f'duplicate key "c", also used in {others}; keys must be unique'
    assert desired.errors[0].message.count("f0.yaml") == 0
    assert len(desired.errors) == 6
