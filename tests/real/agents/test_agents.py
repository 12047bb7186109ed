"""Agents of real workers: called when people come, again when one is lost, and sent away; never two."""

from pathlib import Path

from tests.real.agents.harness import agent_site
from tests.support.embedded import Server
from tests.support.wait import until


async def test_agents_come_with_the_first_person_and_go_with_their_entry(
    tmp_path: Path, mongodb: Server
) -> None:
    """A named and the unnamed one; LiveKit itself sends none into the room, and one into a room without."""
    async with (
        agent_site(tmp_path, mongodb.uri) as site,
        site.worker("helper") as helper,
        site.worker(""),
        site.run(),
    ):
        site.write("hall", agents=[{"name": "helper", "metadata": "be kind"}, ""])
        site.write("plain")
        await site.converged()
        await site.until_agents("plain", "")
        assert await site.agents("hall") == []
        assert (await site.until_said("hall", "Idle")).status == "False"
        async with site.never_two("hall"), site.person("hall"):
            await site.until_agents("hall", "helper", "")
            assert (await site.until_said("hall", "Inside")).message == '"helper", the unnamed agent inside'
            assert [(job.room, job.metadata) for job in helper.jobs] == [
                (await site.room_name("hall"), "be kind")
            ]
            site.edit("hall", agents=[""])
            await site.until_agents("hall", "")
            site.edit("hall", agents=["", "helper"])
            await site.until_agents("hall", "helper", "")
        await site.until_agents("hall", within=90)
        assert (await site.until_said("hall", "Idle")).status == "False"


async def test_a_worker_that_comes_later_and_one_that_dies_are_made_up_for(
    tmp_path: Path, mongodb: Server
) -> None:
    async with agent_site(tmp_path, mongodb.uri) as site, site.run():
        site.write("hall", agents=["helper"])
        await site.converged()
        async with site.never_two("hall"), site.person("hall"):
            assert "start one" in (await site.until_said("hall", "NoWorker")).message
            async with site.worker("helper"):
                await site.until_agents("hall", "helper")
                await site.until_said("hall", "Inside")
            await site.until_said("hall", "Lost")
            async with site.worker("helper") as worker:
                await site.until_agents("hall", "helper")
                await site.until_said("hall", "Inside")
                jobs = len(worker.jobs)
                worker.kill_job()
                await site.until_said("hall", "Lost")
                await site.until_said("hall", "Inside")
                assert len(worker.jobs) == jobs + 1
    events = await site.verb("events", "hall", "--type", "agent", "-o", "json")
    assert events.code == 0


async def test_an_agent_outlives_a_restart_of_livekit(tmp_path: Path, mongodb: Server) -> None:
    async with agent_site(tmp_path, mongodb.uri) as site, site.run(), site.worker("helper") as worker:
        site.write("hall", agents=["helper"])
        await site.converged()
        async with site.never_two("hall"), site.person("hall") as ann:
            await site.until_said("hall", "Inside")
            await site.livekit.restart()
            await site.converged()

            async def both_are_back() -> bool:
                listed = await site.reader.participants(await site.room_name("hall"))
                return {"ann"} < {one.identity for one in listed} and await site.agents("hall") == ["helper"]

            await until(both_are_back, 90)
            await site.until_said("hall", "Inside")
            assert ann.room.isconnected()
            assert len(worker.jobs) in (1, 2)
