"""A Redis that lost its data lists nobody of those who are inside: they stay, and are recorded again."""

from pathlib import Path

from controller.live.room import LiveRoom
from controller.records.recordings import RecordingState
from tests.real.recordings.harness import recording_site
from tests.support.embedded import Server
from tests.support.wait import until

LONG = 180.0


async def test_they_are_recorded_again(tmp_path: Path, mongodb: Server) -> None:
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            async with site.person("stage"):
                first = await site.recorded("stage")
                await site.stack.redis.flush()

                async def again() -> bool:
                    states = {row.egress_id: row.state for row in await site.rows()}
                    others = {state for egress_id, state in states.items() if egress_id != first.id}
                    return states[first.id] != RecordingState.RECORDING and RecordingState.RECORDING in others

                await until(again, LONG)
                await site.until_recording("stage", "True", within=LONG)


async def test_a_room_whose_manifest_is_gone_waits_for_them(tmp_path: Path, mongodb: Server) -> None:
    async with recording_site(tmp_path, mongodb.uri, keeps=False) as site:
        site.write("stage")
        site.write("kept")
        async with site.run():
            name = (await site.converged())["stage"].live
            assert name is not None
            async with site.person("stage") as ann:
                site.stack.redis.kill()
                await site.stack.redis.start()
                await site.until_live(lambda live: _counted(live.get(name.name)) == 1, LONG)
                assert not await site.people("stage")
                site.remove("stage")
                await site.until_condition("stage", "Deferred", "True", LONG)
                await site.another_pass()
                assert not ann.left.done()
            await site.until_live(lambda live: name.name not in live, LONG)


def _counted(room: LiveRoom | None) -> int:
    return room.num_participants if room is not None else 0
