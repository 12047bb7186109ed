"""What the README says is what the code does; tests/real/test_quickstart.py runs its commands."""

import os
import re
from pathlib import Path

import pytest

from controller.cli.verbs import VERBS
from controller.manifests.load import load
from controller.settings import SettingGroup
from tests.support.documents import ROOT, blocks, commands
from tests.support.settings import load_settings

README = (ROOT / "README.md").read_text()
EXPORTS = re.findall(r"^export (\w+)='([^']+)'", README, re.MULTILINE)
LIVEKIT = {"LIVEKIT_URL": "ws://localhost", "LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "secret"}


def test_is_read_in_a_few_minutes() -> None:
    assert 120 <= len(README.splitlines()) <= 150


def test_its_manifest_makes_a_room(tmp_path: Path) -> None:
    (example,) = blocks(README, "yaml")
    (tmp_path / "standup.yaml").write_text(example)
    assert load(tmp_path).rooms["standup"].spec.max_participants == 30


def test_every_verb_it_writes_exists() -> None:
    assert {"plan", "wait"} <= set(commands(README)) <= set(VERBS)


def test_its_two_commands_are_programs_of_the_repository() -> None:
    named = re.findall(r"^((?:deploy|tests)/\S+)", "\n".join(blocks(README, "sh")), re.MULTILINE)
    assert named == ["deploy/quickstart", "tests/run"]
    assert all(os.access(ROOT / name, os.X_OK) for name in named)


@pytest.mark.parametrize(("variable", "text"), EXPORTS)
def test_each_setting_that_it_exports_is_valid(variable: str, text: str) -> None:
    settings = load_settings({}, {**LIVEKIT, variable: text}, SettingGroup.LIVEKIT)
    assert settings.recording_output is not None
