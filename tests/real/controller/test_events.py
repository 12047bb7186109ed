"""The whole way of events: from what a real controller does to `roomctl events`, and out to a receiver."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_callers import callers, write_tokens
from tests.support.controller import Site
from tests.support.embedded import Server, secantus
from tests.support.livekit import LiveKitServer
from tests.support.receiver import BODY, SECRET, EventReceiver, take
from tests.support.wait import until


async def recorded(site: Site, *words: str) -> list[dict[str, Any]]:
    """What `roomctl events` lists."""
    ended = await site.verb("events", "-o", "json", *words)
    assert ended.code == 0, ended
    return list(json.loads(ended.out))


async def until_recorded(site: Site, *types: str, key: str) -> list[dict[str, Any]]:
    """The room's events, once they are of these types."""
    found: list[dict[str, Any]] = []

    async def so() -> bool:
        found[:] = await recorded(site, key)
        return [event["type"] for event in found] == list(types)

    await until(so)
    return found


async def test_what_is_done_to_a_room_is_listed_with_its_reason_and_author(site: Site) -> None:
    site.write("talk", max_participants=20)
    site.write("stays")
    async with site.run() as controller:
        room = (await site.converged())["talk"]
        site.edit("talk", allow_chat=True)
        await site.converged()
        await site.writer.delete_room(await site.room_name("talk"))
        await until_recorded(site, "create", "start", "update", "heal", key="talk")
        site.remove("talk")
        create, start, update, heal, remove = await until_recorded(
            site, "create", "start", "update", "heal", "remove", key="talk"
        )
        assert await controller.stop() == 0
    assert {event["room_id"] for event in (create, start, update, heal, remove)} == {room.id}
    assert {event["by"] for event in (create, start, update, remove)} == {"manifest talk.json"}
    assert heal["by"] == "controller"
    assert update["fields"] == [{"field": "allow_chat", "from": False, "to": True}]
    assert len(create["revision"]) == 64
    leads = await recorded(site, "--type", "lead")
    assert [event["reason"].partition(" by ")[0] for event in leads] == ["lease acquired", "lease lost"]
    assert {event["key"] for event in leads} == {None}


async def test_apply_records_what_it_did(site: Site) -> None:
    site.write("talk")
    assert (await site.verb("apply", "--yes")).code == 0
    assert [event["type"] for event in await recorded(site)] == ["create", "start"]
    assert (await site.verb("revoke", "talk")).code == 0
    assert (await site.verb("invite", "talk", "--role", "speaker")).code == 0
    revoke, invite = (await recorded(site))[2:]
    assert (revoke["type"], invite["type"]) == ("revoke", "invite")
    assert revoke["by"].startswith("cli ")
    assert invite["reason"].startswith("speaker, valid until 2")


