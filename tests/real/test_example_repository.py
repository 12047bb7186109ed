"""deploy/example-repository as a team uses it: a branch, the comment, a merge, `wait`, and who did it."""

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import pytest
import yaml

from tests.support.controller import Site
from tests.support.documents import ROOT
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.pipelines import Change, serving
from tests.support.wait import until

LAYOUT: Final = ROOT / "deploy" / "example-repository"


@dataclass
class Team:
    """Clones of the layout: the one on the service, somebody's branch, and what the controller reads."""

    origin: Change
    branch: Change
    deployed: Change
    site: Site

    def merge(self) -> str:
        """Merge the branch, and deploy it; the commit of the change."""
        self.origin.git("pull", "-q", "--no-rebase", "--no-ff", "--no-edit", str(self.branch.folder), "more")
        self.deployed.git("pull", "-q", "--ff-only")
        return self.branch.git("rev-parse", "HEAD")


@pytest.fixture(name="team", params=["github", "gitlab"])
async def _team(
    request: pytest.FixtureRequest, tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> AsyncIterator[Team]:
    folders = [tmp_path / name for name in ("origin", "branch", "deployed")]
    shutil.copytree(LAYOUT, folders[0])
    with serving() as service:
        origin, branch, deployed = (Change(folder, service, request.param) for folder in folders)
        origin.git("init", "-q", "-b", "main")
        origin.commit("The layout")
        for clone in (branch, deployed):
            origin.git("clone", "-q", str(origin.folder), str(clone.folder))
        branch.git("checkout", "-q", "-b", "more")
        rooms_dir = str(deployed.folder / "rooms.d")
        async with Site(tmp_path / "site", livekit, mongodb=mongodb.uri, ROOMCTL_ROOMS_DIR=rooms_dir) as site:
            yield Team(origin, branch, deployed, site)


async def test_a_change_is_commented_merged_live_and_attributed(team: Team) -> None:
    service = team.branch.service
    async with team.site.run():
        assert (await team.site.verb("wait", "--timeout", "20s")).code == 0

        team.branch.write("events/panel.yaml", "name: Panel\npreset: standard-team\n")
        assert (await team.branch.check()).code == 0
        (comment,) = service.plans
        assert "roomctl plan: 1 to create, 1 to start\n" in comment
        team.branch.write("support/desk.yaml", "name: Support desk\npreset: standard-team\nactive: false\n")
        assert (await team.branch.check()).code == 0
        (comment,) = service.plans
        assert "1 to create, 1 to update, 1 to start, 1 to stop; **disconnects everybody" in comment
        assert service.written[0] == "POST"
        assert set(service.written[1:]) == {"PUT" if team.branch.kind == "gitlab" else "PATCH"}

        commit = team.merge()
        waited = await team.site.verb("wait", "--timeout", "20s")
        assert (waited.code, waited.out) == (0, "4 rooms are Ready\n"), waited.err
        assert (await team.site.record("support/desk")).live is None
        assert await team.site.room_name("events/panel") in await team.site.ours()

        async def is_attributed() -> bool:
            """Events are written after the records."""
            stopped = await team.site.verb("events", "support/desk", "--type", "stop", "-o", "json")
            return [event["by"] for event in json.loads(stopped.out)] == [f"git {commit[:12]} Ann"]

        await until(is_attributed)


async def test_a_room_beyond_its_teams_limit_is_an_error_at_its_line(team: Team) -> None:
    team.branch.write("support/all-hands.yaml", "name: All hands\nmax_participants: 200\n")
    checked = await team.branch.check()
    assert checked.code == 1
    error = next(line for line in checked.output.splitlines() if "all-hands.yaml" in line)
    place = "::error file=rooms.d/support/all-hands.yaml,line=2,col=19"
    assert place in error or team.branch.kind == "gitlab"
    assert "is beyond the limit of rooms.d/support/_policy.yaml:5:21; use at most 25" in error
    (comment,) = team.branch.service.plans
    assert "**Invalid manifests**" in comment
    assert "beyond the limit" in comment


async def test_the_deployed_branch_has_nothing_to_plan(team: Team) -> None:
    checked = await team.branch.check()
    assert checked.code == 0, checked.output
    (comment,) = team.branch.service.plans
    assert "### roomctl plan: No changes\n" in comment


def owners(path: str) -> list[str]:
    """As GitHub and GitLab read CODEOWNERS: the last line that matches counts."""
    found: list[str] = []
    for pattern, *teams in rules():
        if pattern == "*" or path.startswith(pattern[1:]) or PurePosixPath(path).match(pattern[1:]):
            found = teams
    return found


def rules() -> Iterator[list[str]]:
    for line in (LAYOUT / "CODEOWNERS").read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split()


def test_each_folder_of_manifests_has_its_team() -> None:
    folders = {path.parent.name for path in LAYOUT.glob("rooms.d/*/*.yaml")}
    assert folders == {path.parent.name for path in LAYOUT.glob("rooms.d/*/_policy.yaml")}
    assert len(folders) > 1
    for folder in folders:
        assert owners(f"rooms.d/{folder}/new.yaml") == [f"@example/{folder}"]
        assert owners(f"rooms.d/{folder}/_policy.yaml") == ["@example/platform"]
    assert owners("CODEOWNERS") == owners("rooms.d/_policy.yaml") == ["@example/platform"]


def test_the_files_of_the_services_use_what_deploy_has() -> None:
    jobs = yaml.safe_load((LAYOUT / ".github" / "workflows" / "rooms.yml").read_text())["jobs"]
    uses = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    (ours,) = {each for each in uses if each.startswith("OWNER/roomctl/")}
    assert (ROOT / ours.removeprefix("OWNER/roomctl/").removesuffix("@VERSION") / "action.yml").is_file()
    gitlab = yaml.safe_load((LAYOUT / ".gitlab-ci.yml").read_text())
    (include,) = gitlab["include"]
    assert (ROOT / include["file"]).is_file()
    assert gitlab["applied"]["script"][-1] in {step.get("run") for step in jobs["applied"]["steps"]}
    (repo,) = yaml.safe_load((LAYOUT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {hook["id"] for hook in repo["hooks"]} <= {hook["id"] for hook in hooks}
