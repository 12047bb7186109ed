"""yaml-language-server, with which VS Code and other editors check and complete YAML, as an editor runs it.

npm installs it by its lock file into the cache.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.livekit_client import npm_installed
from tests.support.wait import PATIENCE

_FOLDER: Final = Path(__file__).parent / "yaml_lsp"


def yaml_language_server() -> Path:
    """The program, installed unless the cache has it by this lock file. RuntimeError says what is missing."""
    return npm_installed(_FOLDER, "yaml-language-server", "bin/yaml-language-server")


@dataclass
class Editor:
    """An editor with a workspace and its settings; it speaks the Language Server Protocol."""

    workspace: Path
    settings: Mapping[str, Any]
    process: asyncio.subprocess.Process
    _answers: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _diagnosed: dict[str, asyncio.Future[list[Any]]] = field(default_factory=dict)

    def _uri(self, name: str) -> str:
        return (self.workspace / name).as_uri()

    async def problems(self, name: str, text: str) -> list[str]:
        """Open a file with this text: what is underlined, as `LINE: MESSAGE`."""
        uri = self._uri(name)
        found = self._diagnosed[uri] = asyncio.get_running_loop().create_future()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send(method="textDocument/didOpen", params={"textDocument": document})
        async with asyncio.timeout(PATIENCE):
            return [f"{each['range']['start']['line'] + 1}: {each['message']}" for each in await found]

    async def completions(self, name: str, line: int, column: int) -> list[str]:
        """What is offered at a place, which counts from 0, of a file that is open."""
        place = {"textDocument": {"uri": self._uri(name)}, "position": {"line": line, "character": column}}
        result = await self.request("textDocument/completion", place)
        return [item["label"] for item in (result["items"] if isinstance(result, dict) else result)]

    async def request(self, method: str, params: Any) -> Any:
        """The result of a request."""
        number = len(self._answers) + 1
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._send(id=number, method=method, params=params)
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def start(self) -> None:
        folder = {"uri": self.workspace.as_uri(), "name": "workspace"}
        able = {
            "workspace": {"configuration": True, "workspaceFolders": True},
            "textDocument": {"completion": {"completionItem": {"documentationFormat": ["plaintext"]}}},
        }
        params = {"processId": None, "rootUri": folder["uri"], "workspaceFolders": [folder]}
        await self.request("initialize", params | {"capabilities": able})
        self._send(method="initialized", params={})

    def _send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def listen(self) -> None:
        """Take what the server says, until it ends."""
        assert self.process.stdout is not None
        while head := await self.process.stdout.readline():
            length = int(head.removeprefix(b"Content-Length: "))
            await self.process.stdout.readline()
            self._take(json.loads(await self.process.stdout.readexactly(length)))

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"method": "workspace/configuration", "id": number, "params": {"items": items}}:
                sections = [self._section(item.get("section", "")) for item in items]
                self._send(id=number, result=sections)
            case {"method": "textDocument/publishDiagnostics", "params": {"uri": uri, "diagnostics": found}}:
                if (waiting := self._diagnosed.get(uri)) is not None and not waiting.done():
                    waiting.set_result(found)
            case {"method": _, "id": number}:
                self._send(id=number, result=None)
            case {"id": number, "result": result}:
                self._answers[number].set_result(result)
            case {"id": number, "error": error}:
                self._answers[number].set_exception(AssertionError(error))

    def _section(self, name: str) -> dict[str, Any]:
        """The settings whose names begin with that of the section."""
        dot = f"{name}."
        return {key.removeprefix(dot): value for key, value in self.settings.items() if key.startswith(dot)}


@asynccontextmanager
async def editor(workspace: Path, settings: Mapping[str, Any]) -> AsyncIterator[Editor]:
    """An editor that has opened the workspace; nothing is fetched from the network."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(yaml_language_server()), "--stdio"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    opened = Editor(workspace, {"yaml.schemaStore.enable": False, **settings}, process)
    listening = asyncio.create_task(opened.listen())
    try:
        await opened.start()
        yield opened
    finally:
        process.kill()
        await process.wait()
        await listening
