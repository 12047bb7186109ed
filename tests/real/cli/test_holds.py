"""hold and release on real servers, as an operator runs them while a controller is at work."""

import json

import pytest

from tests.support.controller import Site
from tests.support.wait import until


@pytest.mark.parametrize("target", ["team", "--all"])
async def test_an_edit_waits_until_the_release(site: Site, target: str) -> None:
    site.write("team")
    async with site.run():
        await site.converged()
        held = await site.verb("hold", target, "--for", "2h", "--by", "ann", "--reason", "the show is on")
        assert (held.code, held.out) == (0, "")
        assert "held by ann until " in held.err
        assert held.err.endswith("Z: the show is on\n")
        site.write("team", allow_chat=True)

        async def waits() -> bool:
            ready = (await site.record("team")).status.condition("Ready")
            return ready is not None and ready.reason == "Held"

        await until(waits)
        assert not (await site.record("team")).spec.allow_chat
        waited = await site.verb("wait", "--timeout", "20s")
        assert (waited.code, waited.out) == (3, "")
        assert "team: Held: by ann until " in waited.err
        plan = await site.verb("plan", "--detailed-exitcode")
        assert plan.code == 2
        assert "    waits: update - held by ann until " in plan.out
        assert "Plan: 1 to update (1 held)." in plan.out
        table = await site.verb("get")
        assert table.out.splitlines()[1].split()[-1] == "Held"
        status = await site.verb("status", "-o", "json")
        assert status.code == 3
        assert [each["keys"] for each in json.loads(status.out)["held"]] == [["team"]]
        described = await site.verb("describe", "team")
        assert "Held" in described.out
        assert "the show is on" in described.out

        released = await site.verb("release", target)
        assert released.code == 0
        assert (await site.verb("wait", "--timeout", "20s")).code == 0
        assert (await site.record("team")).spec.allow_chat
        events = json.loads(
            (await site.verb("events", "--type", "hold", "--type", "release", "-o", "json")).out
        )
        assert [event["type"] for event in events] == ["hold", "release"]
        assert {event["key"] for event in events} == {None if target == "--all" else "team"}


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("--for", "1h"), 64, "--all"),
        (("team", "--all", "--for", "1h"), 64, "--all"),
        (("team",), 64, "--for"),
        (("team", "--for", "1h", "--until", "2126-12-01T18:00:00Z"), 64, "--for"),
        (("team", "--for", "31d"), 64, "30 days"),
        (("team", "--until", "2020-01-01T00:00:00Z"), 64, "30 days"),
        (("team", "--until", "tomorrow"), 64, "2026-12-01T18:00:00Z"),
        (("team", "--until", "2026-12-01T18:00:00"), 64, "offset"),
        (("team", "--for", "1h", "--by", "a\nb"), 64, "--by"),
        (("taem", "--for", "1h"), 1, "team"),
        (("team", "taem", "--for", "1h"), 1, "team"),
    ],
)
async def test_a_wrong_hold_writes_nothing(
    site: Site, arguments: tuple[str, ...], code: int, error: str
) -> None:
    site.write("team")
    async with site.run():
        await site.converged()
        tried = await site.verb("hold", *arguments, "--reason", "show")
        assert (tried.code, tried.out) == (code, "")
        assert error in tried.err
        assert (await site.record("team")).hold is None
