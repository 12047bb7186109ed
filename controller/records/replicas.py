"""What each `roomctl run` on a database says of itself, in `meta`: who could lead, and what it sees.

Ages are seconds by the writer's own clock, counted when it wrote: the clocks of two hosts may differ.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from controller.git import Commit
from controller.records.mongo_client import Documents, translate_errors

FORGET_AFTER: Final = timedelta(hours=1)
"""A replica that has written nothing for so long was killed, and its document is dropped."""
_PREFIX: Final = "replica:"
_OURS: Final = {"$regex": "^" + re.escape(_PREFIX)}


class Replica(BaseModel):
    """One replica. What a newer release adds is ignored, what an older one lacks has its default.

    `number` is raised by each write. `revision` is of the manifests as it read them last ('': not yet).
    `rooms_dir` is ok, empty, missing or unreadable; `rooms_dir_problem` says why it cannot be read.
    `livekit_age_s` and `webhook_age_s` count from the last good ListRooms and the last verified webhook
    (None: none so far). `clock_ahead_s`: how far its clock is ahead of LiveKit's, None where unknown.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    host: str
    pid: int
    verb: str = "run"
    release: str = ""
    started: datetime
    written: datetime
    number: int = 0
    revision: str = ""
    commit: Commit | None = None
    rooms_dir: str = "ok"
    rooms_dir_problem: str = ""
    livekit_age_s: float | None = None
    livekit_error: str = ""
    clock_ahead_s: float | None = None
    webhook_age_s: float | None = None

    def __str__(self) -> str:
        return f"`roomctl {self.verb}`, pid {self.pid} on {self.host}"


class MongoReplicas:
    """Replicas on MongoDB; the port says what each call does."""

    def __init__(self, meta: Documents, where: str) -> None:
        self._meta, self._where = meta, where

    async def put(self, replica: Replica) -> None:
        document = replica.model_dump(exclude={"id"})
        with translate_errors(self._where):
            await self._meta.replace_one({"_id": _PREFIX + replica.id}, document, upsert=True)

    async def remove(self, replica_id: str) -> None:
        with translate_errors(self._where):
            await self._meta.delete_one({"_id": _PREFIX + replica_id})

    async def all(self) -> list[Replica]:
        with translate_errors(self._where):
            documents = await self._meta.find({"_id": _OURS}).to_list()
        replicas = (_read(document) for document in documents)
        return sorted(filter(None, replicas), key=lambda replica: (replica.started, replica.id))

    async def forget_old(self, now: datetime) -> None:
        with translate_errors(self._where):
            await self._meta.delete_many({"_id": _OURS, "written": {"$lt": now - FORGET_AFTER}})


def _read(document: Mapping[str, Any]) -> Replica | None:
    """None: somebody else's document, or one that this release cannot read."""
    try:
        return Replica.model_validate({**document, "id": document["_id"].removeprefix(_PREFIX)})
    except ValidationError:
        return None
