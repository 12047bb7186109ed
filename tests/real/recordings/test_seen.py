"""What people see of a recording, for longer than LiveKit knows of it: condition, verb, metrics and log."""

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controller.errors import LiveKitError
from tests.real.recordings.harness import RecordingSite, recording_site
from tests.support.embedded import Server
from tests.support.wait import until


@pytest.fixture
async def site(tmp_path: Path, mongodb: Server) -> AsyncIterator[RecordingSite]:
    async with recording_site(tmp_path, mongodb.uri) as opened:
        opened.write("stage", record=True)
        yield opened


async def listed(site: RecordingSite, *words: str) -> list[dict[str, Any]]:
    """`roomctl recordings -o json`."""
    ended = await site.verb("recordings", *words, "-o", "json")
    assert ended.code == 0, ended.err
    shown: list[dict[str, Any]] = json.loads(ended.out)
    return shown


async def condition(site: RecordingSite, key: str) -> dict[str, Any]:
    """The condition Recording, as `roomctl get -o json` has it."""
    (room,) = json.loads((await site.verb("get", key, "-o", "json")).out)
    (current,) = [one for one in room["status"]["conditions"] if one["type"] == "Recording"]
    return dict(current)


async def metric(site: RecordingSite, name: str) -> float:
    """The value of the line that begins with `name`, labels and all; 0 where there is none."""
    url = f"http://127.0.0.1:{site.private}/metrics"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        match = re.search(rf"^{re.escape(name)} (\S+)$", await answer.text(), re.MULTILINE)
    return float(match[1]) if match else 0.0


async def until_metric(site: RecordingSite, name: str, value: float) -> None:
    async def so() -> bool:
        return await metric(site, name) == value

    await until(so, 60)


async def test_while_it_goes_on_the_condition_says_where_and_since_when(site: RecordingSite) -> None:
    async with site.run():
        await site.converged()
        async with site.person("stage"):
            egress = await site.recorded("stage")
            current = await condition(site, "stage")
            wide = (await site.verb("get", "-o", "wide")).out.splitlines()
            assert egress.started is not None
    assert (current["status"], current["reason"]) == ("True", "Recording")
    file, _, since = current["message"].partition(", since ")
    assert file == egress.file
    assert datetime.fromisoformat(since) == egress.started
    cells = dict(zip(wide[0].split(), wide[1].split(), strict=True))
    assert cells["RECORDING"] == "Recording"


async def test_the_verb_shows_it_while_it_goes_on_and_when_it_is_there(site: RecordingSite) -> None:
    async with site.run():
        await site.converged()
        async with site.person("stage"):
            egress = await site.recorded("stage")
            (running,) = await listed(site, "stage")
        (row,) = await site.ended("stage", "complete")
        (done,) = await listed(site)
        table = (await site.verb("recordings")).out
    assert (running["state"], running["ended"], running["bytes"]) == ("recording", None, 0)
    assert running["seconds"] > 0
    assert done == {
        "key": "stage",
        "room_id": row.room_id,
        "egress_id": egress.id,
        "file": egress.file,
        "started": done["started"],
        "ended": done["ended"],
        "seconds": round(row.seconds, 3),
        "bytes": row.size,
        "state": "complete",
        "error": None,
    }
    assert datetime.fromisoformat(done["ended"]) > datetime.fromisoformat(done["started"])
    assert table.splitlines()[1].split()[:2] == ["stage", "complete"]
    assert table.splitlines()[1].endswith(egress.file)


async def test_the_metrics_count_it(site: RecordingSite) -> None:
    async with site.run():
        await site.converged()
        async with site.person("stage"):
            await site.recorded("stage")
            await until_metric(site, "roomctl_recording", 1)
        (row,) = await site.ended("stage", "complete")
        await until_metric(site, 'roomctl_recordings_total{state="complete"}', 1)
        await until_metric(site, "roomctl_recording", 0)
        seconds = await metric(site, "roomctl_recorded_seconds_total")
    assert seconds == pytest.approx(row.seconds, abs=0.001)


async def test_the_metrics_count_what_failed(site: RecordingSite) -> None:
    async with site.run():
        await site.converged()
        async with site.person("stage"):
            egress = await site.recorded("stage")
            await site.stack.worker.fail(egress.id)
            await site.ended("stage", "failed", "recording")
            await until_metric(site, 'roomctl_recordings_total{state="failed"}', 1)
            await until_metric(site, 'roomctl_recording_failures_total{reason="Failed"}', 1)


async def test_the_log_tells_of_its_life(site: RecordingSite) -> None:
    async with site.run() as controller:
        await site.converged()
        async with site.person("stage"):
            await site.recorded("stage")
        (row,) = await site.ended("stage", "complete")
        await controller.until_logged("recording finished", state="complete")
        (begun,) = controller.said("recording started")
        ends = controller.said("recording stopping")
        (done,) = controller.said("recording finished", state="complete")
    assert (begun["key"], begun["egress_id"], begun["file"]) == ("stage", row.egress_id, row.file)
    assert {(one["egress_id"], one["reason"]) for one in ends} == {(row.egress_id, "no participants left")}
    assert (done["file"], done["size_bytes"], done["error"]) == (row.file, row.size, "")


async def test_one_that_failed_stays_named_when_all_have_left(site: RecordingSite) -> None:
    """An output is refused at the end: who looks in the morning finds it said."""
    await site.stack.worker.set(refuse_output="access denied")
    async with site.run() as controller:
        await site.converged()
        async with site.person("stage"):
            await site.recorded("stage")
        (row,) = await site.ended("stage", "failed")
        await controller.until_logged("recording finished", state="failed", error=row.error)
        assert await site.until_recording("stage", "False", "Failed") == row.error
        await site.another_pass()
        current = await condition(site, "stage")
    assert (current["status"], current["reason"], current["message"]) == ("False", "Failed", row.error)
    assert row.error.startswith("could not write the output: ")


async def test_it_is_listed_when_livekit_has_forgotten_it(site: RecordingSite) -> None:
    async with site.run():
        await site.converged()
        async with site.person("stage"):
            egress = await site.recorded("stage")
        await site.ended("stage", "complete")
        before = await listed(site)
        await site.stack.redis.flush()
        with pytest.raises(LiveKitError):
            await site.reader.recording(egress.id)
        await site.another_pass()
        assert await listed(site) == before
