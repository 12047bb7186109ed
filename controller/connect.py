"""Opens the records and LiveKit from the settings, for verbs that do not load the controller."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from controller.access import jwt
from controller.errors import StoreUnavailableError
from controller.records import open_store
from controller.records.ports import RoomStore, StoreAccess
from controller.room import Purpose, derive_key
from controller.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.live.client import LiveKitConnection
    from controller.live.lookup import LiveKitLookup

LOOKUP_TOKEN_SECONDS: Final = 600
"""Life of the tokens of a lookup: the clocks of two hosts may differ by minutes."""


def connection(
    settings: Settings,
    deadline: float | None = None,
    on_presence_change: "Callable[[str], None] | None" = None,
    on_unavailable: "Callable[[], None]" = lambda: None,
) -> "LiveKitConnection":
    """A session with the LiveKit of `settings`; `deadline` of a call in seconds, 5 by default."""
    # imported only if it is used: it takes longer than a verb that only reads may take in all
    from controller.live.client import LiveKitAccess, LiveKitConnection  # noqa: PLC0415

    access = LiveKitAccess(settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret)
    if deadline is not None:
        access = replace(access, deadline=deadline)
    return LiveKitConnection(access, on_presence_change=on_presence_change, on_unavailable=on_unavailable)


def lookup(settings: Settings, deadline: float) -> "LiveKitLookup | None":
    """The same for a verb that only reads; None if LiveKit's settings are missing."""
    url, key, secret = settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret
    if not (url and key and secret):
        return None
    from controller.live.lookup import LiveKitLookup  # noqa: PLC0415 - nor does each such verb need it

    def sign(grants: Mapping[str, Any]) -> str:
        claims = {"iss": key, "exp": int(time.time()) + LOOKUP_TOKEN_SECONDS, "video": grants}
        return jwt.sign(jwt.header("JWT"), json.dumps(claims), secret.encode())

    return LiveKitLookup(url, sign, deadline)


@asynccontextmanager
async def connect_store(settings: Settings, *, verb: str, read_only: bool) -> AsyncIterator[RoomStore]:
    """The records, read once: from MongoDB, or the embedded server, which is started if it does not run.

    If they cannot be read, the error says since when, as far as the controller on this machine knows.
    """
    async with open_store(store_access(settings, verb, read_only=read_only)) as store:
        try:
            await store.refresh()
        except StoreUnavailableError as error:
            from controller.outage import explain_outage  # noqa: PLC0415 - no verb needs it while all is well

            since = await asyncio.to_thread(explain_outage, settings.private_listen)
            raise StoreUnavailableError(f"{error}; {since}") from None
        yield store


def connect_store_for_watch(settings: Settings, *, verb: str) -> AbstractAsyncContextManager[RoomStore]:
    """The records for a long watch: only a controller starts the embedded server."""
    return open_store(store_access(settings, verb, read_only=True, starts=False))


def store_access(
    settings: Settings, verb: str, *, read_only: bool = False, starts: bool = True
) -> StoreAccess:
    """Where the records of `settings` are, and how `verb` opens them."""
    uri, database, data_dir = settings.mongodb_uri, settings.mongodb_database, settings.data_dir
    secret = settings.secret
    fingerprint = derive_key(secret, Purpose.FINGERPRINT).hex()[:16] if secret else ""
    return StoreAccess(uri, database, data_dir, settings.instance, fingerprint, verb, read_only, starts)
