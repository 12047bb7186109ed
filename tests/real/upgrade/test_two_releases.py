"""The first release and this one on one database, taking turns: nothing is lost, and nothing flaps."""

from pathlib import Path
from typing import Any

from tests.real.upgrade.documents import Documents, earlier_release, running
from tests.support.controller import Site
from tests.support.wait import until

UNKNOWN_TO_THE_FIRST = {"reader": 1, "later": {"a": 1}}


async def since(documents: Documents, *keys: str) -> dict[str, Any]:
    """When each room's conditions last changed."""
    return {
        key: [
            (c["type"], c["status"], c["lastTransitionTime"])
            for c in (await documents.get(key))["status"]["conditions"]
        ]
        for key in keys
    }


async def test_two_releases_take_turns_on_one_database(site: Site, tmp_path: Path) -> None:
    site.write("still", allow_chat=True)
    site.write("edited")
    async with site.twin("first") as first, Documents.of_site(site) as documents:
        code = earlier_release(tmp_path)
        async with running(first, code) as old:
            before = await site.converged()
            steady = await since(documents, "still")
            for record in before.values():
                await documents.update(record.id, {"$set": UNKNOWN_TO_THE_FIRST})
            async with site.run() as new:
                site.edit("edited", allow_chat=True)
                await site.converged()
                assert await old.stop() == 0
                await site.until_leader(True)
                site.edit("edited", allow_share_screen=True)
                await site.converged()
                async with running(first, code) as back:
                    assert await new.stop() == 0
                    await first.until_leader(True)
                    site.edit("edited", max_participants=12)
                    await site.converged()
                    site.edit("edited", allow_chat=False)
                    after = await site.converged()
                    assert not [e for e in back.events if e.get("log_level") == "error"]
        assert {key: record.id for key, record in after.items()} == {k: r.id for k, r in before.items()}
        assert after["still"].live == before["still"].live
        assert after["still"].generation == before["still"].generation
        assert await since(documents, "still") == steady
        for key in before:
            document = await documents.get(key)
            assert {name: document[name] for name in UNKNOWN_TO_THE_FIRST} == UNKNOWN_TO_THE_FIRST, key

        async def unchanged() -> bool:
            return (await site.plan()).empty

        async with site.run():  # the first release wrote metadata in its own form
            await until(unchanged)
            assert (await site.converged())["still"].live == before["still"].live
