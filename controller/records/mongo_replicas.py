"""The documents of replicas in MongoDB, in `meta`."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from controller.records.mongo_client import Documents, translate_errors
from controller.records.replicas import FORGET_AFTER, Replica

_PREFIX: Final = "replica:"
_OURS: Final = {"$regex": "^" + re.escape(_PREFIX)}


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
    """None: another kind of document, or one that this release cannot read."""
    try:
        return Replica.model_validate({**document, "id": document["_id"].removeprefix(_PREFIX)})
    except ValidationError:
        return None
