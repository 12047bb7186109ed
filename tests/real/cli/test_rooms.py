"""The verbs on real servers: what they show, what they change, how they end."""

import asyncio
import json
import os
import pty
import re
import signal
import sys
from pathlib import Path
from typing import Any

import yaml

from controller.sidecar.pages.assets import missing_packages
from tests.real.cli.process import on_terminal
from tests.support.controller import ROOT, Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary
from tests.support.redis import Redis
from tests.support.wait import PATIENCE, until

LONG = "a" * 100 + "/" + "b" * 99


async def test_a_plan_changes_nothing_and_its_code_says_whether_it_would(site: Site) -> None:
    site.write("team")
    fine = await site.verb("plan")
    assert (fine.code, fine.err) == (0, "")
    assert fine.out.splitlines()[0] == "+ team: create, start (manifest added; room is active)"
    assert fine.out.splitlines()[-1] == "Plan: 1 to create, 1 to start."
    assert (await site.verb("plan", "--detailed-exitcode")).code == 2
    plan = json.loads((await site.verb("plan", "-o", "json")).out)
    assert plan["summary"]["create"] == 1
    assert plan["changes"][0]["id"] not in fine.out
    assert await site.ours() == {}
    assert not site.data_dir.exists()


async def test_an_apply_makes_it_so_and_then_there_is_nothing_to_do(site: Site) -> None:
    site.write("team")
    applied = await site.verb("apply", "--yes")
    assert applied.code == 0
    assert applied.out.splitlines()[-1] == "Plan: 1 to create, 1 to start."
    assert applied.err.count("team: ") >= 2
    assert len(await site.ours()) == 1
    again = await site.verb("apply", "--yes")
    assert (again.code, again.out) == (0, "No changes.\n")
    nothing = await site.verb("plan", "--detailed-exitcode")
    assert (nothing.code, nothing.out) == (0, "No changes.\n")


async def test_an_invalid_manifest_is_exit_1_and_the_rest_is_done(site: Site) -> None:
    site.write("team")
    site.write("bad", max_participants=0)
    plan = await site.verb("plan", "-o", "json", "--detailed-exitcode")
    result = json.loads(plan.out)
    assert plan.code == 1
    assert (result["summary"]["create"], result["summary"]["invalid"]) == (1, 1)
    assert result["invalid"][0]["line"] == 3
    assert "1 manifest file is invalid" in plan.err
    assert (await site.verb("apply", "--yes")).code == 1
    assert len(await site.ours()) == 1


async def test_a_terminal_is_asked_and_a_no_changes_nothing(site: Site) -> None:
    site.write("team")
    no = await asyncio.to_thread(on_terminal, "apply", cwd=site.folder, env=site.env, answer="n\n")
    assert no.code == 1
    assert "Apply these changes? [y/N]" in no.out
    assert await site.ours() == {}
    yes = await asyncio.to_thread(on_terminal, "apply", cwd=site.folder, env=site.env, answer="y\n")
    assert yes.code == 0
    assert "\x1b[32m+ team: create, start" in yes.out
    assert len(await site.ours()) == 1


async def test_a_room_left_on_purpose_is_exit_3(site: Site) -> None:
    site.write("team", max_participants=10)
    await site.verb("apply", "--yes")
    async with canary(site.livekit.ws_url, await site.pass_key("team")):
        site.edit("team", max_participants=20)
        left = await site.verb("apply", "--yes")
        assert left.code == 3
        assert (
            "not applied: team: recreate (deferred until the room is empty, 1 participant inside)" in left.err
        )


async def test_rooms_are_shown_as_objects_and_as_a_table(site: Site) -> None:
    site.write("team")
    site.write(LONG, name="The long one")
    await site.verb("apply", "--yes")
    async with canary(site.livekit.ws_url, await site.pass_key("team")):
        rooms = json.loads((await site.verb("get", "-o", "json")).out)
        without = json.loads((await site.verb("get", "-o", "json", LIVEKIT_URL="")).out)
        away = json.loads((await site.verb("get", "-o", "json", LIVEKIT_URL="http://127.0.0.1:1")).out)
    assert [room["key"] for room in rooms] == [LONG, "team"]
    assert [room["participants"] for room in rooms] == [0, 1]
    assert [room["participants"] for room in without + away] == [None] * 4
    assert yaml.safe_load((await site.verb("get", "-o", "yaml", "team")).out)[0]["key"] == "team"
    for form in ("table", "wide"):
        shown = await site.verb("get", "-o", form)
        assert shown.out.splitlines()[1].startswith(f"{LONG}  True")
        assert not any(room["id"] in shown.out for room in rooms)
    by_id = await site.verb("get", rooms[1]["id"])
    assert (by_id.code, by_id.out.splitlines()[1].split()[0]) == (0, "team")


