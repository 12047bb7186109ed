"""The embedded store: SecantusDB, a MongoDB-compatible server, as a child process. It is never imported.

Only it uses the folder. It listens on the loopback only, gets none of our environment and no Ctrl-C of the
terminal, and ends when we end, for any reason.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pymongo
import structlog
from pymongo.errors import PyMongoError

from controller.errors import SettingsError, StoreLockedError, StoreUnavailableError
from controller.records.data_dir import Lock, files_of, prepare, read_json, signature, take_lock, write_json
from controller.records.mongo_client import close, connect

HOST: Final = "127.0.0.1"
LOG: Final = "embedded.log"
"""The server's output since its last start, in its folder."""

START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 0.5
LOCK_SECONDS: Final = 10.0
"""How long we wait for another process to release the folder: it may be ending, or starting."""

INHERITED_VARIABLES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")

SHIM: Final = """
import os, signal, subprocess, sys
parent, lock, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, which an exec keeps
    if os.getppid() == parent:
        os.execv(command[0], command)
else:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[lock])
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while child.poll() is None and os.getppid() == parent:
        try:
            child.wait(0.2)
        except subprocess.TimeoutExpired:
            pass
    child.kill() if child.poll() is None else None
"""
"""Starts the server so that it ends with us: on Linux the kernel does this, elsewhere the shim watches us."""

log = structlog.get_logger()


class Embedded:
    """The server and its folder. Between `start` and `stop` it is restarted whenever it dies."""

    def __init__(self, folder: Path, lock: Lock) -> None:
        self._folder, self._lock = folder, lock
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._port = 0

    @property
    def uri(self) -> str:
        return embedded_uri(self._port)

    async def start(self) -> None:
        """Returns when it responds.

        SettingsError: it is not installed. StoreUnavailableError: it does not start.
        """
        await self._launch(_program())
        self._watch = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Terminate it, and kill it after half a second: what it acknowledged is on disk in both cases."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        (self._folder / "address").unlink(missing_ok=True)
        await self._end()

    async def _launch(self, program: Path) -> None:
        """Start the server on its previous port, if that is free, so that clients find it again."""
        self._port = _free_port(self._port or int(read_json(self._folder / "address").get("port", 0)))
        with (self._folder / LOG).open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-c", SHIM, str(os.getpid()), str(self._lock.fd), str(program)),
                *("--config", str(_empty_config(self._folder)), "--host", HOST, "--port", str(self._port)),
                *(
                    "--storage-path",
                    str(self._folder / "store"),
                    "--sync-on-commit",
                    "--log-level",
                    "WARNING",
                ),
                cwd=self._folder,
                env=_environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(self._lock.fd,),  # the folder stays locked until the server itself is gone
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._answers(self._process)
        except TimeoutError:
            await self._end()
            raise StoreUnavailableError(
                f"the embedded store did not respond within {START_SECONDS:.0f} s"
            ) from None
        write_json(self._folder / "address", {"port": self._port, "owner": os.getpid()})

    async def _answers(self, process: asyncio.subprocess.Process) -> None:
        while process.returncode is None:
            if await _listens(self._port) and await _pings(self.uri):
                return
            await asyncio.sleep(0.05)
        raise StoreUnavailableError(
            f"the embedded store exited (exit code {process.returncode}); see {self._folder / LOG}"
        )

    async def _keep(self) -> None:
        """Restart it whenever it dies, with backoff: 0.1 s, doubled up to 5 s."""
        pause = 0.1
        while True:
            code = await self._process.wait() if self._process is not None else None
            log.warning("embedded store exited", exit_code=code, restarting=True)
            await asyncio.sleep(pause)
            try:
                await self._launch(_program())
                pause = 0.1
            except (StoreUnavailableError, SettingsError, OSError) as error:
                log.warning("embedded store start failed", error=str(error))
                pause = min(pause * 2, 5.0)

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            _kill_group(process.pid)
            await process.wait()


@asynccontextmanager
async def embedded_server(folder: Path, verb: str, patience: float = LOCK_SECONDS) -> AsyncIterator[str]:
    """The URI of the embedded server in `folder`: a running one, or one of our own while we need it.

    `run` always starts its own, and waits until another verb has ended, however long it takes. Otherwise
    StoreLockedError after `patience` seconds if another process holds the folder; for a second `run` at
    once.
    """
    prepare(folder)
    with files_of(folder):
        lock, uri = await _lock_or_address(folder, verb, patience)
    if lock is None:
        yield uri
        return
    with contextlib.closing(lock):
        with files_of(folder):
            lock.sign(verb)
        server = Embedded(folder, lock)
        try:
            with files_of(folder):
                await server.start()
            yield server.uri
        finally:
            await server.stop()


async def _lock_or_address(folder: Path, verb: str, patience: float) -> tuple[Lock | None, str]:
    """The lock on the folder, or, for verbs other than `run`, the address of the server that holds it."""
    now = asyncio.get_running_loop().time
    until, logged = now() + patience, False
    while True:
        lock = take_lock(folder / "embedded.lock")
        if lock is not None:
            return lock, ""
        port = served_port(folder)
        if verb != "run" and port is not None:
            return None, embedded_uri(port)
        holder = _holder(folder)
        if verb == "run" and holder not in ("", "run"):
            until = now() + patience
            if not logged:
                log.info("waiting for embedded store lock", holder=signature(folder / "embedded.lock"))
                logged = True
        elif now() >= until or verb == holder == "run":
            raise StoreLockedError(
                f"the embedded store in {folder} is in use by {signature(folder / 'embedded.lock')}; "
                "stop it, or use a different ROOMCTL_DATA_DIR"
            )
        await asyncio.sleep(0.05)


def _holder(folder: Path) -> str:
    """The verb of the process that signed the lock; '' if that process has ended."""
    owner = read_json(folder / "embedded.lock")
    return str(owner.get("verb", "")) if _alive(owner.get("pid")) else ""


def served_port(folder: Path) -> int | None:
    """The port in the folder's address file, if the same process wrote it and signed the lock."""
    address, owner = read_json(folder / "address"), read_json(folder / "embedded.lock")
    port = address.get("port")
    return port if isinstance(port, int) and address.get("owner") == owner.get("pid") else None


def _alive(pid: object) -> bool:
    """Whether the process exists; one of another user counts."""
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def _pings(uri: str) -> bool:
    client = connect(uri)
    try:
        with pymongo.timeout(2.0):
            await client.admin.command("ping")
    except PyMongoError:
        return False
    finally:
        await close(client)
    return True


def embedded_uri(port: int) -> str:
    """Connects to the one member directly, whatever replica set it reports."""
    return f"mongodb://{HOST}:{port}/?directConnection=true"


def _program() -> Path:
    beside = Path(sys.executable).parent / "secantusd-py"
    program = str(beside) if beside.exists() else shutil.which("secantusd-py")
    if program is None:
        problem = "MONGODB_URI: required, because the embedded store is not installed; "
        raise SettingsError([f"{problem}set it, or run pip install '.[embedded]'"])
    return Path(program)


def _environment() -> dict[str, str]:
    """The environment of the server, without our settings: no secret leaves this process."""
    return {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}


def _empty_config(folder: Path) -> Path:
    """A configuration of our own, so that none in the current or the home folder is read."""
    path = folder / "secantusd.toml"
    path.touch()
    return path


def _free_port(wanted: int) -> int:
    """`wanted` if it is free, otherwise any."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise StoreUnavailableError(f"no free port on {HOST} for the embedded store")


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
