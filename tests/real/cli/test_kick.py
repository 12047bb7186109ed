"""kick and participants on real servers: what they print, and what an operator sees afterwards."""

import json
from pathlib import Path
from typing import Final

import pytest

from controller.room import format_time
from tests.support.api_callers import callers, write_tokens
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary, guest
from tests.support.ports import free_ports
from tests.support.wait import until

OPEN_BY_ID: Final = (
    "warning: the room is open to everyone with its id, so this person can come back under another "
    "identity; `join: invite` closes it\n"
)


async def end_of_kick(site: Site, key: str = "talk", identity: str = "mallory") -> str:
    """When the kick on record ends, as texts have it."""
    return format_time((await site.record(key)).kicked_until(identity))


async def test_who_is_inside_is_listed_and_a_kick_says_who_is_out(site: Site) -> None:
    site.write("talk", allow_webinar_mode=True)
    async with site.run():
        room_id = (await site.converged())["talk"].id
        token = await site.token(room_id, "mallory", participant_name="Mal Lory")
        async with guest(site.livekit.ws_url, token) as mallory:

            async def is_listed() -> bool:
                return "mallory" in (await site.verb("participants")).out

            await until(is_listed)
            table = await site.verb("participants", "talk")
            header, row = table.out.splitlines()
            assert header.split() == ["KEY", "IDENTITY", "NAME", "KIND", "ROLE", "SINCE", "PUBLISHES"]
            assert row.split()[:6] == ["talk", "mallory", "Mal", "Lory", "standard", "guest"]
            (shown,) = json.loads((await site.verb("participants", "-o", "json")).out)
            assert (shown["key"], shown["identity"], shown["reserved_seat"]) == ("talk", "mallory", False)

            kicked = await site.verb("kick", "talk", "mallory", "--for", "2h")
            end = await end_of_kick(site)
            assert (kicked.code, kicked.out) == (0, "")
            assert kicked.err == f'talk: "mallory" is out, and gets no token until {end}\n{OPEN_BY_ID}'
            assert await mallory.left == "PARTICIPANT_REMOVED"
        assert (await site.verb("participants")).err == "no participants found\n"


async def test_a_kick_is_shown_by_describe_and_events(site: Site) -> None:
    site.write("talk")
    await site.verb("apply", "--yes")
    await site.verb("kick", "talk", "mallory")
    end = await end_of_kick(site)
    described = (await site.verb("describe", "talk")).out
    assert f"Kicked:       mallory, until {end}" in described
    assert f'"mallory" until {end}' in described.partition("Last events:")[2]
    (event,) = json.loads((await site.verb("events", "talk", "--type", "kick", "-o", "json")).out)
    assert event["reason"] == f'"mallory" until {end}'
    assert event["by"].startswith("cli ")


async def test_the_later_end_of_two_kicks_is_said(site: Site) -> None:
    site.write("talk", join="invite")
    await site.verb("apply", "--yes")
    await site.verb("kick", "talk", "mallory", "--for", "2h")
    end = await end_of_kick(site)
    again = await site.verb("kick", "talk", "mallory", "--for", "1h")
    assert again.code == 0
    assert again.err == f'talk: "mallory" was not inside, and gets no token until {end}\n'
    assert await end_of_kick(site) == end


async def test_without_a_controller_a_kick_says_that_somebody_is_still_inside(site: Site) -> None:
    site.write("talk")
    async with site.run() as controller:
        token = await site.token((await site.converged())["talk"].id, "mallory")
        assert await controller.stop() == 0
    async with canary(site.livekit.ws_url, token) as mallory:
        kicked = await site.verb("kick", "talk", "mallory")
        assert (kicked.code, kicked.out) == (1, "")
        assert kicked.err.startswith('error: talk: "mallory" is still inside; ')
        assert mallory.inside
        async with site.run():
            assert await mallory.left == "PARTICIPANT_REMOVED"


async def test_without_livekit_a_kick_is_written_and_says_what_is_unknown(site: Site) -> None:
    site.write("talk")
    await site.verb("apply", "--yes")
    (port,) = free_ports(1)
    kicked = await site.verb("kick", "talk", "mallory", LIVEKIT_URL=f"http://127.0.0.1:{port}")
    said = f'error: talk: "mallory" gets no token until {await end_of_kick(site)}, but may still be inside: '
    assert (kicked.code, kicked.err.startswith(said)) == (1, True)


async def test_an_api_room_is_kicked_by_its_short_name_and_its_id_is_not_shown(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    tokens = str(write_tokens(tmp_path))
    async with (
        Site(tmp_path, livekit, mongodb=mongodb.uri, ROOMCTL_ACCESS_TOKENS_FILE=tokens) as site,
        site.run(),
        callers(site) as (anna, _, _),
    ):
        room_id = (await anna.good("create", {"name": "Hall", "max_participants": 5}))["id"]
        await site.until_found(room_id)
        short = f"api/{room_id[:6]}"
        async with canary(livekit.ws_url, await site.token(room_id, "gus")) as gus:
            listed: list[str] = []

            async def is_listed() -> bool:
                listed[:] = (await site.verb("participants")).out.splitlines()
                return bool(listed)

            await until(is_listed)
            assert listed[1].split()[:2] == [short, "gus"]
            kicked = await site.verb("kick", short, "gus")
            assert kicked.code == 0
            assert kicked.err.startswith(f'{short}: "gus" is out')
            assert room_id not in kicked.err + "".join(listed)
            assert await gus.left == "PARTICIPANT_REMOVED"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("kick", "tallk", "mallory"), 1, 'error: room "tallk" not found; did you mean talk?\n'),
        (("kick", "talk", "mallory", "--for", "0s"), 64, "0s is out of range; use 1s to 365d"),
        (("kick", "talk", "mallory", "--for", "366d"), 64, "366d is out of range; use 1s to 365d"),
        (("kick", "talk", "mallory", "--for", "soon"), 64, 'invalid duration "soon"'),
        (("kick", "talk", ""), 64, "1 to 1000 characters"),
        (("kick", "talk"), 64, "IDENTITY"),
        (("participants", "tallk"), 1, 'error: room "tallk" not found; did you mean talk?\n'),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_written(
    site: Site, words: tuple[str, ...], code: int, text: str
) -> None:
    site.write("talk")
    await site.verb("apply", "--yes")
    ended = await site.verb(*words)
    assert (ended.code, ended.out) == (code, "")
    assert text in ended.err
    assert not (await site.record("talk")).kicked


async def test_an_identity_with_control_characters_is_shown_without_them(site: Site) -> None:
    site.write("talk")
    await site.verb("apply", "--yes")
    kicked = await site.verb("kick", "talk", "evil\x1b[31m")
    assert kicked.err.startswith('talk: "evil\\x1b[31m" was not inside')
    assert "\x1b" not in (await site.verb("describe", "talk")).out
