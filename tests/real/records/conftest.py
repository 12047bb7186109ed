"""The databases that the record tests run against, each with a store to open on it as often as one likes."""

import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from controller.errors import StoreUnavailableError
from controller.records.mongo_client import close, connect
from controller.records.ports import RoomStore, StoreAccess
from controller.records.store import MongoStore
from tests.support.embedded import secantus
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.ferret import ferret

NewStore: TypeAlias = Callable[[], RoomStore]

REAL = ["secantus", "ferret", *(["mongodb"] if os.environ.get("MONGODB_URI") else [])]


@pytest.fixture(scope="session")
async def secantus_uri(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with secantus(tmp_path_factory.mktemp("secantus")) as server:
        yield server.uri


@pytest.fixture(scope="session")
async def ferret_uri(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with ferret(tmp_path_factory.mktemp("ferret")) as server:
        yield server.uri


def uri_of(request: pytest.FixtureRequest) -> str:
    """The address of the server a test is parametrized with; started when it is first asked for."""
    if request.param == "mongodb":
        return os.environ["MONGODB_URI"]
    return str(request.getfixturevalue(f"{request.param}_uri"))


@pytest.fixture(params=REAL)
def uri(request: pytest.FixtureRequest) -> str:
    """Each real database in turn."""
    return uri_of(request)


@pytest.fixture(params=[name for name in REAL if name != "ferret"])
def atomic_uri(request: pytest.FixtureRequest) -> str:
    """Each database whose updates are atomic: FerretDB's of one document may both match (seen in tests)."""
    return uri_of(request)


@pytest.fixture(params=["fake", *REAL])
def any_uri(request: pytest.FixtureRequest) -> str:
    """Each real database in turn, and '' for the fake."""
    return "" if request.param == "fake" else uri_of(request)


async def reached(store: RoomStore) -> bool:
    """Whether the server answers."""
    try:
        await store.refresh()
    except StoreUnavailableError:
        return False
    return True


class Database:
    """A database of one test's own: `store()` opens another store on it, `uri` and `name` say where it is."""

    def __init__(self, uri: str, stack: AsyncExitStack) -> None:
        self.uri, self.name = uri, f"test_{secrets.token_hex(6)}"
        self._stack = stack
        self.client = self.connect()
        if uri == os.environ.get("MONGODB_URI"):  # the others' folders go as a whole
            stack.push_async_callback(self.client.drop_database, self.name)

    def connect(self, **options: object):  # type: ignore[no-untyped-def]  # noqa: ANN201 -- pymongo's own
        client = connect(self.uri, **options)
        self._stack.push_async_callback(close, client)
        return client

    def store(
        self,
        *,
        uri: str = "",
        read_only: bool = False,
        instance: str = "default",
        data_dir: Path = Path(),
    ) -> MongoStore:
        access = StoreAccess(uri or self.uri, self.name, data_dir, instance, "print", read_only=read_only)
        client = connect(access.uri)
        self._stack.push_async_callback(close, client)
        return MongoStore(client, access)


@pytest.fixture
async def database(uri: str) -> AsyncIterator[Database]:
    """A fresh database on each real server."""
    async with AsyncExitStack() as stack:
        yield Database(uri, stack)


@pytest.fixture
async def atomic(atomic_uri: str) -> AsyncIterator[Database]:
    """A fresh database on each server with atomic updates."""
    async with AsyncExitStack() as stack:
        yield Database(atomic_uri, stack)


@pytest.fixture
async def on_secantus(secantus_uri: str) -> AsyncIterator[Database]:
    """A fresh database on SecantusDB, for what is the same everywhere."""
    async with AsyncExitStack() as stack:
        yield Database(secantus_uri, stack)


@pytest.fixture
async def new_store(any_uri: str) -> AsyncIterator[NewStore]:
    """Opens stores on one fresh database: the fake and each real one in turn."""
    if not any_uri:
        shared = FakeDatabase()
        yield lambda: FakeStore(shared)
        return
    async with AsyncExitStack() as stack:
        yield Database(any_uri, stack).store


@pytest.fixture
async def store(new_store: NewStore) -> RoomStore:
    """A controller's store."""
    opened = new_store()
    await opened.refresh()
    return opened


@pytest.fixture
async def other(new_store: NewStore, store: RoomStore) -> RoomStore:
    """A second controller's store on the same records, opened when the first is."""
    assert store.identity.store
    opened = new_store()
    await opened.refresh()
    return opened
