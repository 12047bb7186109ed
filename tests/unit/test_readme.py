"""What the README says is what the code does."""

import hashlib
from pathlib import Path

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
