"""Makes the dump of a database that this release wrote: `python -m tests.real.upgrade.make_dump 0.1.0`.

A real controller, LiveKit and egress worker bring rooms into every state: live, stopped, recorded, removed,
made over the API, under an old key, with revoked invites. Then the controller is killed and the records stay.
"""

import asyncio
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import aiohttp
from bson import json_util

from tests.real.recordings.harness import RecordingSite, recording_site
from tests.real.upgrade.documents import DUMPS, Documents
from tests.support.embedded import secantus

TOKEN = "anna-token"
MANIFESTS: dict[str, dict[str, object]] = {
    "team": {"preset": "standard-team", "max_participants": 30},
    "webinar": {"preset": "guest-webinar"},
    "audio": {"preset": "audio-briefing"},
    "events/keynote": {"id": "69f013c1aa11bb22cc33dd44", "allow_webinar_mode": True, "user_id": "events"},
    "recorded": {"preset": "recorded-speaker"},
    "paused": {},
    "gone": {},
    "old-name": {"key": "stable-key"},
}


async def make(release: str) -> Path:
    """The file of the dump."""
    folder = Path(tempfile.mkdtemp())
    tokens = folder / "tokens.yaml"
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    tokens.write_text(json.dumps([{"token_sha256": digest, "user_id": "anna", "admin": False}]))
    async with (
        secantus(folder / "database") as server,
        recording_site(folder / "site", server.uri, ROOMCTL_ACCESS_TOKENS_FILE=str(tokens)) as site,
    ):
        site.secret, site.instance = "the-secret-of-the-kept-dump", "kept"
        for key, fields in MANIFESTS.items():
            site.write(key, **fields)
        async with site.run() as controller:
            await site.converged()
            await _call_the_api(f"http://127.0.0.1:{site.private}/api/conferences")
            await _change_manifests(site)
            async with site.person("recorded"):
                await site.recorded("recorded")
                await controller.kill()
                return await _dump(site, DUMPS / f"{release}.json")


async def _call_the_api(api: str) -> None:
    async with aiohttp.ClientSession(headers={"x-access-token": TOKEN}) as http:

        async def call(verb: str, **body: object) -> dict[str, str]:
            async with http.post(f"{api}/{verb}", json=body) as answer:
                answered: dict[str, str] = await answer.json()
                return answered

        stage = await call("create", name="Main stage", max_participants=50, allow_chat=True)
        await call("update", id=stage["id"], allow_share_screen=True)
        stopped = await call("create", name="Off air", max_participants=5)
        await call("stop", id=stopped["id"])
        removed = await call("create", name="Removed", max_participants=5)
        async with http.delete(f"{api}/remove", params={"id": removed["id"]}) as answer:
            answer.raise_for_status()


async def _change_manifests(site: RecordingSite) -> None:
    site.edit("paused", active=False)
    site.edit("audio", allow_chat=False)
    site.remove("gone")
    await site.until_record("gone", lambda record: record.removed and record.live is None)
    await site.until_record("paused", lambda record: record.live is None)
    await site.verb("revoke", "webinar")


async def _dump(site: RecordingSite, file: Path) -> Path:
    async with Documents.of_site(site) as documents:
        names = await documents.database.list_collection_names()
        collections = {name: await documents.database[name].find().to_list() for name in names}
    content = {
        "collections": collections,
        "manifests": {key: fields for key, fields in MANIFESTS.items() if key != "gone"},
        "secret": site.secret,
        "instance": site.instance,
    }
    options = json_util.CANONICAL_JSON_OPTIONS
    await asyncio.to_thread(file.write_text, json_util.dumps(content, json_options=options, indent=1))
    return file


if __name__ == "__main__":
    asyncio.run(make(sys.argv[1]))
