"""Where recordings go: files and S3, names that never collide, and credentials that nobody gets to see."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from pymongo import AsyncMongoClient

from controller.live.egress import Egress
from tests.real.recordings.harness import IDLE, RecordingSite
from tests.support.api import api_of
from tests.support.controller import Controller
from tests.support.egress import RecordingStack
from tests.support.embedded import Server
from tests.support.ports import free_ports

KEY: Final = "AKIA-of-the-store"
SECRET: Final = "the-secret-of-the-store/+x"
WRONG: Final = "a-secret-that-the-store-does-not-take"
S3: Final = "s3://a-bucket/nightly/{key}/{start}-{id}.mp4"
STORE: Final = {
    "ROOMCTL_RECORDING_S3_ENDPOINT": "https://store.example:9000",
    "ROOMCTL_RECORDING_S3_REGION": "eu-north-1",
    "ROOMCTL_RECORDING_S3_ACCESS_KEY": KEY,
    "ROOMCTL_RECORDING_S3_SECRET": SECRET,
}
SiteOf = Callable[..., RecordingSite]


@pytest.fixture(scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[RecordingStack, int]]:
    """Redis, LiveKit and a worker whose store takes one access key; and where webhooks go."""
    (port,) = free_ports(1)
    hook = f"http://127.0.0.1:{port}/livekit/webhook"
    folder = tmp_path_factory.mktemp("outputs")
    async with RecordingStack(folder, webhook_url=hook, s3=(KEY, SECRET)) as stack:
        yield stack, port


@pytest.fixture
async def site_of(
    stand: tuple[RecordingStack, int], tmp_path: Path, mongodb: Server
) -> AsyncIterator[SiteOf]:
    """Makes a site whose recordings go there."""
    async with AsyncExitStack() as opened:

        def make(output: str, **settings: str) -> RecordingSite:
            where = {"ROOMCTL_RECORDING_OUTPUT": output, "ROOMCTL_RECORDING_IDLE_SECONDS": IDLE}
            site = RecordingSite(tmp_path, stand[0].livekit, mongodb=mongodb.uri, **(where | settings))
            site.stack, site.private = stand
            opened.push_async_exit(site)
            return site

        yield make


def output_of(site: RecordingSite, egress: Egress) -> dict[str, Any]:
    """The output as the worker was asked for it; of credentials it notes only whether there are any."""
    (asked,) = site.stack.worker.note(egress.id)["info"]["room_composite"]["file_outputs"]
    return dict(asked)


async def text_of(site: RecordingSite, path: str) -> str:
    url = f"http://127.0.0.1:{site.private}{path}"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return await answer.text()


async def database_of(site: RecordingSite) -> str:
    """Every document of the site's database."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(site.mongodb)
    async with client:
        database = client[site.database]
        names = await database.list_collection_names()
        return repr([[one async for one in database[name].find()] for name in names])


async def test_a_file_lies_where_it_was_asked_for(site_of: SiteOf) -> None:
    site = site_of("file:///recordings/{key}/{start}-{id}.mp4")
    site.write("events/may/gala", record=True)
    async with site.run():
        await site.converged()
        async with site.person("events/may/gala"):
            egress = await site.recorded("events/may/gala")
        (row,) = await site.ended("events/may/gala", "complete")
    assert row.file.startswith("/recordings/events/may/gala/2")
    assert "s3" not in output_of(site, egress)
    assert site.stack.worker.file(row.file).stat().st_size == row.size


async def test_rooms_that_share_a_template_without_their_key_have_a_file_each(site_of: SiteOf) -> None:
    """The first runs when the others begin, which is within a second or two, and none waits for another."""
    site = site_of("file:///recordings/{start}.mp4")
    keys = [f"room-{n}" for n in range(4)]
    for key in keys:
        site.write(key, record=True)
    async with site.run():
        await site.converged()
        async with AsyncExitStack() as inside:
            await inside.enter_async_context(site.person(keys[0]))
            await site.recorded(keys[0])
            for key in keys[1:]:
                await inside.enter_async_context(site.person(key))
            files = {(await site.recorded(key)).file for key in keys}
        for key in keys:
            await site.ended(key, "complete")
    assert len(files) == len(keys)
    assert all(site.stack.worker.file(file).exists() for file in files)


async def test_a_room_that_is_recorded_again_keeps_its_first_file(site_of: SiteOf) -> None:
    site = site_of("file:///recordings/{key}.mp4")
    site.write("again", record=True)
    async with site.run():
        await site.converged()
        async with site.person("again"):
            await site.recorded("again")
            site.edit("again", record=False)
            await site.ended("again", "complete")
            site.edit("again", record=True)
            await site.recorded("again")
        first, second = await site.ended("again", "complete", "complete")
    assert first.file != second.file
    assert site.stack.worker.file(first.file).exists()
    assert site.stack.worker.file(second.file).exists()