async def test_an_unknown_room_is_named_and_the_others_are_shown(site: Site) -> None:
    site.write("team")
    await site.verb("apply", "--yes")
    shown = await site.verb("get", "nobody", "team", "-o", "json")
    assert shown.code == 1
    assert shown.err == 'error: room "nobody" not found; run `roomctl get` to list the rooms\n'
    assert [room["key"] for room in json.loads(shown.out)] == ["team"]


async def test_a_watch_of_an_unknown_room_ends_at_once(site: Site) -> None:
    watched = await site.verb("get", "nobody", "--watch")
    assert (watched.code, watched.out) == (1, "")
    assert watched.err == 'error: room "nobody" not found; run `roomctl get` to list the rooms\n'


async def test_an_interrupt_at_the_question_is_a_no(site: Site) -> None:
    site.write("team")
    terminal, theirs = pty.openpty()
    apply = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller", "apply"),
        cwd=ROOT,
        env=site.env,
        stdin=theirs,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(theirs)
    try:
        assert apply.stderr is not None
        await apply.stderr.readuntil(b"[y/N]")
        apply.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(apply.wait(), PATIENCE) == 1
    finally:
        os.close(terminal)
    assert await site.records() == {}


async def test_beside_a_controller_an_apply_stands_back(site: Site) -> None:
    site.write("team")
    async with site.run():
        await site.converged()
        beside = await site.verb("apply", "--yes")
        assert beside.code == 3
        assert "`roomctl run`, pid" in beside.err
        assert "roomctl wait" in beside.err


async def test_wait_is_for_the_manifest_as_it_stands_here(site: Site) -> None:
    site.write("team")
    async with site.run():
        assert (await site.verb("wait")).code == 0
        await site.converged()
        site.edit("team", allow_chat=True)
        assert (await site.verb("wait", "team")).code == 0
        assert (await site.record("team")).spec.allow_chat
        assert (await site.verb("wait", "--for", "condition=Live", "team")).code == 0
        late = await site.verb("wait", "--for", "!Live", "--timeout", "0s")
        assert late.code == 4
        assert late.err.splitlines()[0] == "error: team: waiting for !Live: Live is True (Listed)"
        never = await site.verb("wait", "team", "soon", "--timeout", "0s")
        assert never.code == 4
        assert never.err.splitlines()[0] == "error: soon: waiting for Ready: room not found"
        assert (await site.verb("wait", "--for", "delete", "soon")).code == 0
        own = await site.verb("wait", ROOMCTL_ROOMS_DIR=str(site.folder / "nowhere"))
        assert own.code == 0


async def test_wait_ends_at_once_where_a_manifest_is_wrong(site: Site) -> None:
    site.write("team")
    site.write("bad")
    async with site.run():
        await site.converged()
        site.spoil("bad")
        wrong = await site.verb("wait")
        assert wrong.code == 1
        assert "bad.json:2:1: " in wrong.err
        assert (await site.verb("wait", "team")).code == 0
        assert (await site.verb("wait", "bad")).code == 1


async def test_wait_names_a_room_that_waits_for_its_people(site: Site) -> None:
    site.write("team")
    async with site.run():
        await site.converged()
        async with canary(site.livekit.ws_url, await site.pass_key("team")):
            site.edit("team", max_participants=20)
            await site.until_condition("team", "Deferred", "True")
            waited = await site.verb("wait")
            assert waited.code == 0
            assert waited.err.startswith("team: Deferred: ")
        assert (await site.verb("wait", "--for", "!Deferred")).code == 0


async def test_a_wait_leaves_the_embedded_store_to_the_controller_it_waits_for(
    tmp_path: Path, livekit: LiveKitServer
) -> None:
    async with Site(tmp_path, livekit) as site:
        site.write("team")
        await site.verb("apply", "--yes")
        site.write("more")
        waiting = asyncio.create_task(site.verb("wait"))

        async def holding() -> bool:
            return '"wait"' in (site.data_dir / "embedded.lock").read_text()

        await until(holding)
        async with site.run():
            assert (await waiting).code == 0


