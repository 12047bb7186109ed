"""What went wrong with the last recording stays said of an empty room, also by the next controller."""

from pathlib import Path

import pytest

from tests.real.recordings.harness import RecordingSite, recording_site
from tests.support.controller import Controller
from tests.support.embedded import Server


async def fails_at_its_end(site: RecordingSite) -> str:
    """The output is refused, and all have left; what the condition says of it."""
    await site.stack.worker.set(refuse_output="access denied")
    async with site.person("stage"):
        await site.recorded("stage")
    (row,) = await site.ended("stage", "failed")
    assert await site.until_recording("stage", "False", "Failed") == row.error
    await site.stack.worker.set(refuse_output="")
    return row.error


async def end(controller: Controller, *, gently: bool) -> None:
    if gently:
        assert await controller.stop() == 0
    else:
        await controller.kill()


@pytest.mark.parametrize("gently", [True, False], ids=["stopped", "killed"])
async def test_a_restart_forgets_no_failure_and_the_next_recording_ends_it(
    tmp_path: Path, mongodb: Server, *, gently: bool
) -> None:
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        async with site.run() as first:
            await site.converged()
            error = await fails_at_its_end(site)
            await end(first, gently=gently)
        said = (await site.record("stage")).status.condition("Recording")
        async with site.run():
            await site.until_leader(True)
            await site.another_pass()
            assert said == (await site.record("stage")).status.condition("Recording")
            assert said is not None
            assert (said.reason, said.message) == ("Failed", error)
            async with site.person("stage"):
                await site.recorded("stage")
            await site.ended("stage", "failed", "complete")
            await site.until_recording("stage", "False", "Idle")
