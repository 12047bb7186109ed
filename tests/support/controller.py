"""`roomctl` as a real child process, with a rooms.d, a data folder and ports of its own.

    site = Site(tmp_path, livekit, mongodb=uri)         # without `mongodb`: the embedded store
    site.write("team", max_participants=20)
    async with site.run() as controller:                # ready when the block begins, stopped at its end
        await site.converged()
        assert await controller.stop() == 0

Whatever any of its processes wrote is searched for secrets and tracebacks when a site is closed.
"""

import asyncio
import json
import os
import re
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from pymongo import AsyncMongoClient

from controller.errors import LiveKitError, StoreError
from controller.live.client import ApiReader, ApiWriter, LiveKitConnection
from controller.live.room import LiveRoom, Participant
from controller.one_shot import make_plan
from controller.plan.metadata import Owner, owner_mark
from controller.plan.model import Plan
from controller.records import open_store
from controller.records.embedded import read_password, served_uri
from controller.records.ports import StoreAccess
from controller.records.record import RoomRecord
from controller.room import Purpose, derive_key
from controller.settings import SettingGroup
from tests.support.forked import forked
from tests.support.livekit import LiveKitServer
from tests.support.participants import token
from tests.support.ports import free_ports
from tests.support.settings import load_settings
from tests.support.wait import PATIENCE, until

ROOT: Final = Path(__file__).parents[2]
LOOK_EVERY: Final = 0.03
_TELLTALE: Final = re.compile(r"Traceback|eyJ[A-Za-z0-9_-]{8,}|mongodb://[^/\s]*@")


@dataclass(frozen=True, slots=True)
class Ended:
    """A verb that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; `body` is its JSON object."""

    status: int
    body: dict[str, Any]