async def test_a_watch_shows_what_changes_until_it_is_interrupted(site: Site) -> None:
    site.write("team")
    async with site.run():
        await site.converged()
        watch = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controller", "get", "--watch", "-o", "json"),
            cwd=ROOT,
            env=site.env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert watch.stdout is not None
        assert [room["generation"] for room in await _array(watch.stdout)] == [1]
        site.edit("team", allow_chat=True)
        while (rooms := await _array(watch.stdout))[0]["generation"] == 1:
            pass
        assert rooms[0]["allow_chat"] is True
        watch.send_signal(signal.SIGINT)
        assert await watch.wait() == 0


async def _array(lines: asyncio.StreamReader) -> list[dict[str, Any]]:
    """The next JSON array."""
    text = ""
    while True:
        line = (await asyncio.wait_for(lines.readline(), PATIENCE)).decode()
        assert line, f"the watch ended: {text}"
        text += line
        if line == "]\n":
            documents: list[dict[str, Any]] = json.loads(text)
            return documents


async def test_the_doctor_has_a_line_for_everything(site: Site) -> None:
    site.write("team")
    async with site.run():
        await site.converged()
        healthy = await site.verb("doctor")
    marks = re.findall(r"^(\w+) +(\w+)", healthy.out, re.MULTILINE)
    assert healthy.code == 0
    assert marks == [
        ("ok", "settings"),
        ("warn", "hidden"),
        ("ok", "tokens"),
        ("warn" if missing_packages() else "ok", "page"),
        ("ok", "manifests"),
        ("ok", "livekit"),
        ("ok", "clock"),
        ("ok", "public_url"),
        ("ok", "auto_create"),
        ("ok", "recording"),
        ("ok", "mongodb"),
        ("ok", "secret"),
        ("ok", "controller"),
        ("warn", "webhook"),
    ]


async def test_the_doctor_finds_what_is_wrong(site: Site) -> None:
    site.write("team")
    await site.verb("apply", "--yes")
    site.spoil("team")
    ill = await site.verb(
        "doctor",
        LIVEKIT_API_SECRET="another-secret-of-at-least-32-characters",
        ROOMCTL_SECRET="another-one",
    )
    lines = {line.split()[1]: line.split()[0] for line in ill.out.splitlines()}
    assert ill.code == 1
    assert (lines["manifests"], lines["livekit"], lines["secret"]) == ("FAIL", "FAIL", "warn")
    gone = await site.verb("doctor", MONGODB_URI="mongodb://127.0.0.1:1/", LIVEKIT_URL="http://127.0.0.1:1")
    lines = {line.split()[1]: line.split()[0] for line in gone.out.splitlines()}
    assert gone.code == 1
    assert "; start LiveKit or correct LIVEKIT_URL" in gone.out
    assert "; start MongoDB or correct MONGODB_URI" in gone.out
    assert (lines["livekit"], lines["clock"], lines["mongodb"]) == ("FAIL", "skip", "FAIL")


async def test_the_doctor_says_that_nothing_can_be_recorded_without_redis(site: Site) -> None:
    output = {"ROOMCTL_RECORDING_OUTPUT": "file:///recordings/{key}/{id}.mp4"}
    result = line_of("recording", (await site.verb("doctor", **output)).out)
    assert result.startswith("warn")
    assert "runs without Redis" in result
    assert "add Redis and an egress worker" in result


async def test_the_doctor_of_a_livekit_that_is_away_says_what_it_could_not_ask(site: Site) -> None:
    output = {"ROOMCTL_RECORDING_OUTPUT": "file:///recordings/{key}/{id}.mp4"}
    gone = await site.verb("doctor", LIVEKIT_URL="http://127.0.0.1:1", **output)
    assert line_of("recording", gone.out).startswith(
        "skip  recording   not checked; LiveKit has to answer first"
    )


async def test_the_doctor_asks_an_egress_service(tmp_path: Path, mongodb: Server) -> None:
    """Redis is enough for one: a worker shows only once it is asked for."""
    async with Redis(tmp_path / "redis") as redis:
        config = {"redis": {"address": redis.address}}
        async with (
            LiveKitServer(tmp_path / "livekit", config=config) as livekit,
            Site(tmp_path / "site", livekit, mongodb=mongodb.uri) as site,
        ):
            output = {"ROOMCTL_RECORDING_OUTPUT": "file:///recordings/{key}/{id}.mp4"}
            result = line_of("recording", (await site.verb("doctor", **output)).out)
    assert result.startswith("ok")
    assert "egress service reachable, 0 active recordings" in result


def line_of(about: str, shown: str) -> str:
    (line,) = (line for line in shown.splitlines() if line.split()[1] == about)
    return line
