"""A full listener: whose connection is closed for a newcomer, and who is refused."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.settings_parsers import Address
from controller.sidecar.http import protocol
from controller.sidecar.http.open_connections import OpenConnections
from tests.unit.sidecar.harness import FIND, ROOM_ID, ROOM_NAME, TOKEN, Reply, ask, reply, serving

ONE, OTHER, THIRD = "127.0.0.2", "127.0.0.3", "127.0.0.4"
"""Clients. All of 127.0.0.0/8 is this machine."""

GOOD = json.dumps({"id": ROOM_ID}).encode()
FIND_HEAD = f"POST {FIND} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(GOOD)}\r\n".encode()
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True)
class Client:
    """One connection. Each method returns when the server has seen what was sent."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self) -> Reply:
        """A whole request, on a connection that is kept."""
        self.writer.write(FIND_HEAD + b"\r\n" + GOOD)
        return reply(await self.reader.readuntil(b"}"))

    async def begin(self) -> None:
        """A request without its body."""
        self.writer.write(FIND_HEAD + b"Expect: 100-continue\r\n\r\n")
        assert await self.reader.readexactly(len(CONTINUE)) == CONTINUE

    async def finish(self) -> Reply:
        """The body of the request."""
        self.writer.write(GOOD)
        return reply(await self.reader.readuntil(b"}"))

    async def rest(self) -> bytes:
        """What comes until the server closes the connection."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


@asynccontextmanager
async def client(address: Address, source: str = ONE) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(address.host, address.port, local_addr=(source, 0))
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


@pytest.mark.asyncio(loop_scope="module")
class TestListener:
    async def test_1024_silent_connections_of_one_address_keep_nobody_else_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(protocol, "READ_SECONDS", 3600.0)
        async with serving() as harness, AsyncExitStack() as stack, asyncio.timeout(60):
            address = harness.sidecar.public
            silent = [await stack.enter_async_context(client(address)) for _ in range(1024)]
            for source in (OTHER, THIRD):
                guest = await stack.enter_async_context(client(address, source))
                assert (await guest.ask()).status == 200
            assert [await each.rest() for each in silent[:2]] == [b"", b""]
            assert b'connections_closed_total{listener="public"} 2.0' in harness.metrics.text()
            assert (await silent[2].ask()).status == 200, "the others are open"

    async def test_longest_idle_of_the_address_that_holds_most_is_closed(self) -> None:
        async with serving(max_connections=4) as harness, AsyncExitStack() as stack, asyncio.timeout(20):
            address = harness.sidecar.public
            alone = await stack.enter_async_context(client(address, OTHER))
            used, idle, asking = [await stack.enter_async_context(client(address)) for _ in range(3)]
            await asking.begin()
            await used.ask()
            await (await stack.enter_async_context(client(address, THIRD))).ask()
            assert await idle.rest() == b""
            for each in (alone, used):
                assert (await each.ask()).status == 200
            assert (await asking.finish()).status == 200

    async def test_newcomer_of_the_address_that_holds_most_takes_the_place_of_its_own(self) -> None:
        async with serving(max_connections=2) as harness, AsyncExitStack() as stack, asyncio.timeout(20):
            address = harness.sidecar.public
            other = await stack.enter_async_context(client(address, OTHER))
            first, second = [await stack.enter_async_context(client(address)) for _ in range(2)]
            assert (await second.ask()).status == 200
            assert await first.rest() == b""
            assert (await other.ask()).status == 200

    async def test_address_whose_requests_fill_the_listener_gets_503_and_others_are_served(self) -> None:
        async with serving(max_connections=3) as harness, AsyncExitStack() as stack, asyncio.timeout(20):
            address = harness.sidecar.public
            asking = [await stack.enter_async_context(client(address)) for _ in range(3)]
            for each in asking:
                await each.begin()
            refused = reply(await (await stack.enter_async_context(client(address))).rest())
            assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "UNAVAILABLE", "1")
            assert b'connections_refused_total{listener="public"} 1.0' in harness.metrics.text()
            guest = await stack.enter_async_context(client(address, OTHER))
            assert (await guest.ask()).status == 200
            assert await asking[0].rest() == b"", "the one with the longest request"
            assert [(await each.finish()).status for each in asking[1:]] == [200, 200]
            assert (await ask(harness.sidecar.private, "GET", "/healthz")).status == 200

    async def test_request_that_is_being_answered_is_not_idle(self) -> None:
        async with serving(max_connections=2) as harness, AsyncExitStack() as stack, asyncio.timeout(20):
            harness.people.held = asyncio.Event()
            address = harness.sidecar.public
            joining, idle = [await stack.enter_async_context(client(address)) for _ in range(2)]
            body = json.dumps({"room_id": ROOM_ID, "LKRoomName": ROOM_NAME, "participant_id": "jane"})
            head = f"POST {TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            joining.writer.write((head + body).encode())
            await harness.people.asked.wait()
            await (await stack.enter_async_context(client(address))).ask()
            assert await idle.rest() == b""
            harness.people.held.set()
            assert reply(await joining.reader.readuntil(b"}")).status == 200

    async def test_connection_that_sends_nothing_is_closed_without_an_answer(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(protocol, "READ_SECONDS", 0.05)
        async with serving() as harness, AsyncExitStack() as stack, asyncio.timeout(20):
            used, silent = [await stack.enter_async_context(client(harness.sidecar.public)) for _ in "12"]
            await used.ask()
            assert await silent.rest() == b""
            assert (await used.ask()).status == 200, "this one may idle for longer"


@dataclass(frozen=True)
class Fake:
    network: str
    number: int
    unsent: bool = False


@dataclass
class Model:
    """The same in the plainest way: each connection with the time of its last change, and if it is busy."""

    now: int = 0
    changed: dict[Fake, tuple[int, bool]] = field(default_factory=dict)

    def change(self, fake: Fake, *, busy: bool) -> None:
        if self.changed.get(fake, (0, not busy))[1] != busy:
            self.now += 1
            self.changed[fake] = (self.now, busy)

    def holds(self, network: str) -> int:
        return sum(fake.network == network for fake in self.changed)

    def check(self, chosen: Fake | None, newcomer: str) -> None:
        most = max(map(self.holds, "abc"))
        payers = [fake for fake in self.changed if self.holds(fake.network) == most]
        if self.holds(newcomer) == most:
            payers = [fake for fake in payers if fake.network == newcomer]
        idle = [fake for fake in payers if not self.changed[fake][1] and not fake.unsent]
        if chosen is None:
            assert most <= self.holds(newcomer) + 1
            assert {fake.network for fake in payers} > {fake.network for fake in idle}
            return
        assert chosen in payers
        if chosen in idle:
            assert chosen == self.longest_idle([fake for fake in payers if fake.network == chosen.network])
        else:
            assert most > self.holds(newcomer) + 1
            assert not [fake for fake in idle if fake.network == chosen.network]

    def longest_idle(self, fakes: Iterable[Fake]) -> Fake | None:
        """The one that became idle first."""
        idle = [fake for fake in fakes if not self.changed[fake][1] and not fake.unsent]
        return min(idle, key=lambda fake: self.changed[fake][0], default=None)


FAKES = st.builds(Fake, st.sampled_from("abc"), st.integers(0, 4), st.booleans())
STEPS = st.lists(st.tuples(st.sampled_from(["busy", "idle", "gone"]), FAKES), max_size=40)


@given(st.sets(FAKES, min_size=1), STEPS, st.sampled_from("abc"))
def test_chosen_one_is_of_a_network_that_holds_most_and_longest_idle(
    first: set[Fake], steps: list[tuple[str, Fake]], newcomer: str
) -> None:
    opened, model = OpenConnections[Fake](), Model()
    for fake in first:
        opened.add(fake)
        model.change(fake, busy=False)
    for step, fake in steps:
        if step == "gone":
            opened.discard(fake)
            model.changed.pop(fake, None)
        elif step == "busy":
            opened.mark_busy(fake)
        else:
            opened.mark_idle(fake)
        if fake in model.changed and step != "gone":
            model.change(fake, busy=step == "busy")
        assert (len(opened), set(opened)) == (len(model.changed), set(model.changed))
    if model.changed:
        model.check(opened.to_close_for(newcomer), newcomer)


def test_without_connections_there_is_none_to_close() -> None:
    assert OpenConnections[Fake]().to_close_for("a") is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_ipv6_client_is_counted_by_its_network(address: str, network: str) -> None:
    assert protocol.counted(address) == network
