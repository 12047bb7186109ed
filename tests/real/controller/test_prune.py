"""What goes when its manifest is gone, and when: ten seconds of absence, and an empty room.

Ten seconds are waited for once: everything that may go, and everything that may not, is tried side by side.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.plan.model import BlockReason
from controller.reconcile.trackers import PRUNE_GRACE_SECONDS
from tests.support.controller import Controller, Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary
from tests.support.wait import until

SETTLED = timedelta(seconds=PRUNE_GRACE_SECONDS - 0.1)
"""For how long a manifest was absent before its room goes; clocks differ a little."""


async def test_a_room_goes_after_ten_seconds_of_absence_once_nobody_is_inside(site: Site) -> None:
    for key in ("empty", "busy", "flicker", "stays"):
        site.write(key)
    async with site.run():
        before = await site.converged()
        async with canary(site.livekit.ws_url, await site.token(before["busy"].id, "ann")) as ann:
            absent = datetime.now(UTC)
            site.remove("empty", "busy", "flicker")
            await site.another_pass()  # 'flicker' was missed, and comes back
            site.write("flicker")
            await _removed(site, "empty")
            await _waited(site, "empty", absent)
            await site.until_condition("busy", "Deferred", "True")
            assert ann.inside
            assert (await site.find(before["busy"].id)).status == 200, "it is in full service meanwhile"
            assert (await site.find(before["empty"].id)).status == 404
            records = await site.records()
            assert not records["busy"].removed
            assert records["flicker"].live == before["flicker"].live
        await _removed(site, "busy")
        await site.converged()
        site.write("empty", allow_chat=True)
        back = (await site.converged())["empty"]
        assert back.id == before["empty"].id
        assert back.live is not None
        assert back.live != before["empty"].live


@asynccontextmanager
async def _standing(site: Site, rooms: int) -> AsyncIterator[Controller]:
    """A controller with so many rooms live."""
    for number in range(rooms):
        site.write(f"room-{number}")
    async with site.run() as controller:
        await site.converged()
        yield controller


def _missing(site: Site) -> None:
    site.rooms_dir.rename(site.folder / "elsewhere")


def _emptied(site: Site) -> None:
    for file in site.rooms_dir.iterdir():
        file.unlink()


def _a_file(site: Site) -> None:
    _missing(site)
    site.rooms_dir.write_text("no folder")


def _a_loop(site: Site) -> None:
    """Unreadable for root as well."""
    _missing(site)
    site.rooms_dir.symlink_to(site.rooms_dir)


def _with_a_wrong_stranger(site: Site) -> None:
    """A file that stands for no room on record, and two that are gone."""
    site.spoil("stranger")
    site.remove("room-0", "room-1")


def _half_wrong(site: Site) -> None:
    """Two are wrong: nobody's manifest is missing."""
    site.spoil("room-0")
    site.spoil("room-1", '{"name": "x", "max_participants": "yes"}')


HURT: dict[str, Callable[[Site], None]] = {
    "missing": _missing,
    "emptied": _emptied,
    "a file": _a_file,
    "a loop of links": _a_loop,
    "a wrong stranger": _with_a_wrong_stranger,
    "half of them wrong": _half_wrong,
}


