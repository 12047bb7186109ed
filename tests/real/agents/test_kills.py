"""The controller is killed at the call of an agent: the next one calls no second agent, and one comes."""

from pathlib import Path

import pytest

from tests.real.agents.harness import agent_site
from tests.support.embedded import Server
from tests.support.proxy import Fate, Message, Proxy, http, kill


@pytest.mark.parametrize("point", ["before", "after"])
async def test_a_controller_killed_at_the_call_brings_no_second_agent(
    tmp_path: Path, mongodb: Server, point: str
) -> None:
    async with (
        agent_site(tmp_path, mongodb.uri) as site,
        Proxy(site.livekit.port, http) as proxy,
        site.worker("helper") as worker,
    ):
        site.reach(f"http://127.0.0.1:{proxy.port}")
        site.write("hall", agents=["helper"])
        controller = site.start("run")
        await controller.ready()
        await site.converged()

        async def met(message: Message) -> Fate:
            if message.label != "CreateDispatch":
                return Fate.PASS
            if point == "before":
                return await kill(controller.pid)(message)
            proxy.after[message.number] = kill(controller.pid)
            return Fate.PASS

        proxy.request = met
        async with site.never_two("hall"), site.person("hall"):
            await controller.end()
            proxy.request = None
            async with site.run():
                await site.until_said("hall", "Inside")
                assert await site.agents("hall") == ["helper"]
                assert len(worker.jobs) == 1
