"""What is said while something is wrong: never more than was seen, and always what to do."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from livekit.protocol.room import ListRoomsResponse

from tests.real.faults.scenario import Line
from tests.support.controller import ROOT, Site
from tests.support.ports import free_ports
from tests.support.wait import until

DEPLOY = ROOT / "deploy"
GUARDED = 7
"""Of twelve rooms whose manifests are gone: more than 30 %."""


async def _shown(site: Site) -> dict[str, dict[str, tuple[str, str]]]:
    """What `roomctl get` shows: status and reason of each condition, by room and type."""
    ended = await site.verb("get", "-o", "json")
    assert ended.code == 0, ended.err
    return {
        room["key"]: {c["type"]: (c["status"], c["reason"]) for c in room["status"]["conditions"]}
        for room in json.loads(ended.out)
    }


async def test_with_livekit_dead_nothing_is_said_to_be_ready(line: Line) -> None:
    site, proxy = line.site, line.proxies["livekit"]
    site.write("talk")
    async with site.run():
        await site.converged()
        waited = await site.verb("wait")
        assert (waited.code, waited.out) == (0, "1 room is Ready\n")
        await proxy.refuse()

        async def is_unknown() -> bool:
            return (await _shown(site))["talk"]["Ready"] == ("Unknown", "LiveKitAway")

        await until(is_unknown)
        shown = await _shown(site)
        assert shown["talk"]["Live"] == ("Unknown", "LiveKitAway")
        assert shown["talk"]["ManifestValid"] == ("True", "Valid")
        waited = await site.verb("wait", "--timeout", "1s")
        assert waited.code == 4
        assert "LiveKitAway" in waited.err
        status = await site.verb("status")
        assert status.code == 1
        said = re.search(
            r"^FAIL  livekit     .* no answer from LiveKit since (\S+): .*$", status.out, re.MULTILINE
        )
        assert said is not None, status.out
        assert datetime.fromisoformat(said[1]) < datetime.now(UTC)

        async def is_counted() -> bool:
            return 'roomctl_rooms{status="Unknown",type="Ready"} 1.0' in await site.metrics()

        await until(is_counted)
        await proxy.accept()

        async def is_ready() -> bool:
            return (await _shown(site))["talk"]["Ready"] == ("True", "AsSpecified")

        await until(is_ready)


async def test_what_a_guard_keeps_is_named_with_the_command_that_removes_it(site: Site) -> None:
    keys = [f"room-{number:02}" for number in range(12)]
    for key in keys:
        site.write(key)
    command = f"roomctl apply --allow-removals {GUARDED} --yes"
    async with site.run() as controller:
        await site.converged()
        site.remove(*keys[:GUARDED])
        for key in keys[:GUARDED]:
            await site.until_condition(key, "Guarded", "True", reason="TooManyMissing")
        await controller.until_logged("removals blocked", reason="TooManyMissing", room_count=GUARDED)
        (said,) = controller.said("removals blocked")
        assert said["hint"].endswith(command)

        rows = [row.split() for row in (await site.verb("get")).out.splitlines()]
        assert rows[0] == ["KEY", "READY", "REASON", "LIVE", "PEOPLE", "NOTE"]
        assert rows[1] == ["room-00", "True", "Guarded", "True", "0/10", "Guarded"]
        assert rows[12] == ["room-11", "True", "AsSpecified", "True", "0/10", "-"]
        assert all(len(row) <= 80 for row in (await site.verb("get")).out.splitlines())
        assert all(len(row) <= 160 for row in (await site.verb("get", "-o", "wide")).out.splitlines())
        assert command in (await site.verb("get", "-o", "yaml")).out
        assert command in (await site.verb("plan")).out

        waited = await site.verb("wait")
        assert waited.code == 3
        assert [line.split(":")[1].strip() for line in waited.err.splitlines()] == keys[:GUARDED]
        assert waited.err.count(command) == GUARDED
        assert (await site.verb("wait", keys[-1])).out == "1 room is Ready\n"
        assert (await site.verb("apply", "--allow-removals", str(GUARDED), "--yes")).code == 0
        assert len(await site.converged()) >= 12 - GUARDED
        assert (await site.verb("wait")).out == f"{12 - GUARDED} rooms are Ready\n"


async def test_dashboard_and_alerts_ask_for_what_a_controller_exports(site: Site) -> None:
    files = (DEPLOY / "grafana" / "roomctl.json", DEPLOY / "alerts" / "roomctl.rules.yaml")
    asked = {name for file in files for name in re.findall(r"\broomctl_[a-z_]+", file.read_text())}
    async with site.run():
        exported = set(re.findall(r"^# TYPE (\w+)", await site.metrics(), re.MULTILINE))
    assert len(asked) > 20
    assert {name.removesuffix("_bucket") for name in asked} <= exported


async def test_missing_rooms_directory_is_said_of_each_room(site: Site) -> None:
    site.write("talk")
    async with site.run():
        await site.converged()
        away = site.rooms_dir.rename(site.rooms_dir.with_name("elsewhere"))
        await site.until_condition("talk", "Guarded", "True", reason="RoomsDirMissing")

        async def waits_in_vain() -> bool:
            waited = await site.verb("wait", "talk", "--timeout", "0s", ROOMCTL_ROOMS_DIR=str(away))
            assert waited.code in (0, 4)
            return waited.code == 4 and "cannot read its rooms directory" in waited.err

        await until(waits_in_vain)
        away.rename(site.rooms_dir)
        await site.until_condition("talk", "Guarded", None)
        await site.until_condition("talk", "Ready", "True", reason="AsSpecified")

        async def both_are_recorded() -> bool:
            """When it began and when it ended, once each."""
            listed = json.loads((await site.verb("events", "--type", "guard", "-o", "json")).out)
            assert all(event["key"] is None for event in listed)
            reasons = [event["reason"].partition(";")[0] for event in listed]
            return reasons == [
                "RoomsDirMissing: the rooms directory is missing or unreadable",
                "RoomsDirMissing: over",
            ]

        await until(both_are_recorded)


Change = Callable[[ListRoomsResponse], bytes]


def _nothing(_: ListRoomsResponse) -> bytes:
    return b""


def _half(answer: ListRoomsResponse) -> bytes:
    return ListRoomsResponse(rooms=list(answer.rooms)[::2]).SerializeToString()


def _garbage(_: ListRoomsResponse) -> bytes:
    return b"\xff\xfe<html>"


class Changed:
    """Stands before LiveKit and changes one answer to ListRooms, when a test says so."""

    def __init__(self, target: int) -> None:
        self._target = f"http://127.0.0.1:{target}"
        self.change: Change | None = None
        self.changed = 0
        (self.port,) = free_ports(1)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._forward)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield f"http://127.0.0.1:{self.port}"
        finally:
            await runner.cleanup()

    async def has_changed(self) -> bool:
        return self.changed > 0

    async def _forward(self, request: web.Request) -> web.Response:
        headers = {k: v for k, v in request.headers.items() if k.lower() in ("authorization", "content-type")}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._target + request.path, data=await request.read(), headers=headers) as answer,
        ):
            body: Any = await answer.read()
            if request.path.endswith("/ListRooms") and self.change is not None:
                body, self.change = self.change(ListRoomsResponse.FromString(body)), None
                self.changed += 1
            return web.Response(status=answer.status, body=body, content_type=answer.content_type)


@pytest.mark.parametrize("change", [_nothing, _half, _garbage])
async def test_one_wrong_list_of_livekit_makes_nothing_anew(site: Site, change: Change) -> None:
    proxy = Changed(site.livekit.port)
    async with proxy.listening() as url:
        site.reach(url)
        for number in range(20):
            site.write(f"room-{number}")
        async with site.run():
            before = await site.converged()
            proxy.change = change
            await until(proxy.has_changed)
            assert (await site.find(before["room-3"].id)).status == 200
            await site.another_pass()
            assert await site.converged() == before
            assert 'type="Stalled"' not in await site.metrics()
