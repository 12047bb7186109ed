"""Every bad file of the corpus gives exactly the errors it must, each with its place and its mend."""

from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from controller.manifests.load import load
from controller.manifests.schema import manifest_schema
from controller.manifests.snapshot import Desired
from tests.unit.manifests.corpus import CORPUS, GOOD, Bad, laughs

SCHEMA = jsonschema.Draft202012Validator(manifest_schema())


def errors(desired: Desired) -> list[str]:
    return [
        f"{e.position.line}:{e.position.column}: {e.message}" if e.position else e.message
        for e in desired.errors
    ]


def load_one(folder: Path, content: bytes) -> Desired:
    (folder / "f.yaml").write_bytes(content)
    return load(folder)


@pytest.mark.parametrize("bad", CORPUS, ids=lambda bad: bad.about)
def test_a_bad_file_says_what_is_wrong_where_and_what_to_write(tmp_path: Path, bad: Bad) -> None:
    desired = load_one(tmp_path, bad.raw)
    assert errors(desired) == list(bad.errors)
    assert {error.file for error in desired.errors} == {"f.yaml"}


@pytest.mark.parametrize("bad", CORPUS, ids=lambda bad: bad.about)
def test_a_bad_file_does_not_hold_back_the_file_beside_it(tmp_path: Path, bad: Bad) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    assert "good" in load_one(tmp_path, bad.raw).rooms


@pytest.mark.parametrize("bad", [bad for bad in CORPUS if bad.schema], ids=lambda bad: bad.about)
def test_the_schema_catches_what_a_schema_can(bad: Bad) -> None:
    assert not SCHEMA.is_valid(yaml.safe_load(bad.raw))


def test_a_billion_laughs_are_only_wrong_lines(tmp_path: Path) -> None:
    desired = load_one(tmp_path, laughs())
    assert '"&a9": YAML anchors are not supported; remove it' in {e.message for e in desired.errors}
    assert not desired.rooms


def test_of_endless_errors_a_hundred_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    desired = load_one(tmp_path, (GOOD + "".join(f"zz{n}: 1\n" for n in range(150))).encode())
    assert len(desired.errors) == 101
    assert desired.errors[-1].message == "50 more errors not shown; fix these first"


def test_the_errors_of_all_files_are_listed_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "c.yml"):
        (tmp_path / name).write_text(GOOD + "recrod: true\nactive: yes\n")
    assert [(e.file, e.position.line) for e in load(tmp_path).errors if e.position] == [
        (name, line) for name in ("a.yaml", "b.yaml", "c.yml") for line in (3, 4)
    ]


@pytest.mark.parametrize(
    ("content", "key"),
    [
        pytest.param(GOOD + "active: yes\n", "f", id="the path's"),
        pytest.param(GOOD + "active: yes\nkey: mine\n", "mine", id="its own"),
        pytest.param(GOOD + "active: yes\nkye: mine\n", None, id="perhaps misspelt"),
        pytest.param(GOOD + "key: a b\n", None, id="wrong"),
        pytest.param(GOOD + "key: a\nkey: b\n", None, id="twice"),
        pytest.param(GOOD + "key: &a b\n", None, id="anchored"),
        pytest.param("- a\n", None, id="no mapping"),
        pytest.param("name: [\n", None, id="no YAML"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_failed_document_stands_for_the_key_that_can_be_known(
    tmp_path: Path, content: str, key: str | None
) -> None:
    assert {error.key for error in load_one(tmp_path, content.encode()).errors} == {key}


def test_a_document_that_is_wrong_fails_alone(tmp_path: Path) -> None:
    desired = load_one(tmp_path, f"key: a\n{GOOD}---\nkey: b\n{GOOD}active: no\n---\nkey: c\n{GOOD}".encode())
    assert sorted(desired.rooms) == ["a", "c"]
    assert [error.key for error in desired.errors] == ["b"]


def test_a_file_that_breaks_off_fails_whole(tmp_path: Path) -> None:
    desired = load_one(tmp_path, f"key: a\n{GOOD}---\nkey: b\nname: [\n".encode())
    assert not desired.rooms
    assert [error.key for error in desired.errors] == [None]