async def test_callers_of_the_api_are_named_and_refused_participants_are_counted(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    tokens = str(write_tokens(tmp_path))
    async with Site(tmp_path, livekit, mongodb=mongodb.uri, ROOMCTL_ACCESS_TOKENS_FILE=tokens) as site:
        async with site.run() as controller, callers(site) as (anna, _, root):
            room = await anna.good("create", {"name": "Hall", "max_participants": 5})
            await root.good("update", {"id": room["id"], "allow_chat": True})
            for _ in range(3):
                reply = await site.ask_token(room["id"], "jane", LKRoomName="another")
                assert reply.body["code"] == "ROOM_NAME_STALE"
            await anna.good("stop", {"id": room["id"]})
            assert await controller.stop() == 0
        events = await recorded(site, room["id"])
    listed = [(event["type"], event["by"], event["count"]) for event in events]
    assert sorted(listed[:4]) == sorted(
        [
            ("create", "api anna", None),
            ("start", "api anna", None),
            ("update", "api root", None),
            ("stop", "api anna", None),
        ]
    )
    assert ("refuse", "controller", 3) in listed
    assert "jane" not in json.dumps(events)


async def test_what_happened_while_the_database_was_away_is_recorded_later(
    tmp_path: Path, livekit: LiveKitServer
) -> None:
    async with (
        secantus(tmp_path / "mongodb") as mongodb,
        Site(tmp_path, livekit, mongodb=mongodb.uri) as site,
    ):
        site.write("talk")
        async with site.run() as controller:
            await site.converged()
            mongodb.signal(signal.SIGSTOP)
            await controller.until_logged("lease lost")
            mongodb.signal(signal.SIGCONT)
            await controller.until_logged("lease acquired", times=2)

            async def so() -> bool:
                leads = await recorded(site, "--type", "lead")
                words = [event["reason"].split()[1] for event in leads]
                return words == ["acquired", "lost", "acquired"]

            await until(so)


# -- out to a receiver ------------------------------------------------------------------------------------


@pytest.fixture
async def receiver() -> AsyncIterator[EventReceiver]:
    async with EventReceiver().listening() as receiver:
        yield receiver


def told(receiver: EventReceiver) -> dict[str, Any]:
    return {"ROOMCTL_EVENTS_URL": receiver.url, "ROOMCTL_EVENTS_SECRET": SECRET}


def discreet(site: Site) -> None:
    """Nothing secret, and nothing that the receiver said, is in any log."""
    for log in site.folder.glob("*.log"):
        text = log.read_text()
        assert not [word for word in (SECRET, SECRET.removeprefix("whsec_"), BODY, "tenant=") if word in text]


TALK = ["roomctl.room.create", "roomctl.room.start"]


async def received(receiver: EventReceiver, *types: str) -> None:
    """Return when these have been received, whatever else was."""

    async def so() -> bool:
        return set(types) <= set(receiver.types())

    await until(so)


async def test_each_event_is_sent_to_a_receiver_signed(site: Site, receiver: EventReceiver) -> None:
    site.write("talk")
    async with site.run(**told(receiver)) as controller:
        room = (await site.converged())["talk"]
        await received(receiver, "roomctl.room.lead", *TALK)
        assert await controller.stop() == 0
    create, start = [one for one in receiver.received if one["type"] in TALK]
    assert (create["type"], start["type"]) == tuple(TALK)
    assert create["source"] == f"/roomctl/{site.instance}"
    assert create["subject"] == "talk"
    assert create["data"] == (await recorded(site, "talk"))[0]
    assert create["data"]["room_id"] == room.id
    discreet(site)


async def test_a_receiver_that_fails_delays_no_room_and_gets_everything_after_a_restart(
    site: Site, receiver: EventReceiver
) -> None:
    """At least once, in order, whatever the receiver and the controller do in between."""

    async def fails(_: dict[str, Any]) -> int:
        return 500

    receiver.answer = fails
    site.write("one")
    async with site.run(**told(receiver)) as controller:
        await site.converged()
        await controller.until_logged("event not delivered")
        site.write("two")
        await site.converged()
        await until_recorded(site, "create", "start", key="two")
        await controller.kill()
    assert receiver.received == []
    receiver.answer = take
    async with site.run(**told(receiver)) as controller:

        async def all_there() -> bool:
            sent = {document["id"] for document in receiver.received}
            return {event["id"] for event in await recorded(site)} <= sent

        await until(all_there)
        assert await controller.stop() == 0
    times = [document["time"] for document in receiver.received]
    assert times == sorted(times)
    discreet(site)


async def test_a_receiver_that_does_not_answer_delays_no_room(site: Site, receiver: EventReceiver) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def hang(_: dict[str, Any]) -> int:
        asked.set()
        await go_on.wait()
        return 200

    receiver.answer = hang
    async with site.run(**told(receiver)) as controller:
        await asked.wait()
        site.write("talk")
        await site.converged()
        go_on.set()
        await received(receiver, *TALK)
        assert await controller.stop() == 0


async def test_a_receiver_that_is_not_there_gets_everything_when_it_comes(site: Site) -> None:
    receiver = EventReceiver()
    site.write("talk")
    async with site.run(**told(receiver)) as controller:
        await site.converged()
        await controller.until_logged("event not delivered")
        async with receiver.listening():
            await received(receiver, *TALK)
            await controller.until_logged("event delivery recovered")
        assert await controller.stop() == 0
    discreet(site)


async def test_events_before_the_url_was_set_are_not_sent(site: Site, receiver: EventReceiver) -> None:
    site.write("early")
    async with site.run() as controller:
        await site.converged()
        assert await controller.stop() == 0
    site.write("late")
    async with site.run(**told(receiver)) as controller:
        await site.converged()
        await received(receiver, *TALK)
        assert await controller.stop() == 0
    assert {one.get("subject") for one in receiver.received} == {None, "late"}
