"""deploy/pipelines end to end: a branch, the comment, an update of the comment, an invalid manifest.

The services' APIs are a small stand-in that keeps comments, and checks that none is repeated.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
import yaml

from tests.support.documents import ROOT

PIPELINES: Final = ROOT / "deploy" / "pipelines"
ENVIRONMENTS: Final = {
    "github": {
        "GITHUB_API_URL": "{url}",
        "GITHUB_REPOSITORY": "team/rooms",
        "GITHUB_TOKEN": "token",
        "PULL_REQUEST": "7",
    },
    "gitlab": {
        "CI_API_V4_URL": "{url}",
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "GITLAB_TOKEN": "token",
    },
}
COMMENTS: Final = {
    "github": "/repos/team/rooms/issues/7/comments",
    "gitlab": "/projects/3/merge_requests/7/notes",
}


@dataclass
class Service:
    """Comments by their number; `refuse` answers every request with that status."""

    comments: dict[int, str] = field(default_factory=lambda: {n: f"comment {n}" for n in range(1, 121)})
    refuse: int = 0
    url: str = ""

    def answer(self, method: str, path: str, headers: Any, content: Any) -> tuple[int, Any]:
        if self.refuse or "token" not in (
            headers.get("Authorization", "") + headers.get("PRIVATE-TOKEN", "")
        ):
            return self.refuse or 401, {}
        where, _, query = path.partition("?")
        if method == "GET":
            page = int(query.rpartition("page=")[2])
            all_comments = [{"id": n, "body": body} for n, body in self.comments.items()]
            return 200, all_comments[(page - 1) * 100 : page * 100]
        assert where.startswith(tuple(COMMENTS.values())) or "/issues/comments/" in where
        number = len(self.comments) + 1 if method == "POST" else int(where.rpartition("/")[2])
        assert method == "POST" or number in self.comments
        self.comments[number] = content["body"]
        return 201, {"id": number}

    @property
    def plans(self) -> list[str]:
        return [body for body in self.comments.values() if body.startswith("<!-- roomctl-plan -->")]


@pytest.fixture(name="service")
def _service() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = json.loads(self.rfile.read(length)) if length else None
            status, answer = service.answer(self.command, self.path, self.headers, content)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_PUT = do

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Change:
    """A checkout of a branch, whose `origin` has the branch main."""

    folder: Path
    service: Service
    kind: str

    def git(self, *words: str) -> None:
        author = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        subprocess.run(("git", *author, *words), cwd=self.folder, check=True, capture_output=True)

    def write(self, name: str, text: str) -> None:
        path = self.folder / "rooms.d" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", f"Change {name}")

    async def check(self) -> "Ended":
        env = {name: value.format(url=self.service.url) for name, value in ENVIRONMENTS[self.kind].items()}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            *(str(PIPELINES / "check"), self.kind, "main"),
            cwd=self.folder,
            env=env | {"PATH": path, "HOME": str(self.folder)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return Ended(process.returncode, output.decode())


@dataclass
class Ended:
    code: int | None
    output: str


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
