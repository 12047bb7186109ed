"""The embedded store: SecantusDB, a MongoDB-compatible server, as a child process. It is never imported.

Only it uses the folder. It listens on the loopback only, gets none of our environment and no Ctrl-C of the
terminal, and ends when we end, for any reason. It requires a password, which is in a file of the folder,
because every user of the machine can connect to the loopback.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from controller.errors import (
    SettingsError,
    StoreError,
    StoreLockedError,
    StoreRefusedError,
    StoreUnavailableError,
)
from controller.logs import get_logger
from controller.records.data_dir import Lock, files_of, prepare, read_json, signature, take_lock, write_json
from controller.records.mongo_client import address, close, connect, to_store_error

HOST: Final = "127.0.0.1"
USER: Final = "roomctl"
CREDENTIALS: Final = "credentials"
"""The file with the password of this user, in the server's folder."""
USER_EXISTS: Final = 51003
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

Client: TypeAlias = AsyncMongoClient[dict[str, Any]]
Command: TypeAlias = Callable[[Client], Awaitable[None]]

log = get_logger()


class Embedded:
    """The server and its folder. Between `start` and `stop` it is restarted whenever it dies."""

    def __init__(self, folder: Path, lock: Lock) -> None:
        self._folder, self._lock = folder, lock
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._port = 0
        self._password = read_password(folder)

    @property
    def uri(self) -> str:
        return embedded_uri(self._port, self._password)

    async def start(self) -> None:
        """Returns when it responds.

        SettingsError: it is not installed. StoreUnavailableError: it does not start.
        """
        program = _program()
        if not self._password:
            await self._set_password(program)
        try:
            await self._launch(program)
        except StoreRefusedError:  # store and credentials are from different copies
            await self._set_password(program)
            await self._launch(program)
        self._watch = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Terminate it, and kill it after half a second: what it acknowledged is on disk in both cases."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        (self._folder / "address").unlink(missing_ok=True)
        await self._end()

    async def _set_password(self, program: Path) -> None:
        """Give the server's user a new password.

        Meanwhile the server requires none. So it listens on another port than before, and `_launch` removes
        all other users. The file is written last: until then, the next start does all of this again.
        """
        password, port = secrets.token_hex(32), _free_port(0)
        try:
            await self._run(program, port)
            await self._reach(embedded_uri(port), partial(_set_user, password))
        finally:
            await self._end()
        write_json(self._folder / CREDENTIALS, {"user": USER, "password": password}, mode=0o600)
        self._password = password

    async def _launch(self, program: Path) -> None:
        """Start the server on its previous port, if that is free, so that clients find it again.

        StoreRefusedError: the password is not the one of its user.
        """
        self._port = _free_port(self._port or int(read_json(self._folder / "address").get("port", 0)))
        await self._run(program, self._port, "--auth")
        try:
            await self._reach(self.uri, _remove_other_users)
        except StoreRefusedError:
            await self._end()
            raise
        served = {"port": self._port, "owner": os.getpid(), "credentials": CREDENTIALS}
        write_json(self._folder / "address", served)

    async def _run(self, program: Path, port: int, *options: str) -> None:
        """Start the process, which listens a little later."""
        with (self._folder / LOG).open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-c", SHIM, str(os.getpid()), str(self._lock.fd), str(program)),
                *("--config", str(_empty_config(self._folder)), "--host", HOST, "--port", str(port)),
                *(
                    "--storage-path",
                    str(self._folder / "store"),
                    "--sync-on-commit",
                    "--log-level",
                    "WARNING",
                ),
                *options,
                cwd=self._folder,
                env=_environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(self._lock.fd,),  # the folder stays locked until the server itself is gone
            )

    async def _reach(self, uri: str, first: Command) -> None:
        """Return once the server at `uri` has carried out a first command.

        StoreRefusedError: it refuses the password. StoreUnavailableError: no answer in time, or it exits.
        """
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._answers(uri, first)
        except TimeoutError:
            await self._end()
            raise StoreUnavailableError(
                f"the embedded store did not respond within {START_SECONDS:.0f} s"
            ) from None

    async def _answers(self, uri: str, first: Command) -> None:
        process = self._process
        while process is not None and process.returncode is None:
            if await _listens(uri) and await _carries_out(uri, first):
                return
            await asyncio.sleep(0.05)
        code = process.returncode if process is not None else None
        raise StoreUnavailableError(f"the embedded store exited (exit code {code}); see {self._folder / LOG}")

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
            except (StoreError, SettingsError, OSError) as error:
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
        uri = served_uri(folder) if verb != "run" else None
        if uri is not None:
            return None, uri
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


def served_uri(folder: Path) -> str | None:
    """The URI by the folder's address file, if the same process wrote it and signed the lock.

    If the file has no `credentials`, the server belongs to a release that required none. StoreRefusedError:
    this user may not read them.
    """
    served, owner = read_json(folder / "address"), read_json(folder / "embedded.lock")
    port = served.get("port")
    if not isinstance(port, int) or served.get("owner") != owner.get("pid"):
        return None
    if "credentials" not in served:
        return embedded_uri(port)
    password = read_password(folder)
    if not password:
        raise StoreRefusedError(
            f"the embedded store in {folder} requires the password in {folder / CREDENTIALS}, "
            "which cannot be read; run this as the user of the controller"
        )
    return embedded_uri(port, password)


def read_password(folder: Path) -> str:
    """The password in the folder's file of credentials, '' where there is none to be read."""
    password = read_json(folder / CREDENTIALS).get("password")
    return password if isinstance(password, str) else ""


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


async def _listens(uri: str) -> bool:
    host, _, port = address(uri).rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def _carries_out(uri: str, command: Command) -> bool:
    """Whether the server answers. StoreRefusedError: it refuses the password."""
    client = connect(uri)
    try:
        with pymongo.timeout(2.0):
            await command(client)
    except PyMongoError as error:
        translated = to_store_error(error, address(uri))
        if isinstance(translated, StoreRefusedError):
            raise translated from None
        return False
    finally:
        await close(client)
    return True


async def _set_user(password: str, client: Client) -> None:
    """Create our user, or change its password. It has all rights: nobody else uses the server."""
    try:
        await client.admin.command("createUser", USER, pwd=password, roles=["root"])
    except OperationFailure as error:
        if error.code != USER_EXISTS:
            raise
        await client.admin.command("updateUser", USER, pwd=password, roles=["root"])


async def _remove_other_users(client: Client) -> None:
    """Users that somebody else created while the server required no password."""
    async for user in client.admin["system.users"].find({}, {"user": 1, "db": 1}):
        if (user["db"], user["user"]) != ("admin", USER):
            await client[user["db"]].command("dropUser", user["user"])


def embedded_uri(port: int, password: str = "") -> str:
    """Connects to the one member directly, whatever replica set it reports."""
    user, options = (f"{USER}:{password}@", "&authSource=admin") if password else ("", "")
    return f"mongodb://{user}{HOST}:{port}/?directConnection=true{options}"


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
