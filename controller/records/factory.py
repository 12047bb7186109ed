"""The entry point for the composition root: the store and the lease as contexts, from plain values."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from pymongo import AsyncMongoClient

from controller.errors import StoreRefusedError
from controller.records.data_dir import own_id
from controller.records.embedded import embedded_server
from controller.records.lease import Candidate, MongoLease
from controller.records.mongo_client import close, connect
from controller.records.offline_store import OfflineStore
from controller.records.ports import RoomStore, StoreAccess
from controller.records.record_cache import RecordCache
from controller.records.store import MongoStore


@asynccontextmanager
async def open_store(access: StoreAccess, cache: RecordCache | None = None) -> AsyncIterator[RoomStore]:
    """The records, kept in `cache`; `refresh` connects.

    Raises StoreRefusedError, and for the embedded server StoreLockedError, StoreUnavailableError and
    SettingsError; an unreachable server is an error only at the first `refresh`.
    """
    async with AsyncExitStack() as stack:

        def client(uri: str) -> AsyncMongoClient[dict[str, Any]]:
            opened = connect(uri)
            stack.push_async_callback(close, opened)
            return opened

        if not access.uri:
            starts = access.starts and (access.data_dir / "store").is_dir()
            if access.read_only and not starts:
                yield OfflineStore(client, access)
                return
            server = embedded_server(access.data_dir.absolute(), access.verb)
            access = replace(access, uri=await stack.enter_async_context(server), embedded=True)
        store = MongoStore(client(access.uri), access, cache=cache)
        stack.push_async_callback(store.drain)
        yield store


@asynccontextmanager
async def open_lease(
    store: RoomStore,
    on_change: Callable[[bool], None] = lambda _: None,
    may_lead: Callable[[], bool] = lambda: True,
) -> AsyncIterator[MongoLease]:
    """The lease on the records in `store`, not yet acquired; it is released at the end."""
    if not isinstance(store, MongoStore) or store.access.read_only:
        raise StoreRefusedError("the records were opened for reading only, so there is no lease")
    with own_id(store.access.data_dir.absolute()) as folder_id:
        me = Candidate.here(folder_id, store.access.verb)
        lease = MongoLease(store.meta, store.where, me, on_change=on_change, may_lead=may_lead)
        try:
            yield lease
        finally:
            await lease.release()
