"""The records of an embedded store that does not run: unavailable until a controller starts it, or empty."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pymongo import AsyncMongoClient

from controller.errors import StoreUnavailableError
from controller.records.embedded import served_uri
from controller.records.mongo_client import address
from controller.records.ports import StoreAccess
from controller.records.store import MongoStore


class OfflineStore(MongoStore):
    """RoomStore for reading. It makes no folder, starts no server, and finds a `run` that starts later."""

    def __init__(
        self, connect: Callable[[str], AsyncMongoClient[dict[str, Any]]], access: StoreAccess
    ) -> None:
        nowhere: Any = NoServer()
        super().__init__(nowhere, replace(access, embedded=True))
        self._connect = connect
        self._uri = ""

    async def refresh(self) -> bool:
        uri = served_uri(self.access.data_dir)
        if uri is not None and uri != self._uri:
            self._use(self._connect(uri), address(uri))
            self._uri = uri
        if not self._uri and (self.access.data_dir / "store").is_dir():
            raise StoreUnavailableError(
                f"the embedded store in {self.access.data_dir} is not running; it starts with `roomctl run`"
            )
        return await super().refresh()


class NoServer:
    """Stands in for pymongo's client and database if there is no server: nothing is stored."""

    def get_database(self, *_: object, **__: object) -> "NoServer":
        return self

    get_collection = find = sort = limit = get_database

    async def to_list(self, _limit: int | None = None) -> list[Any]:
        return []
