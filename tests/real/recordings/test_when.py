"""When a recording begins and ends, on a real LiveKit with Redis and a worker."""

from pathlib import Path

from controller.access.people import is_person
from tests.real.recordings.harness import recording_site
from tests.support.embedded import Server
from tests.support.wait import until


async def test_the_first_person_begins_it_and_the_last_ends_it(tmp_path: Path, mongodb: Server) -> None:
    """By webhooks alone: the resync is an hour away."""
    async with recording_site(tmp_path, mongodb.uri, ROOMCTL_RESYNC_SECONDS="3600") as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            await site.until_recording("stage", "False", "Idle")
            async with site.person("stage"):
                egress = await site.recorded("stage")
                assert egress.file.startswith("/recordings/stage/")
            (row,) = await site.ended("stage", "complete")
            await site.until_recording("stage", "False", "Idle")
        assert (row.egress_id, row.file, row.error) == (egress.id, egress.file, "")
        assert row.size > 0
        assert site.stack.worker.file(row.file).stat().st_size == row.size


async def test_without_webhooks_a_resync_begins_and_ends_it(tmp_path: Path, mongodb: Server) -> None:
    async with recording_site(tmp_path, mongodb.uri, hooks=False) as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            async with site.person("stage"):
                await site.recorded("stage")
            await site.ended("stage", "complete")


async def test_hidden_people_are_nobody(tmp_path: Path, mongodb: Server) -> None:
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        site.write("other", record=True)
        async with site.run():
            await site.converged()
            async with site.person("stage", "ghost", hidden=True), site.person("other"):
                await site.recorded("other")
                await site.until_recording("stage", "False", "Idle")
            assert {row.key for row in await site.rows()} == {"other"}


async def test_a_stop_ends_it_before_the_room_goes(tmp_path: Path, mongodb: Server) -> None:
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            async with site.person("stage"):
                await site.recorded("stage")
                site.edit("stage", active=False)
                (row,) = await site.ended("stage", "complete")
            assert row.error == ""


async def test_record_false_ends_it_and_leaves_the_people(tmp_path: Path, mongodb: Server) -> None:
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            async with site.person("stage"):
                await site.recorded("stage")
                site.edit("stage", record=False)
                await site.ended("stage", "complete")
                await site.until_condition("stage", "Recording", None)
                assert [p.identity for p in await site.people("stage") if is_person(p)] == ["ann"]


async def test_another_record_mode_goes_on_in_a_second_file(tmp_path: Path, mongodb: Server) -> None:
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            async with site.person("stage"):
                first = await site.recorded("stage")
                site.edit("stage", record_mode="ROOM_COMPOSITE_SPEAKER")
                await site.ended("stage", "complete", "recording")
                second = await site.recorded("stage")
                assert (first.layout, second.layout) == ("grid", "speaker")
                assert first.file != second.file


async def test_the_recorder_keeps_nobody_out_and_no_room_alive(tmp_path: Path, mongodb: Server) -> None:
    """A full room of one has a recorder beside that one, and a prune waits for people alone."""
    async with recording_site(tmp_path, mongodb.uri, ROOMCTL_RECORDING_IDLE_SECONDS="3600") as site:
        site.write("stage", record=True, max_participants=1)
        site.write("other")
        async with site.run():
            await site.converged()
            async with site.person("stage"):
                await site.recorded("stage")
            room_id = (await site.record("stage")).id

            async def let_in() -> bool:
                return (await site.ask_token(room_id, "bob")).status == 200

            await until(let_in)  # as soon as LiveKit and the helper know that ann has left
            site.remove("stage")

            async def gone() -> bool:
                return (await site.records())["stage"].removed

            await until(gone, 60)
            await site.ended("stage", "complete")
