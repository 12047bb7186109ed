"""invite and revoke on real servers: who gets in by what they print, and for how long."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest

from tests.support.controller import Reply, Site
from tests.support.livekit import LiveKitServer
from tests.support.wait import until


@pytest.fixture(name="place", params=["mongodb", "embedded"])
async def _place(
    request: pytest.FixtureRequest, site: Site, tmp_path: Path, livekit: LiveKitServer
) -> AsyncIterator[Site]:
    """A site with a webinar, on a database or on the embedded store."""
    if request.param == "embedded":
        async with Site(tmp_path / "own", livekit) as site:  # noqa: PLR1704
            site.write("webinar", allow_webinar_mode=True)
            yield site
    else:
        site.write("webinar", allow_webinar_mode=True)
        yield site


def in_fragment(link: str) -> str:
    """The invite of a link that stands alone on stdout."""
    matched = re.fullmatch(r"http://[^/]+/join/[0-9a-f]{24}#invite=([\w.-]+)\n", link)
    assert matched is not None, link
    return matched[1]


async def came(site: Site, invite: str, identity: str = "mary") -> Reply:
    room_id = (await site.record("webinar")).id
    return await site.ask_token(room_id, identity, {"Authorization": f"Bearer {invite}"})


def role(reply: Reply) -> str:
    assert reply.status == 200, reply
    read = jwt.decode(reply.body["participant_token"], options={"verify_signature": False})
    return str(read["attributes"]["role"])


async def test_a_link_makes_a_speaker_until_it_is_revoked(place: Site) -> None:
    async with place.run():
        await place.converged()
        asked = await place.verb("invite", "webinar", "--role", "speaker", "--identity", "mary")
        assert (asked.code, asked.err) == (0, "")
        record = await place.record("webinar")
        assert asked.out.startswith(f"http://127.0.0.1:{place.public}/join/{record.id}#invite=")
        invite = in_fragment(asked.out)
        assert role(await came(place, invite)) == "speaker"
        assert (await came(place, invite, "joe")).body["code"] == "PROOF_INVALID"

        revoked = await place.verb("revoke", record.id)
        assert (revoked.code, revoked.out) == (0, "")
        assert "roomctl invite webinar --role speaker" in revoked.err

        async def refused() -> bool:
            return (await came(place, invite)).status == 401

        await until(refused)  # a resync later
        again = await place.verb("invite", record.id, "--role", "speaker")
        assert role(await came(place, in_fragment(again.out), "joe")) == "speaker"
        after = await place.record("webinar")
        assert (after.generation, after.modified, after.live) == (
            record.generation,
            record.modified,
            record.live,
        )


async def test_both_work_while_no_controller_does(place: Site) -> None:
    assert (await place.verb("apply", "--yes")).code == 0
    before = in_fragment((await place.verb("invite", "webinar", "--role", "speaker")).out)
    assert (await place.verb("revoke", "webinar")).code == 0
    after = in_fragment((await place.verb("invite", "webinar", "--role", "speaker")).out)
    async with place.run():
        await place.converged()
        assert (await came(place, before)).body["code"] == "PROOF_INVALID"
        assert role(await came(place, after)) == "speaker"


async def test_a_guests_link_opens_a_room_that_needs_one_and_makes_no_speaker(place: Site) -> None:
    place.edit("webinar", join="invite")
    async with place.run():
        await place.converged()
        room_id = (await place.record("webinar")).id
        await place.until_found(room_id)
        refused = await place.ask_token(room_id, "mary")
        assert (refused.status, refused.body["code"]) == (401, "INVITE_REQUIRED")
        asked = await place.verb("invite", "webinar", "--role", "guest")
        assert (asked.code, asked.err) == (0, "")
        invite = in_fragment(asked.out)
        assert role(await came(place, invite)) == "guest"
        assert (await place.verb("revoke", "webinar")).code == 0
        assert (await came(place, invite)).body["code"] == "PROOF_INVALID"


async def test_a_hidden_participants_token_stands_alone_and_lets_in(site: Site) -> None:
    site.write("webinar", allow_webinar_mode=True)
    async with site.run():
        await site.converged()
        asked = await site.verb("invite", "webinar", "--role", "hidden")
        assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", asked.out)
        room_id = (await site.record("webinar")).id
        assert (await site.ask_token(room_id, "eye", hidden=True)).body["code"] == "HIDDEN_NOT_ALLOWED"
        reply = await site.ask_token(room_id, "eye", hidden=True, egress_mode_token=asked.out.strip())
        assert role(reply) == "hidden"


async def test_nobody_is_invited_hidden_to_a_room_that_is_not_live(site: Site) -> None:
    site.write("webinar", allow_webinar_mode=True, active=False)
    await site.verb("apply", "--yes")
    asked = await site.verb("invite", "webinar", "--role", "hidden")
    assert (asked.code, asked.out) == (1, "")
    assert "active: true" in asked.err
    assert (await site.verb("invite", "webinar", "--role", "speaker")).code == 0


@pytest.mark.parametrize("words", [("invite", "webinat", "--role", "speaker"), ("revoke", "webinat")])
async def test_an_unknown_room_is_named_with_the_nearest(site: Site, words: tuple[str, ...]) -> None:
    site.write("webinar")
    await site.verb("apply", "--yes")
    asked = await site.verb(*words)
    assert (asked.code, asked.out) == (1, "")
    assert asked.err == 'error: room "webinat" not found; did you mean webinar?\n'


@pytest.mark.parametrize("words", [("invite", "x", "--role", "speaker"), ("revoke", "x")])
async def test_where_there_is_no_store_none_is_made(
    tmp_path: Path, livekit: LiveKitServer, words: tuple[str, ...]
) -> None:
    async with Site(tmp_path, livekit) as site:
        asked = await site.verb(*words)
        assert (asked.code, asked.out) == (1, "")
        assert not site.data_dir.exists()


async def test_only_what_they_use_is_checked(site: Site) -> None:
    site.write("webinar", allow_webinar_mode=True)
    await site.verb("apply", "--yes")
    nothing = {
        "LIVEKIT_URL": "",
        "LIVEKIT_API_KEY": "",
        "LIVEKIT_API_SECRET": "",
        "ROOMCTL_PRIVATE_LISTEN": "x",
    }
    invite = ("invite", "webinar", "--role", "speaker")
    url = {"ROOMCTL_PUBLIC_URL": "https://meet.example/a/"}
    asked = await site.verb(*invite, **nothing, **url)
    assert asked.code == 0
    assert asked.out.startswith("https://meet.example/a/join/")
    assert (await site.verb("revoke", "webinar", ROOMCTL_SECRET="", **nothing)).code == 0
    stands_in = {**nothing, "ROOMCTL_SECRET": "", "LIVEKIT_API_SECRET": site.secret}
    assert (await site.verb(*invite, **stands_in)).code == 0
    without = await site.verb(*invite, ROOMCTL_SECRET="", **nothing)
    assert without.code == 1
    assert without.err.startswith("error: ROOMCTL_SECRET: required")
    other = await site.verb(*invite, ROOMCTL_SECRET="another-secret-than-the-one-of-before")
    assert "ROOMCTL_SECRET differs from the one that the database was made with" in other.err


@pytest.mark.parametrize(
    "words",
    [
        ("webinar",),
        ("--role", "speaker"),
        ("webinar", "--role", "admin"),
        ("webinar", "--role", "speaker", "--expires", "31d"),
        ("webinar", "--role", "speaker", "--expires", "721h"),
        ("webinar", "--role", "speaker", "--expires", "0s"),
        ("webinar", "--role", "speaker", "--identity", "a b"),
        ("webinar", "--role", "speaker", "--identity", "EG_1"),
        ("webinar", "--role", "hidden", "--identity", "eye"),
        ("webinar", "--role", "hidden", "--expires", "16m"),
    ],
)
async def test_wrong_usage_is_exit_64(site: Site, words: tuple[str, ...]) -> None:
    asked = await site.verb("invite", *words)
    assert (asked.code, asked.out) == (64, "")
    assert asked.err
