"""deploy/pipelines as a runner calls it, and a stand-in for the services' APIs of comments."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

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
    """Comments by their number; `refuse` answers every request with that status.

    `written` are the methods of the requests that created or updated one.
    """

    comments: dict[int, str] = field(default_factory=lambda: {n: f"comment {n}" for n in range(1, 121)})
    written: list[str] = field(default_factory=list)
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
        self.written.append(method)
        return 201, {"id": number}

    @property
    def plans(self) -> list[str]:
        return [body for body in self.comments.values() if body.startswith("<!-- roomctl-plan -->")]


@contextmanager
def serving() -> Iterator[Service]:
    """A service of its own, on a port of its own."""
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

    def git(self, *words: str) -> str:
        """What git prints."""
        author = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        done = subprocess.run(("git", *author, *words), cwd=self.folder, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def write(self, name: str, text: str) -> None:
        path = self.folder / "rooms.d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.commit(f"Change {name}")

    def commit(self, subject: str) -> None:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "-qm", subject)

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
