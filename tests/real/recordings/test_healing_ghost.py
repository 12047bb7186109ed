"""A worker that went without a word leaves an entry that says ACTIVE for ever."""

from pathlib import Path

from tests.real.recordings.harness import recording_site
from tests.support.embedded import Server


async def test_a_worker_killed_without_a_word_is_named_and_the_next_takes_over(
    tmp_path: Path, mongodb: Server
) -> None:
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        async with site.run() as controller:
            await site.converged()
            async with site.person("stage") as ann:
                first = await site.recorded("stage")
                site.stack.worker.kill()
                assert first.id in await site.until_recording("stage", "False", "WorkerLost", within=180)
                await site.stack.worker.start()
                rows = await site.ended("stage", "lost", "recording", within=180)
                assert rows[0].egress_id == first.id
                assert f"/home/egress/tmp/{first.id}" in rows[0].error
                assert rows[0].recorded_from is not None
                await site.until_recording("stage", "True")
                assert not ann.left.done()
            await site.ended("stage", "lost", "complete")
            assert controller.said("recording finished", state="lost", key="stage", egress_id=first.id)
            await site.until_recording("stage", "False", "Idle")
