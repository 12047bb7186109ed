"""Who counts as a person, on a real server: a stream from outside holds nothing back, a phone caller does."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Literal

from livekit.api import AccessToken, VideoGrants

from tests.support.controller import Site
from tests.support.participants import Canary, canary
from tests.support.wait import until


async def test_a_removal_cuts_off_a_stream_and_waits_for_a_phone_caller(site: Site) -> None:
    for key in ("stream", "phone", "stays"):
        site.write(key)
    async with site.run(), AsyncExitStack() as people:
        await site.converged()
        stream = await people.enter_async_context(_joined(site, await site.room_name("stream"), "ingress"))
        phone = await people.enter_async_context(_joined(site, await site.room_name("phone"), "sip"))
        site.remove("stream", "phone")
        plan = await site.verb("plan")
        assert "stream: remove" in plan.out
        assert "disconnects 1 ingress" in plan.out
        assert "deferred until the room is empty, 1 participant inside" in plan.out

        async def removed() -> bool:
            return (await site.records())["stream"].removed and not stream.inside

        await until(removed)
        await site.until_condition("phone", "Deferred", "True")
        assert phone.inside


async def test_a_replacement_waits_for_a_stream(site: Site) -> None:
    site.write("studio", max_participants=5)
    async with site.run():
        await site.converged()
        name = await site.room_name("studio")
        async with _joined(site, name, "ingress") as stream:
            site.edit("studio", max_participants=6)
            await site.until_condition("studio", "Deferred", "True")
            plan = await site.verb("plan")
            assert "recreate - deferred until the room is empty, 1 ingress inside" in plan.out
            assert stream.inside
        await site.converged()
        assert await site.room_name("studio") != name


def _joined(site: Site, room: str, kind: Literal["ingress", "sip"]) -> AbstractAsyncContextManager[Canary]:
    grants = VideoGrants(room_join=True, room=room)
    minted = AccessToken(site.livekit.key, site.livekit.secret).with_identity(kind).with_grants(grants)
    return canary(site.livekit.ws_url, minted.with_kind(kind).to_jwt())
