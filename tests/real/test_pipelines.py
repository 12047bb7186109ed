"""deploy/pipelines end to end: a branch, the comment, an update of the comment, an invalid manifest.

The services' APIs are a small stand-in that keeps comments, and checks that none is repeated.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.documents import ROOT
from tests.support.pipelines import ENVIRONMENTS, PIPELINES, Change, Service, serving


@pytest.fixture(name="service")
def _service() -> Iterator[Service]:
    with serving() as service:
        yield service


@pytest.fixture(name="change", params=["github", "gitlab"])
def _change(request: pytest.FixtureRequest, tmp_path: Path, service: Service) -> Change:
    origin = Change(tmp_path / "origin", service, request.param)
    origin.folder.mkdir()
    origin.git("init", "-q", "-b", "main")
    origin.write("standup.yaml", "name: Standup\nmax_participants: 5\n")
    change = Change(tmp_path / "change", service, request.param)
    origin.git("clone", "-q", str(origin.folder), str(change.folder))
    change.git("checkout", "-q", "-b", "more")
    return change


async def test_a_change_gets_one_comment_that_is_updated(change: Change) -> None:
    change.write("keynote.yaml", "name: Keynote\nmax_participants: 50\n")
    first = await change.check()
    assert first.code == 0, first.output
    (plan,) = change.service.plans
    assert "### roomctl plan: 1 to create, 1 to start\n" in plan
    change.write("standup.yaml", "name: Standup\nmax_participants: 5\nactive: false\n")
    second = await change.check()
    assert second.code == 0, second.output
    (plan,) = change.service.plans
    assert "1 to stop" in plan
    assert len(change.service.comments) == 121


async def test_an_invalid_manifest_is_annotated_and_in_the_comment(change: Change) -> None:
    change.write("keynote.yaml", "name: Keynote\nmax_participants: many\n")
    ended = await change.check()
    assert ended.code == 1
    place = "file=rooms.d/keynote.yaml,line=2" if change.kind == "github" else "rooms.d/keynote.yaml:2:"
    assert place in ended.output
    (plan,) = change.service.plans
    assert "**Invalid manifests**" in plan


def test_only_a_plan_becomes_a_comment(service: Service) -> None:
    env = {name: value.format(url=service.url) for name, value in ENVIRONMENTS["github"].items()}
    for text in ("", "comment 1", "\n<!-- roomctl-plan -->"):
        done = subprocess.run(
            (sys.executable, str(PIPELINES / "comment.py"), "github"),
            input=text,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (
            1,
            "error: no plan on stdin; use roomctl plan -o markdown\n",
        )
    assert service.comments == Service().comments


async def test_a_service_that_refuses_is_named(change: Change) -> None:
    change.write("keynote.yaml", "name: Keynote\nmax_participants: 50\n")
    change.service.refuse = 403
    ended = await change.check()
    assert ended.code == 1
    assert f"error: {change.kind} answered 403; check the token's permissions" in ended.output


def test_the_files_of_the_services_run_the_same_check() -> None:
    action = yaml.safe_load((PIPELINES / "github" / "action.yml").read_text())
    install, check = action["runs"]["steps"]
    assert check["run"] == '"$GITHUB_ACTION_PATH/../check" github "$TARGET" "$ROOMS_DIR"'
    assert (PIPELINES / "github" / ".." / "check").is_file()
    assert (PIPELINES / "github" / ".." / ".." / ".." / "pyproject.toml").is_file(), install["run"]
    assert ENVIRONMENTS["github"].keys() & check["env"].keys() == {"GITHUB_TOKEN", "PULL_REQUEST"}
    job = yaml.safe_load((PIPELINES / "gitlab.yml").read_text())["roomctl"]
    assert job["script"][-1].split()[:2] == ["/opt/roomctl/deploy/pipelines/check", "gitlab"]


def test_the_pre_commit_hook_runs_a_verb_without_arguments() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert (hook["id"], hook["entry"], hook["language"]) == ("roomctl-validate", "roomctl validate", "python")
    subprocess.run((sys.executable, "-m", "controller", *hook["entry"].split()[1:]), cwd=ROOT, check=True)
