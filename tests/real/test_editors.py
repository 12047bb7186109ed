"""docs/manifests.md#editors with the language server that editors use: what it underlines and offers."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.documents import block_under, page
from tests.support.yaml_language_server import Editor, editor

MANIFESTS: Final = page("manifests.md")
POLICY: Final = (
    "presets:\n  town-hall: {preset: guest-webinar, max_participants: 500}\nlimits:\n  record: [false]\n"
)


@pytest.fixture(name="workspace")
def _workspace(tmp_path: Path) -> Path:
    """A repository with a policy file, set up as the page says."""
    (tmp_path / "rooms.d").mkdir()
    (tmp_path / "rooms.d" / "_policy.yaml").write_text(POLICY)
    commands = f'PATH="{Path(sys.executable).parent}:$PATH"\n{block_under(MANIFESTS, "Editors", "sh")}'
    subprocess.run(["sh", "-ec", commands], cwd=tmp_path, check=True)
    return tmp_path


@pytest.fixture(name="opened")
async def _opened(workspace: Path) -> AsyncIterator[Editor]:
    async with editor(workspace, json.loads(block_under(MANIFESTS, "Editors", "json"))) as opened:
        yield opened


def lines(problems: list[str]) -> list[str]:
    return sorted(problem.partition(":")[0] for problem in problems)


async def test_wrong_keys_and_values_are_underlined(opened: Editor) -> None:
    wrong = "name: A\nmax_participants: 0\nallow_chatt: true\nrecord: yes\n"
    problems = await opened.problems("rooms.d/events/a.yaml", wrong)
    assert lines(problems) == ["2", "3", "4"]
    assert any("allow_chatt is not allowed" in problem for problem in problems)


async def test_manifests_are_not(opened: Editor) -> None:
    several = "name: A\npreset: guest-webinar\n---\nname: B\nkey: b\nmax_participants: 3\n"
    assert await opened.problems("rooms.d/a.yml", several) == []
    assert await opened.problems("rooms.d/events/b.yaml", "name: B\npreset: town-hall\n") == []
    assert await opened.problems("other.yaml", "anything: 1\n") == []


async def test_policy_files_are_checked_by_a_schema_of_their_own(opened: Editor) -> None:
    policy = "presets:\n  big: {max_participants: 900}\ndefaults: {recrd: true}\nlimits: {record: false}\n"
    assert lines(await opened.problems("rooms.d/events/_policy.yaml", policy)) == ["3", "4"]
    assert await opened.problems("rooms.d/a.yaml", "name: A\npreset: big\n") == []


async def test_policy_files_have_a_schema_of_their_own(opened: Editor) -> None:
    for name in ("rooms.d/_policy.yaml", "rooms.d/events/_policy.yaml"):
        assert await opened.problems(name, POLICY) == []
    wrong = await opened.problems(
        "rooms.d/team/_policy.yaml", "limits:\n  max_participants: many\n  allow: []\n"
    )
    assert lines(wrong) == ["2", "3"]
    await opened.problems("rooms.d/a/_policy.yaml", "limits:\n  \n")
    assert {"max_participants", "record"} <= set(await opened.completions("rooms.d/a/_policy.yaml", 1, 2))


async def test_keys_and_values_are_offered(opened: Editor) -> None:
    await opened.problems("rooms.d/a.yaml", "name: A\nmax_participants: 5\npreset: \n\n")
    keys = await opened.completions("rooms.d/a.yaml", 3, 0)
    assert {"allow_chat", "record_mode", "key"} <= set(keys)
    assert "name" not in keys
    assert {"guest-webinar", "town-hall"} <= set(await opened.completions("rooms.d/a.yaml", 2, 8))


async def test_a_file_can_name_its_schema(opened: Editor) -> None:
    manifest = block_under(MANIFESTS, "Editors", "yaml")
    assert await opened.problems("elsewhere/a.yaml", manifest) == []
    wrong = manifest.replace("max_participants: 200", "max_participants: 0")
    assert lines(await opened.problems("elsewhere/b.yaml", wrong)) == ["3"]
