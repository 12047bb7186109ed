"""The collection `rooms` of a site, past the store: as a person's tool or another release writes it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

from bson import json_util
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from tests.support.controller import ROOT, Controller, Site

DUMPS: Final = Path(__file__).parent / "dumps"
FIRST_RELEASE: Final = "f47bbd0ce11534e509655f949d512266d1a9fc8d"
"""The commit whose controller wrote the first dump."""
BEFORE_ACCESS_RULES: Final = "57d86ad5a8127a90286ae57ec61882034e60b45a"
"""The last commit that acts on records of schema 1 alone: it knows neither `join: invite` nor kicks."""


class Documents:
    """Reads and changes documents of `rooms`, and raises the number that tells controllers of a change."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self.database, self.rooms = database, database["rooms"]

    @classmethod
    @asynccontextmanager
    async def of_site(cls, site: Site) -> AsyncIterator[Self]:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            site.mongodb, tz_aware=True, serverMonitoringMode="poll"
        )
        async with client:
            yield cls(client[site.database])

    async def get(self, key: str) -> dict[str, Any]:
        document = await self.rooms.find_one({"key": key})
        assert document is not None
        return document

    async def update(self, room_id: str, update: Mapping[str, Any]) -> None:
        await self.rooms.update_one({"_id": room_id}, update)
        await self.database["meta"].update_one({"_id": "changes"}, {"$inc": {"n": 1}}, upsert=True)


class Dump:
    """A database as a release left it, with the manifests and the secret that it was made with."""

    def __init__(self, name: str) -> None:
        text = (DUMPS / name).read_text()
        content = json_util.loads(text, json_options=json_util.JSONOptions(tz_aware=True))
        self.collections: dict[str, list[dict[str, Any]]] = content["collections"]
        self.manifests: dict[str, dict[str, Any]] = content["manifests"]
        self.secret: str = content["secret"]
        self.instance: str = content["instance"]

    @property
    def rooms(self) -> dict[str, dict[str, Any]]:
        """The documents of `rooms` by key."""
        return {document["key"]: document for document in self.collections["rooms"]}

    async def load(self, site: Site) -> None:
        """Make the site's database, manifests and settings what they were."""
        site.secret, site.instance = self.secret, self.instance
        for key, fields in self.manifests.items():
            site.write(key, **fields)
        async with Documents.of_site(site) as documents:
            for name, rows in self.collections.items():
                await documents.database[name].insert_many(rows)


@asynccontextmanager
async def running(site: Site, code: Path) -> AsyncIterator[Controller]:
    """`roomctl run` of the checkout `code` on the site, once it is ready."""
    log = site.folder / f"run-{code.name}-{len(list(site.folder.glob('run-*')))}.log"
    with log.open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controller", "run"), cwd=code, env=site.env, stderr=err
        )
    controller = Controller(site, process.pid, process.wait(), log)
    try:
        await controller.ready()
        yield controller
    finally:
        await controller.kill()


def earlier_release(folder: Path, commit: str = FIRST_RELEASE) -> Path:
    """A checkout of an earlier release, made from the repository's history."""
    target = folder / f"release-{commit[:7]}"
    target.mkdir()
    archive = subprocess.run(
        ["git", "archive", commit, "controller"], cwd=ROOT, capture_output=True, check=False
    )
    assert archive.returncode == 0, f"needs the whole history (git fetch --unshallow): {archive.stderr!r}"
    subprocess.run(["tar", "-x", "-C", target], input=archive.stdout, check=True)
    return target


async def verb_of(site: Site, code: Path, *words: str) -> str:
    """What `roomctl WORDS` of the checkout `code` prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller", *words), cwd=code, env=site.env, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


def as_json(text: str) -> dict[str, dict[str, Any]]:
    """What `get -o json` printed, by key."""
    return {room["key"]: room for room in json.loads(text)}
