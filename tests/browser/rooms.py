"""What tests of the page do to rooms: write them, and invite people."""

from tests.support.controller import Site
from tests.support.wait import until


async def open_room(site: Site, key: str, **fields: object) -> str:
    """A room of that manifest, once its page opens; its id."""
    site.write(key, **fields)
    await site.until_condition(key, "Ready", "True")
    room_id = (await site.record(key)).id

    async def is_open() -> bool:
        return (await site.find(room_id)).status == 200

    await until(is_open)
    return room_id


async def invite(site: Site, key: str, *words: str) -> str:
    """The fragment of a speaker's link, as `roomctl invite` prints it."""
    result = await site.verb("invite", key, "--role", "speaker", *words)
    assert result.code == 0, result.err
    link, _, fragment = result.out.strip().partition("#")
    assert link == f"http://127.0.0.1:{site.public}/join/{(await site.record(key)).id}"
    return f"#{fragment}"