async def test_a_bucket_of_another_host_is_reached_by_path_with_its_credentials(site_of: SiteOf) -> None:
    site = site_of(S3, **STORE)
    site.write("team/one", record=True)
    async with site.run():
        await site.converged()
        async with site.person("team/one"):
            asked = output_of(site, await site.recorded("team/one"))
        (row,) = await site.ended("team/one", "complete")
    bucket, _, path = row.file.removeprefix("s3://").partition("/")
    assert (bucket, path.startswith("nightly/team/one/2")) == ("a-bucket", True)
    assert asked["filepath"] == path
    store = asked["s3"]
    assert (store["bucket"], store["region"], store["endpoint"], store["force_path_style"]) == (
        "a-bucket",
        "eu-north-1",
        "https://store.example:9000",
        True,
    )
    assert site.stack.worker.file(f"s3/{bucket}/{path}").exists()


async def test_without_credentials_the_workers_own_serve(site_of: SiteOf) -> None:
    site = site_of(S3)
    site.write("own", record=True)
    async with site.run():
        await site.converged()
        async with site.person("own"):
            asked = output_of(site, await site.recorded("own"))
        (row,) = await site.ended("own", "complete")
    assert asked["s3"] == {"bucket": "a-bucket"}
    assert site.stack.worker.file(row.file.replace("s3://", "s3/")).exists()


async def test_a_store_that_refuses_is_named_and_nobody_sees_why_in_its_words(site_of: SiteOf) -> None:
    """The worker says key, secret and a token. None of that is anywhere afterwards."""
    site = site_of(S3, **(STORE | {"ROOMCTL_RECORDING_S3_SECRET": WRONG}))
    site.write("refused", record=True)
    async with site.run():
        await site.converged()
        async with site.person("refused"):
            egress = await site.recorded("refused")
        message = await site.until_recording("refused", "False", "Failed")
        written = [await text_of(site, "/metrics"), await database_of(site)]
        for words in (["get"], ["recordings"], ["plan"]):
            written += [(await site.verb(*words, *form)).out for form in ([], ["-o", "json"])]
        assert "could not write the output: the storage denied access" in message
        row = next(row for row in await site.rows() if row.egress_id == egress.id)
    assert (str(row.state), row.error) == ("failed", message)
    written += [log.read_text() for log in site.folder.glob("*.log")]
    hidden = (KEY, WRONG, "a-token-of-the-worker", "PutObject")
    assert [word for word in hidden for text in written if word in text] == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("StatusCode: 507, api error XMinioStorageFull: no drive has room", "the disk or storage is full"),
        ("StatusCode: 404, api error NoSuchBucket: The specified bucket does not exist", "no such bucket"),
        ("StatusCode: 403, api error AccessDenied: Access Denied", "the storage denied access"),
        ("StatusCode: 503, api error SlowDown: Please reduce", "the storage answered with a server error"),
    ],
)
async def test_refusals_of_a_store_are_told_apart_also_while_the_next_recording_runs(
    site_of: SiteOf, answer: str, why: str
) -> None:
    site = site_of(S3)
    site.write("told-apart", record=True)
    worker = site.stack.worker
    await worker.set(refuse_output=f"operation error S3: PutObject, https response error {answer}")
    try:
        async with site.run():
            await site.converged()
            async with site.person("told-apart"):
                await site.recorded("told-apart")
            (row,) = await site.ended("told-apart", "failed")
            assert row.error.startswith(f"could not write the output: {why}")
            assert row.seconds > 0
            assert await site.until_recording("told-apart", "False", "Failed") == row.error
            await worker.set(refuse_output="")
            async with site.person("told-apart"):
                message = await site.until_recording("told-apart", "True")
                assert message.endswith(f"; the previous recording failed: {row.error}")
            await site.ended("told-apart", "failed", "complete")
            await site.until_recording("told-apart", "False", "Idle")
    finally:
        await worker.set(refuse_output="")


async def shown(site: RecordingSite, controller: Controller) -> list[str]:
    """What people see who are not to know a room's id."""
    tables = [(await site.verb(verb)).out for verb in ("get", "recordings")]
    return [*tables, json.dumps(controller.events)]


async def test_the_id_of_an_api_room_is_shown_to_nobody_though_its_file_has_it(site_of: SiteOf) -> None:
    """Not in a log, a table or a condition; only {room_id} puts it into the file's name, {key} does not."""
    site = site_of("file:///recordings/{room_id}/{key}/{start}.mp4")
    async with site.run() as controller, api_of(site) as api:
        room = await api.create("Of the API", record=True)
        await site.until_condition(room.key, "Live", "True")
        async with site.person(room.key):
            egress = await site.recorded(room.key)
            assert re.fullmatch(rf"/recordings/{room.id}/api/[0-9a-f]{{32}}/2\w+-[0-9a-f]+\.mp4", egress.file)
            seen = [await site.until_recording(room.key, "True"), *await shown(site, controller)]
            await site.stack.worker.fail(egress.id)
            await site.ended(room.key, "failed", "recording")
            await site.recorded(room.key)
        await site.ended(room.key, "failed", "complete")
        seen += await shown(site, controller)
    assert [text for text in seen if room.id in text] == []
    assert room.id[:6] in seen[0]