async def test_no_room_goes_where_rooms_d_cannot_be_trusted(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    """A witness loses one manifest at the same time: when its room is gone, theirs would be too."""
    async with AsyncExitStack() as stack:
        sites = {}
        for place, kind in enumerate(["witness", *HURT]):
            site = Site(tmp_path / str(place), livekit, mongodb=mongodb.uri)
            sites[kind] = await stack.enter_async_context(site)
        await asyncio.gather(*(stack.enter_async_context(_standing(site, 4)) for site in sites.values()))
        before = {kind: await site.records() for kind, site in sites.items()}
        for kind, hurt in HURT.items():
            hurt(sites[kind])
        witness = sites["witness"]
        witness.remove("room-3")
        await asyncio.gather(*(sites[kind].another_pass() for kind in HURT))
        await _removed(witness, "room-3")
        await asyncio.gather(*(sites[kind].another_pass() for kind in HURT))
        for kind in HURT:
            after = await sites[kind].records()
            names = {key: record.live for key, record in after.items() if not record.removed}
            assert names == {key: record.live for key, record in before[kind].items()}, kind
            assert len(await sites[kind].ours()) == 4, kind


async def test_with_a_controller_that_is_started_anew_the_ten_seconds_begin_again(site: Site) -> None:
    async with _standing(site, 4) as controller:
        site.remove("room-3")
        await site.another_pass()
        await controller.stop()
        assert not (await site.record("room-3")).removed
        anew = datetime.now(UTC)
        async with site.run():
            await _removed(site, "room-3")
            await _waited(site, "room-3", anew)


async def test_a_wrong_manifest_keeps_its_own_room_as_it_was_and_no_other(site: Site) -> None:
    site.write("good")
    site.write("bad", allow_chat=True)
    async with site.run() as controller:
        before = await site.converged()
        site.spoil("bad", '{"name": "bad",\n"max_participants": 10,\n"allow_chat": "yes"}')
        site.edit("good", allow_chat=True)
        site.write("late")
        await site.until_condition("bad", "ManifestValid", "False")
        await site.until_condition("late", "Ready", "True")
        await site.until_record("good", lambda good: good.spec.allow_chat)
        records = await site.records()
        assert (records["bad"].spec, records["bad"].live) == (before["bad"].spec, before["bad"].live)
        condition = records["bad"].status.condition("ManifestValid")
        assert condition is not None
        assert condition.message.startswith("bad.json:3:15: ")
        ready = records["bad"].status.condition("Ready")
        assert ready is not None
        assert ready.status == "True", "it is as its last good spec wants it"
        await controller.until_logged("manifest invalid", file="bad.json", line=3, column=15)
        assert len(controller.said("manifest invalid")) == 1
        site.edit("bad", allow_chat=False)
        await site.until_condition("bad", "ManifestValid", "True")
        assert (await site.converged())["bad"].live == before["bad"].live


async def test_of_two_manifests_with_one_key_neither_is_applied(site: Site) -> None:
    site.write("one", allow_chat=True)
    async with site.run() as controller:
        before = (await site.converged())["one"]
        (site.rooms_dir / "two.yaml").write_text("name: two\nkey: one\nmax_participants: 5\n")
        await site.until_condition("one", "ManifestValid", "False")
        assert (await site.record("one")).spec == before.spec
        (site.rooms_dir / "two.yaml").unlink()
        await site.until_condition("one", "ManifestValid", "True")
        assert (await site.converged())["one"].live == before.live
        assert controller.running


async def test_half_of_the_manifests_gone_takes_none_until_leave_is_given(site: Site) -> None:
    async with _standing(site, 10) as controller:
        gone = [f"room-{number}" for number in range(5)]
        site.remove(*gone)
        await controller.until_logged("removals blocked", reason=str(BlockReason.TOO_MANY))
        assert len(await site.ours()) == 10
        refused = await site.verb("apply", "--allow-removals", "4", "--yes")
        assert refused.code == 3, refused
        assert all(word in refused.err for word in (*gone, "--allow-removals 4", "`roomctl run`, pid"))
        granted = await site.verb("apply", "--allow-removals", "5", "--yes")
        assert (granted.code, sorted(granted.out.split()[-5:])) == (0, gone), granted
        await _removed(site, *gone)
        await site.converged()


async def _removed(site: Site, *keys: str) -> None:
    """Return when the rooms are gone: their records are tombstones, and LiveKit has them no more."""
    names = {old.name for key in keys for old in (await site.record(key)).retired}
    names |= {record.live.name for key in keys if (record := await site.record(key)).live is not None}

    async def gone() -> bool:
        records = await site.records()
        return all(records[key].removed for key in keys) and not names & (await site.listed()).keys()

    await until(gone)


async def _waited(site: Site, key: str, since: datetime) -> None:
    """Its removal was written down ten seconds or more after `since`."""
    removed = (await site.record(key)).removed_at
    assert removed is not None
    assert removed - since >= SETTLED