class Controller:
    """One process of `roomctl run`; its log is JSON, a line for each event."""

    def __init__(self, site: "Site", pid: int, ended: Awaitable[int], log: Path) -> None:
        self.site, self.pid, self.log = site, pid, log
        self._ended = asyncio.ensure_future(ended)

    @property
    def running(self) -> bool:
        return not self._ended.done()

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has logged so far, but for a line that is being written."""
        lines, _, _ = self.log.read_text(errors="replace").rpartition("\n")
        return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]

    def said(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """The events of that name, with those values."""
        return [e for e in self.events if e.get("event") == event and fields.items() <= e.items()]

    async def until_logged(
        self, event: str, *, times: int = 1, within: float = PATIENCE, **fields: Any
    ) -> None:
        """Return when it has logged that event so often."""

        async def enough() -> bool:
            assert self.running, f"it ended instead (exit {self._ended.result()}): {self.log.read_text()}"
            return len(self.said(event, **fields)) >= times

        await until(enough, within)

    async def ready(self, within: float = PATIENCE) -> None:
        """Return when /readyz says 200."""

        async def answers() -> bool:
            assert self.running, f"it ended at its start: {self.log.read_text()}"
            with suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                return (await self.site.get("/readyz")).status == 200
            return False

        await until(answers, within)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    async def end(self, within: float | None = PATIENCE) -> int:
        """Its exit code, once it has ended by itself."""
        async with asyncio.timeout(within):
            return await asyncio.shield(self._ended)

    async def kill(self) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            await self.end()

    async def stop(self, within: float = PATIENCE) -> int:
        """SIGTERM, and the exit code: another than 0 where something else had ended it by then."""
        if self.running:
            with suppress(ProcessLookupError):
                self.signal(signal.SIGTERM)
        return await self.end(within)


class Site:
    """Everything around one controller, and what a test does there.

    `seen_from` is the LiveKit that tests look at, where the controller's is a proxy or a wrong address.
    """

    def __init__(
        self,
        folder: Path,
        livekit: LiveKitServer,
        *,
        mongodb: str = "",
        url: str | None = None,
        **settings: str,
    ) -> None:
        self.folder, self.livekit, self.mongodb = folder, livekit, mongodb
        self.instance = f"t-{secrets.token_hex(6)}"
        self.database = f"t_{secrets.token_hex(6)}"
        self.rooms_dir, self.data_dir = folder / "rooms.d", folder / "data"
        self.public, self.private = free_ports(2)
        self.secret = f"of-this-site-{secrets.token_hex(16)}"
        self._url, self._more = url or livekit.url, settings
        self.open_files = 0
        """How many files its processes may open, unless 0."""
        self._logs = 0
        self._manifests: dict[str, dict[str, Any]] = {}
        self._connection = LiveKitConnection(livekit.access)
        self.reader, self.writer = ApiReader(self._connection), ApiWriter(self._connection)
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))
        self.rooms_dir.mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()
        await self._http.close()
        if error is None:
            self.assert_discreet()

    @property
    def env(self) -> dict[str, str]:
        """The settings of its controllers; the log is at its most talkative, for the search at the end."""
        settings = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LIVEKIT_URL": self._url,
            "LIVEKIT_API_KEY": self.livekit.key,
            "LIVEKIT_API_SECRET": self.livekit.secret,
            "MONGODB_URI": self.mongodb,
            "MONGODB_DATABASE": self.database,
            "ROOMCTL_SECRET": self.secret,
            "ROOMCTL_ROOMS_DIR": str(self.rooms_dir),
            "ROOMCTL_DATA_DIR": str(self.data_dir),
            "ROOMCTL_INSTANCE": self.instance,
            "ROOMCTL_PUBLIC_LISTEN": f"127.0.0.1:{self.public}",
            "ROOMCTL_PRIVATE_LISTEN": f"127.0.0.1:{self.private}",
            "ROOMCTL_RESYNC_SECONDS": "1",
            "ROOMCTL_LOG_FORMAT": "json",
            "ROOMCTL_LOG_LEVEL": "debug",
        }
        return settings | self._more

    def reach(self, livekit: str, mongodb: str = "") -> None:
        """Its controllers find LiveKit there, and the database; '': where tests find it."""
        self._url = livekit
        self._more["MONGODB_URI"] = mongodb or self.mongodb

    def twin(self, name: str) -> "Site":
        """Another controller's site on the same rooms.d, database and instance."""
        other = Site(self.folder / name, self.livekit, mongodb=self.mongodb, url=self._url, **self._more)
        other.instance, other.database, other.secret = self.instance, self.database, self.secret
        other.rooms_dir, other._manifests = self.rooms_dir, self._manifests
        return other

    @property
    def owner(self) -> Owner:
        """Who its controllers are in the metadata of live rooms."""
        return Owner(self.instance, (derive_key(self.secret, Purpose.OWNER_MARK),))

    @property
    def keys(self) -> AbstractSet[str]:
        """The files that manifests stand in, without their ending."""
        return self._manifests.keys()

    # -- manifests --------------------------------------------------------------------------------------

    def write(self, key: str, /, **fields: Any) -> None:
        """The manifest of `key`: a video room named after it for ten, but for `fields`."""
        self._manifests[key] = {"name": key.replace("/", "-"), "max_participants": 10, **fields}
        self._put(key)

    def edit(self, key: str, /, **fields: Any) -> None:
        self._manifests[key] |= fields
        self._put(key)

    def remove(self, *keys: str) -> None:
        for key in keys:
            del self._manifests[key]
            self._file(key).unlink()

    def spoil(self, key: str, text: str = "{\nname: [\n") -> None:
        """Write something wrong over the manifest; `edit(key)` puts it right."""
        self._swap(key, text)

    def _file(self, key: str) -> Path:
        return self.rooms_dir / f"{key}.json"

    def _put(self, key: str) -> None:
        self._swap(key, json.dumps(self._manifests[key], indent=1))

    def _swap(self, key: str, text: str) -> None:
        """Nobody finds the file half written."""
        file = self._file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}")
        fresh.write_text(text)
        fresh.replace(file)

    # -- processes --------------------------------------------------------------------------------------

    @asynccontextmanager
    async def run(self, *, ready: bool = True, **env: str) -> AsyncIterator[Controller]:
        """`roomctl run`; killed at the end unless it was stopped."""
        controller = self.start("run", env=env)
        try:
            if ready:
                await controller.ready()
            yield controller
        finally:
            await controller.kill()

    async def verb(self, *words: str, **env: str) -> Ended:
        """`roomctl WORDS`, until it ends."""
        out = self._log(words[0])
        process = self.start(*words, env=env, out=out)
        ended = Ended(await process.end(None), out.read_text(), process.log.read_text())
        if words[0] == "invite":
            out.unlink()  # the one output whose purpose is a secret
        return ended

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, out: Path = Path(os.devnull)
    ) -> Controller:
        """`roomctl WORDS` as a fork of a process that has imported it already: a start costs little."""
        log = self._log(words[0])
        process = forked(
            words, cwd=ROOT, env=self.env | dict(env or {}), out=out, err=log, open_files=self.open_files
        )
        assert process.pid is not None

        async def ended() -> int:
            """It keeps none of the few threads busy that look addresses up, too."""
            loop, over = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(process.sentinel, over.set)
            await over.wait()
            loop.remove_reader(process.sentinel)
            process.join()
            code = process.exitcode
            process.close()
            return 0 if code is None else code

        return Controller(self, process.pid, ended(), log)

    def _log(self, verb: str) -> Path:
        self._logs += 1
        log = self.folder / f"{verb}-{self._logs}.log"
        log.touch()
        return log

    def assert_discreet(self) -> None:
        """No secret, token, key or traceback in anything that any of its processes wrote."""
        password = read_password(self.data_dir)
        hidden = (self.livekit.secret, self.secret, self.livekit.key, *([password] if password else []))
        for log in [*self.folder.glob("*.log"), *self.data_dir.glob("*.log")]:
            text = log.read_text(errors="replace")
            shown = [word for word in hidden if word in text]
            assert not shown, f"{log} shows {shown}: {text[-3000:]}"
            leak = _TELLTALE.search(text)
            assert leak is None, f"{log} shows {leak}: {text[-3000:]}"

    # -- what stands where ------------------------------------------------------------------------------

    @property
    def access(self) -> StoreAccess:
        """To open the records as its controllers do."""
        return StoreAccess(self.mongodb, self.database, self.data_dir, self.instance)

    async def records(self) -> dict[str, RoomRecord]:
        """The records by key, as the database has them; tombstones among them."""
        uri = self.mongodb or served_uri(self.data_dir) or "mongodb://127.0.0.1:1/"
        async with open_store(replace(self.access, uri=uri, read_only=True)) as store:
            await store.refresh()
            return dict(store.by_key)

    async def lose_database(self) -> None:
        """Drop it, under whoever uses it."""
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self.mongodb)
        async with client:
            await client.drop_database(self.database)

    async def record(self, key: str) -> RoomRecord:
        return (await self.records())[key]

    async def listed(self) -> dict[str, LiveRoom]:
        """All live rooms by LiveKit name, whoever's."""
        return {room.name: room for room in await self.reader.rooms()}

    async def ours(self) -> dict[str, LiveRoom]:
        """The live rooms with this instance's mark."""
        return {name: room for name, room in (await self.listed()).items() if self._is_ours(room)}

    def _is_ours(self, room: LiveRoom) -> bool:
        mark = owner_mark(room.metadata)
        return mark is not None and mark.instance == self.instance

    async def people(self, key: str) -> list[Participant]:
        record = await self.record(key)
        return await self.reader.participants(_name(record))

    async def room_name(self, key: str) -> str:
        """The LiveKit name of the room."""
        return _name(await self.record(key))

    async def difference(self) -> str:
        """Why manifests, records and live rooms are not all the same; '' where they are."""
        records = await self.records()
        alive = {key: record for key, record in records.items() if not record.removed}
        wanted = {fields.get("key", key): fields for key, fields in self._manifests.items()}
        if alive.keys() != wanted.keys():
            return f"rooms {sorted(wanted)} have records {sorted(alive)}"
        live = await self.ours()
        names = {record.live.name for record in alive.values() if record.live is not None}
        if names != live.keys():
            return f"records name {sorted(names)} and LiveKit lists {sorted(live)}"
        wrong = (_wrong(record, wanted[key], live, self.owner) for key, record in sorted(alive.items()))
        return "; ".join(filter(None, wrong))

    async def converged(self, within: float = PATIENCE) -> dict[str, RoomRecord]:
        """Return when manifests, records and live rooms are all the same, and each status says so."""
        problem = "nothing was looked at"
        try:
            async with asyncio.timeout(within):
                while problem:
                    try:
                        problem = await self.difference()
                    except (LiveKitError, StoreError) as error:
                        problem = str(error)
                    await asyncio.sleep(LOOK_EVERY if problem else 0)
        except TimeoutError:
            raise AssertionError(f"not converged within {within} s: {problem}\n{self.tail()}") from None
        return await self.records()

    def tail(self) -> str:
        """The ends of the last two logs, for a failure's message."""
        logs = sorted(self.folder.glob("*.log"), key=lambda log: log.stat().st_mtime)
        return "\n".join(f"{log.name}:\n{log.read_text()[-2500:]}" for log in logs[-2:])

    async def plan(self) -> Plan:
        """What `roomctl plan` would say now."""
        made, _ = await make_plan(load_settings({}, self.env, SettingGroup.ALL))
        return made

    async def until_condition(
        self, key: str, kind: str, status: str | None, within: float = PATIENCE, **wanted: str
    ) -> None:
        """Return when the condition has that status and `reason`; None: when it is not listed."""

        async def holds() -> bool:
            try:
                condition = (await self.record(key)).status.condition(kind)
            except (StoreError, KeyError):
                return False
            if condition is None or status is None:
                return condition is None and status is None
            return condition.status == status and condition.reason == wanted.get("reason", condition.reason)

        await until(holds, within)

    async def until_record(
        self, key: str, holds: Callable[[RoomRecord], bool], within: float = PATIENCE
    ) -> RoomRecord:
        """The record, once it holds of it."""

        matches: list[RoomRecord] = []

        async def so() -> bool:
            with suppress(StoreError):
                matches[:] = [record for name, record in (await self.records()).items() if name == key]
            return bool(matches) and holds(matches[0])

        await until(so, within)
        return matches[0]

    async def until_live(
        self, holds: Callable[[dict[str, LiveRoom]], bool], within: float = PATIENCE
    ) -> None:
        """Return when it holds of all live rooms."""

        async def seen() -> bool:
            with suppress(LiveKitError):
                return holds(await self.listed())
            return False

        await until(seen, within)

    # -- guests -----------------------------------------------------------------------------------------

    async def get(self, path: str) -> Reply:
        """A GET of the private listener."""
        async with self._http.get(f"http://127.0.0.1:{self.private}{path}") as answer:
            return Reply(answer.status, json.loads(await answer.text()))

    async def until_leader(self, wanted: bool, within: float = PATIENCE) -> None:
        """Return when /readyz says that this site's controller leads, or that it does not."""

        async def so() -> bool:
            return (await self.get("/readyz")).body["leader"] is wanted

        await until(so, within)

    async def another_pass(self) -> None:
        """Return when a pass has ended well that began after now; one that stands by passes too."""
        await self._more_passes("ok")

    async def tried_again(self) -> None:
        """Return when two more passes have come to nothing."""
        await self._more_passes("failed")

    async def _more_passes(self, outcome: str) -> None:
        target = await self._passes(outcome) + 2

        async def passed() -> bool:
            return await self._passes(outcome) >= target

        await until(passed)

    async def metrics(self) -> str:
        """What /metrics says now."""
        async with self._http.get(f"http://127.0.0.1:{self.private}/metrics") as answer:
            return await answer.text()

    async def _passes(self, outcome: str) -> float:
        line = rf'^roomctl_passes_total\{{outcome="{outcome}"\}} (\S+)$'
        match = re.search(line, await self.metrics(), re.MULTILINE)
        return float(match[1]) if match else 0.0

    async def find(self, room_id: str) -> Reply:
        return await self.call("findLKRoomNameById", {"id": room_id})

    async def until_found(self, room_id: str, status: int = 200) -> None:
        """Return when the helper answers so: what another process did shows a little later."""

        async def so() -> bool:
            return (await self.find(room_id)).status == status

        await until(so)

    async def token(
        self, room_id: str, identity: str, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> str:
        """Both helpers, as a join page calls them: a participant token."""
        reply = await self.ask_token(room_id, identity, headers, **fields)
        assert reply.status == 200, reply
        return str(reply.body["participant_token"])

    async def ask_token(
        self, room_id: str, identity: str, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Reply:
        """The answer of createToken; `fields` are further ones of its body."""
        answer = await self.find(room_id)
        assert answer.status == 200, answer
        body = {"room_id": room_id, "LKRoomName": answer.body["LKRoomName"], "participant_id": identity}
        return await self.call("createToken", body | fields, headers)

    async def call(
        self, helper: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Reply:
        url = f"http://127.0.0.1:{self.public}/api/conferences-public/{helper}"
        async with self._http.post(url, json=body, headers=headers) as answer:
            return Reply(answer.status, json.loads(await answer.text()))

    async def pass_key(self, key: str, identity: str = "canary") -> str:
        """A token for the room of `key`, past the controller: for canaries while it is away."""
        return token(self.livekit, await self.room_name(key), identity)


def _name(record: RoomRecord) -> str:
    assert record.live is not None, f"{record.key} has no live room"
    return record.live.name


def _wrong(record: RoomRecord, fields: Mapping[str, Any], live: Mapping[str, LiveRoom], owner: Owner) -> str:
    """What is not yet as the manifest wants it."""
    spec = record.spec.as_dict()
    differ = [field for field, value in fields.items() if field in spec and spec[field] != value]
    if differ:
        return f"{record.key}: the record differs in {differ}"
    ready = record.status.condition("Ready")
    if ready is None or ready.status != "True" or record.status.observed_generation != record.generation:
        return f"{record.key}: its status is {record.status} at generation {record.generation}"
    if record.live is None:
        is_missing = record.spec.active and not record.spec.is_on_demand
        return f"{record.key}: it is active and has no name" if is_missing else ""
    return _wrong_live(record, live[record.live.name], owner)


def _wrong_live(record: RoomRecord, room: LiveRoom, owner: Owner) -> str:
    content, mark = json.loads(room.metadata), owner_mark(room.metadata)
    stale = [field for field, value in record.spec.as_dict().items() if content.get(field, value) != value]
    if stale or mark is None or mark.room not in owner.room_marks(record.id):
        return f"{record.key}: metadata differ in {stale or 'the mark'}"
    if room.sid != record.sid:
        return f"{record.key}: sid {record.sid} on record, {room.sid} live"
    if room.max_participants != record.spec.max_participants:
        return f"{record.key}: live for {room.max_participants}"
    return ""
