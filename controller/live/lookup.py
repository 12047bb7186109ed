"""LiveKit for a verb that only reads: its JSON API, over plain HTTP.

LiveKit's own client takes longer to load than such a verb may take in all. A test compares what both read.
"""

import asyncio
import json
import socket
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from controller.errors import LiveKitAuthError, LiveKitNotFoundError, LiveKitUnavailableError
from controller.live.room import SOURCES, LiveRoom, Participant, Permission, Track

MAX_CONCURRENT_CALLS: Final = 8
_NOTHING: Final[Mapping[str, str]] = {}
_DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_FOREIGN: Final = (OSError, HTTPException, ValueError, TypeError, KeyError, AttributeError)
"""What no answer, or an answer that is not LiveKit's, leads to."""

T = TypeVar("T")

Sign = Callable[[Mapping[str, Any]], str]
"""Makes the access token that has these grants and no others."""


class LiveKitLookup(AbstractAsyncContextManager["LiveKitLookup"]):
    """RoomReader, until it is closed; `url` is http(s). A call takes at most `deadline` seconds.

    Opening it does not connect: an unavailable server fails the first call.
    """

    def __init__(self, url: str, sign: Sign, deadline: float) -> None:
        self._url, self._sign, self._deadline = urlsplit(url), sign, deadline
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_CALLS)
        self._connections: list[HTTPConnection] = []
        self._idle: deque[HTTPConnection] = deque()

    async def rooms(self) -> list[LiveRoom]:
        return await self._list("ListRooms", "rooms", _room, grants={"roomList": True})

    async def participants(self, name: str, within: float | None = None) -> list[Participant]:
        room = {"room": name}
        try:
            listed = await self._list(
                "ListParticipants", "participants", _participant,
                body=room, grants={"roomAdmin": True, **room}, within=within,
            )  # fmt: skip
        except LiveKitNotFoundError:
            return []
        return [each for each in listed if each is not None]

    async def _list(
        self,
        call: str,
        field: str,
        read: Callable[[Mapping[str, Any]], T],
        *,
        grants: Mapping[str, Any],
        body: Mapping[str, str] = _NOTHING,
        within: float | None = None,
    ) -> list[T]:
        """What `read` makes of each item of the answer. Raises LiveKitError's kinds and nothing else."""
        loop, token, where = asyncio.get_running_loop(), self._sign(grants), self._url.hostname
        try:
            async with asyncio.timeout(within or self._deadline):
                status, text = await loop.run_in_executor(self._threads, self._post, call, body, token)
            answer = json.loads(text) if status not in _DENIED else {}
            if status == HTTPStatus.OK:
                return [read(item) for item in answer.get(field) or ()]
            is_unknown = answer.get("code") == "not_found"
        except _FOREIGN:
            raise LiveKitUnavailableError(f"LiveKit at {where} gave no answer ({call})") from None
        if status in _DENIED:
            raise LiveKitAuthError(f"LiveKit at {where} rejected the API key ({call}, {status})")
        if is_unknown:
            raise LiveKitNotFoundError(f"not found in LiveKit at {where} ({call})")
        raise LiveKitUnavailableError(f"LiveKit at {where} gave no answer ({call}, {status})")

    def _post(self, call: str, body: Mapping[str, str], token: str) -> tuple[int, bytes]:
        connection = self._connection()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        path = f"{self._url.path}/twirp/livekit.RoomService/{call}"
        try:
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read()
        except BaseException:
            connection.close()  # the next call opens it again
            raise
        finally:
            self._idle.append(connection)

    def _connection(self) -> HTTPConnection:
        """One that no other thread uses now."""
        with suppress(IndexError):
            return self._idle.pop()
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        made = kind(self._url.hostname or "", self._url.port, timeout=self._deadline)
        self._connections.append(made)
        return made

    async def __aexit__(self, *_: object) -> None:
        """Ends what is under way: a thread that waits for an answer would keep the process from ending."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for connection in self._connections:
            with suppress(OSError):
                if connection.sock is not None:
                    connection.sock.shutdown(socket.SHUT_RDWR)
                connection.close()


def _room(info: Mapping[str, Any]) -> LiveRoom:
    """As `wire.read_room` reads it: protobuf's JSON has int64 as text, and null for what is not set."""
    return LiveRoom(
        name=info["name"],
        sid=info["sid"],
        metadata=info.get("metadata", ""),
        max_participants=info.get("max_participants", 0),
        empty_timeout=info.get("empty_timeout", 0),
        departure_timeout=info.get("departure_timeout", 0),
        num_participants=info.get("num_participants", 0),
        created_at=int(info.get("creation_time_ms", 0)) or int(info.get("creation_time", 0)) * 1000,
        active_recording=info.get("active_recording", False),
    )


def _participant(info: Mapping[str, Any]) -> Participant | None:
    """As `wire.read_participant` reads it; None for who has just left."""
    if info.get("state") == "DISCONNECTED":
        return None
    permission = info.get("permission") or {}
    return Participant(
        identity=info["identity"],
        sid=info.get("sid", ""),
        name=info.get("name", ""),
        kind="AGENT" if permission.get("agent") else str(info.get("kind", "STANDARD")),
        permission=_permission(permission),
        recorder=permission.get("recorder", False),
        attributes=info.get("attributes") or {},
        tracks=tuple(Track(str(track["type"]), str(track["source"])) for track in info.get("tracks") or ()),
        joined_at=int(info.get("joined_at_ms", 0)) or int(info.get("joined_at", 0)) * 1000,
    )


def _permission(info: Mapping[str, Any]) -> Permission:
    given = info.get("can_publish_sources") or ()
    return Permission(
        can_subscribe=info.get("can_subscribe", False),
        can_publish=info.get("can_publish", False),
        can_publish_data=info.get("can_publish_data", False),
        sources=tuple(source for source in SOURCES if source in given),
        hidden=info.get("hidden", False),
        can_update_metadata=info.get("can_update_metadata", False),
    )
