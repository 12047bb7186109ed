"""A client requests another token while it is connected, with the code of the page on the HTTP API."""

from typing import Any

import aiohttp
import jwt
import pytest
from livekit import rtc

from tests.support.controller import Site
from tests.support.documents import block_under, page
from tests.support.participants import guest
from tests.support.wait import until

EXAMPLE = "https://rooms.example.com"


def documented_source(base: str) -> Any:
    """The class TokenSource of the page, for the server at `base`."""
    code = block_under(page("http-api.md"), "A new token while connected", "python")
    assert EXAMPLE in code
    names: dict[str, Any] = {}
    exec(code.replace(EXAMPLE, base), names)  # noqa: S102 - what a reader of the page copies
    return names["TokenSource"]


def jti(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


async def test_a_python_client_gets_another_token_while_it_is_connected(site: Site) -> None:
    site.write("talk")
    async with site.run():
        room_id = (await site.converged())["talk"].id
        await site.until_found(room_id)
        source_class = documented_source(f"http://127.0.0.1:{site.public}")
        source = source_class(room_id, "ann")
        url, first = await source.fetch()
        async with guest(url, first) as ann:

            async def refused() -> bool:
                return (await site.ask_token(room_id, "ann")).status == 409

            await until(refused)
            with pytest.raises(aiohttp.ClientResponseError) as stranger:
                await source_class(room_id, "ann").fetch()
            assert stranger.value.status == 409
            _, second = await source.fetch()
            _, third = await source.fetch()
            assert jti(first) == jti(second) == jti(third)
            assert ann.room.connection_state == rtc.ConnectionState.CONN_CONNECTED
            async with guest(url, third) as again:
                assert await ann.left == "DUPLICATE_IDENTITY"
                assert [one.identity for one in await site.people("talk")] == ["ann"]
                assert again.room.isconnected()
