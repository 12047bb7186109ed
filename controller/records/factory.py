"""The entry point for the composition root: the store and the lease as contexts, from plain values."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from controller.errors import StoreRefusedError
from controller.records.data_dir import own_id
from controller.records.embedded import embedded_server
from controller.records.lease import Candidate, MongoLease
from controller.records.mongo_client import address, close, connect
from controller.records.offline_store import OfflineStore
from controller.records.ports import RoomStore
from controller.records.record_cache import RecordCache
from controller.records.store import MongoStore


@asynccontextmanager
async def open_store(
    uri: str,
    database: str,
    data_dir: Path,
    instance: str,
    fingerprint: str = "",
    *,
    read_only: bool = False,
    starts: bool = True,
    verb: str = "run",
    cache: RecordCache | None = None,
) -> AsyncIterator[RoomStore]:
    """The records at `uri`, or with '' on the embedded server in `data_dir`; `refresh` connects.

    `fingerprint` is of ROOMCTL_SECRET, '' where the verb does not know it. `read_only` changes nothing, and
    does not make `data_dir`. `starts` False starts no embedded server: it is found once a `run` has it, and
    until then `refresh` raises StoreUnavailableError. Raises StoreRefusedError, and for the embedded server
    StoreLockedError, StoreUnavailableError and SettingsError; a server out of reach is no error before the
    first `refresh`.
    """
    async with AsyncExitStack() as stack:

        def store_at(where: str) -> MongoStore:
            client = connect(where)
            stack.push_async_callback(close, client)
            return MongoStore(
                client, database, address(where), instance, fingerprint, read_only=read_only, cache=cache
            )

        if not uri and read_only and not (starts and (data_dir / "store").is_dir()):
            yield OfflineStore(data_dir, store_at, instance)
            return
        if not uri:
            uri = await stack.enter_async_context(embedded_server(data_dir.absolute(), verb))  # noqa: ASYNC240
        store = store_at(uri)
        stack.push_async_callback(store.drain)
        yield store


@asynccontextmanager
async def open_lease(
    store: RoomStore,
    data_dir: Path,
    verb: str,
    on_change: Callable[[bool], None] | None = None,
    may_lead: Callable[[], bool] = lambda: True,
) -> AsyncIterator[MongoLease]:
    """The lease on the records in `store`, not yet acquired; it is given back at the end."""
    if not isinstance(store, MongoStore):
        raise StoreRefusedError("the records were opened for reading only: there is no lease to be had")
    with own_id(data_dir.absolute()) as folder_id:  # noqa: ASYNC240 -- no I/O
        me = Candidate.here(folder_id, verb)
        lease = MongoLease(store.meta, store.where, me, on_change=on_change, may_lead=may_lead)
        try:
            yield lease
        finally:
            await lease.release()
