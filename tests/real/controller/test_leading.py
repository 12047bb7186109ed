"""Who leads: one who sees LiveKit, and who does no harm with an older checkout."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.reconcile.trackers import PRUNE_GRACE_SECONDS
from controller.records import open_store
from controller.records.replicas import Replica
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.proxy import Proxy, http
from tests.support.wait import until


class Replicas:
    """Two sites on one database, the first behind a proxy before LiveKit."""

    def __init__(self, first: Site, second: Site, link: Proxy) -> None:
        self.first, self.second, self.link = first, second, link

    async def documents(self) -> dict[int, Replica]:
        """What the replicas say of themselves, by process."""
        access = replace(self.first.access, read_only=True)
        async with open_store(access) as store:
            return {each.pid: each for each in await store.replicas.all()}


@pytest.fixture
async def replicas(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Replicas]:
    async with (
        Proxy(livekit.port, http) as link,
        Site(tmp_path, livekit, mongodb=mongodb.uri, url=link.url) as first,
        first.twin("second") as second,
    ):
        second.reach(livekit.url)
        yield Replicas(first, second, link)


async def test_each_replica_says_what_it_sees_until_it_ends(replicas: Replicas) -> None:
    replicas.first.write("talk")
    async with replicas.first.run() as one, replicas.second.run() as two:
        await replicas.first.converged()

        async def both_have_read() -> bool:
            said = await replicas.documents()
            return {one.pid, two.pid} == said.keys() and all(each.revision for each in said.values())

        await until(both_have_read)
        said = await replicas.documents()
        assert said[one.pid].revision == said[two.pid].revision
        assert {each.rooms_dir for each in said.values()} == {"ok"}
        assert all(each.livekit_age_s is not None for each in said.values())
        assert all(abs(each.clock_ahead_s or 9.0) < 5 for each in said.values())
        assert await two.stop() == 0
        assert (await replicas.documents()).keys() == {one.pid}


async def test_holder_that_cannot_reach_livekit_gives_way_to_one_that_can(replicas: Replicas) -> None:
    replicas.first.write("talk")
    async with replicas.first.run() as one:
        record = (await replicas.first.converged())["talk"]
        async with replicas.second.run() as two:
            await replicas.link.refuse()
            await one.until_logged("lease given up")
            await replicas.second.until_leader(True)
            replicas.first.write("more")
            assert (await replicas.second.converged())["talk"].live == record.live
            await replicas.link.accept()
            await one.until_logged("dependency recovered", dependency="livekit")
            assert len(one.said("lease acquired")) == 1, "the other one keeps it"
            assert two.running


class Checkouts:
    """The rooms directories of two replicas: git clones, or plain folders."""

    def __init__(self, newer: Path, older: Path, *, git: bool) -> None:
        self.newer, self.older, self.git = newer, older, git
        if git:
            _git(newer, "init", "--quiet", "--initial-branch=main")

    def divide(self) -> None:
        """The older one is as the newer one is now, and stays behind from now on."""
        if self.git:
            self.commit()
            _git(self.newer, "clone", "--quiet", str(self.newer), str(self.older))
        else:
            shutil.copytree(self.newer, self.older)

    def commit(self) -> None:
        if self.git:
            _git(self.newer, "add", "--all")
            _git(self.newer, "commit", "--quiet", "--message", "Change the rooms")

    def catch_up(self) -> None:
        """The older one gets what the newer one has."""
        if self.git:
            _git(self.older, "pull", "--quiet", "--ff-only")
        else:
            shutil.copytree(self.newer, self.older, dirs_exist_ok=True)


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    subprocess.run(("git", "-C", str(folder), *who, *words), check=True)


@pytest.mark.parametrize("git", [False, True], ids=["folders", "git"])
async def test_replica_with_an_older_checkout_removes_nothing(
    replicas: Replicas, tmp_path: Path, git: bool
) -> None:
    first, second = replicas.first, replicas.second
    checkouts = Checkouts(first.rooms_dir, tmp_path / "old-checkout", git=git)
    first.write("talk")
    checkouts.divide()
    first.write("new")
    first.edit("talk", allow_chat=True)
    checkouts.commit()
    async with first.run() as one:
        await first.converged()
        async with second.run(ROOMCTL_ROOMS_DIR=str(checkouts.older)) as two:

            async def is_warned_of() -> bool:
                shown = (await first.verb("status")).out
                return "(RevisionDiffers)" in shown and (", commit " in shown) is git

            await until(is_warned_of)
            await one.kill()
            await second.until_leader(True)
            await two.until_logged("manifest changes withheld", reason="RevisionDiffers")
            await first.writer.delete_room(await first.room_name("new"))
            await first.converged()  # it heals
            await asyncio.sleep(PRUNE_GRACE_SECONDS + 2)  # nothing is to happen
            assert await first.difference() == ""
            assert len(two.said("manifest changes withheld")) == 1
            assert (await first.verb("status")).code == 3
            first.write("later")
            checkouts.commit()
            checkouts.catch_up()  # its own manifests change now: they are the newest
            await first.converged()
