"""What the README says is what the code does."""

import hashlib
import re
from pathlib import Path

import pytest

import controller
from controller.cli.verbs import VERBS
from controller.manifests import load
from controller.sidecar.token_file import Entry, read_tokens
from tests.support.documents import ROOT, blocks, commands

README = (ROOT / "README.md").read_text()
EXAMPLES = blocks(README, "yaml")


def test_its_manifests_are_valid(tmp_path: Path) -> None:
    for number, example in enumerate(EXAMPLES[:2]):
        (tmp_path / f"example-{number}.yaml").write_text(example)
    desired = load(tmp_path)
    assert not desired.errors
    assert sorted(desired.rooms) == ["events/backstage", "events/keynote", "example-0"]


def test_its_file_of_access_tokens_is_right() -> None:
    proof = hashlib.sha256(b"my-token").digest()
    assert read_tokens(EXAMPLES[2].encode()) == [Entry(proof, "events", admin=False)]


def test_every_verb_it_writes_exists() -> None:
    assert {"run", "wait"} <= set(commands(README)) <= set(VERBS)


@pytest.mark.parametrize(
    "text",
    [controller.__doc__ or "", (ROOT / "controller" / "DECISIONS.md").read_text()],
    ids=["walk", "decisions"],
)
def test_every_module_that_is_named_exists(text: str) -> None:
    files = {path.relative_to(ROOT / "controller").as_posix() for path in (ROOT / "controller").rglob("*.py")}
    named = set(re.findall(r"[a-z_/]+\.py\b", text))
    known = files | {file.rsplit("/", 1)[-1] for file in files} | {"tests/bench/create_token.py"}
    assert named - known == set()
    assert named
