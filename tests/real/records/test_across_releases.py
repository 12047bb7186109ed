"""What other releases have stored is read, kept, and restored; on every database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.errors import StoreConflictError
from controller.manifests.snapshot import ManifestRoom, SourcePosition
from controller.records.codec import RECORD_SCHEMA, encode
from controller.records.record import LiveName, Recording, RoomRecord, Status, UnusableReason
from controller.room import RoomSpec
from tests.real.records.conftest import Database
from tests.support.rooms import NOW, room, status

LATER = NOW + timedelta(minutes=1)
STORED = replace(
    room(live="one").with_live_name("two", NOW).with_sid("RM_2"),
    recording=Recording(NOW, "two", "/recordings/a.mp4", "EG_1"),
    generation=2,
    status=status(1),
)


WANTED = ManifestRoom(
    "events/room-1", "a.yaml", RoomSpec(name="As written", max_participants=3), SourcePosition(1, 1)
)


class Documents:
    """The collection `rooms`, past the store."""

    def __init__(self, database: Database) -> None:
        self.rooms = database.client[database.name]["rooms"]

    async def put(self, record: RoomRecord, **fields: Any) -> None:
        """Store the record as it is, but for these fields; None removes one."""
        document = {**encode(record), **fields}
        document = {
            name: value for name, value in document.items() if name not in fields or value is not None
        }
        await self.rooms.replace_one({"_id": record.id}, document, upsert=True)

    async def get(self) -> dict[str, Any]:
        document = await self.rooms.find_one({"_id": room().id})
        assert document is not None
        return dict(document)


WRITES = {
    "edit": lambda r: r.with_spec(RoomSpec(name="Edited", max_participants=3), r.key, r.file, LATER),
    "stop": lambda r: r.without_live_name(LATER),
    "restart": lambda r: r.with_live_name("three", LATER),
    "sid": lambda r: r.with_sid("RM_3"),
    "status": lambda r: r.with_status(status(2)),
    "recording": lambda r: r.with_recording(replace(r.recording, empty_since=LATER)),
    "revoke": lambda r: r.with_next_invite_epoch(),
    "remove": lambda r: r.with_tombstone(LATER),
    "forget a name": lambda r: r.without_retired(frozenset({"zero"})),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_field_of_a_newer_release_survives_every_write(database: Database, write: Any) -> None:
    store, documents = database.store(), Documents(database)
    await store.refresh()
    document = encode(STORED)
    retired = [{"name": "zero", "at": NOW}, {"name": "one", "at": NOW, "later": 3}]
    await documents.put(
        STORED,
        later={"a": 1},
        spec=document["spec"] | {"later": {"a": 1}},
        status=document["status"] | {"later": 2},
        retired=retired,
    )
    store.invalidate()
    await store.refresh()
    before = store.by_id[room().id]
    await store.save(before, write(before))
    after = await documents.get()
    assert (after["later"], after["spec"]["later"], after["status"]["later"]) == ({"a": 1}, {"a": 1}, 2)
    assert {"name": "one", "at": NOW, "later": 3} in after["retired"]


@pytest.mark.parametrize("part", ["live", "recording"])
async def test_field_of_a_newer_release_survives_in_a_part_that_stays(database: Database, part: str) -> None:
    store, documents = database.store(), Documents(database)
    await store.refresh()
    await documents.put(STORED, **{part: encode(STORED)[part] | {"later": 4}})
    store.invalidate()
    await store.refresh()
    before = store.by_id[room().id]
    assert before.recording is not None
    noted = before.with_recording(replace(before.recording, empty_since=LATER))
    await store.save(before, noted.with_sid("RM_3"))
    assert (await documents.get())[part]["later"] == 4


ABSENT = ("origin", "created", "modified", "generation", "status", "retired", "reader", "invite_epoch")


@pytest.mark.parametrize("field", [*ABSENT, "file", "removed_at", "live", "sid", "recording"])
async def test_record_without_a_field_is_read_and_can_be_written(database: Database, field: str) -> None:
    store, documents = database.store(), Documents(database)
    await store.refresh()
    await documents.put(STORED, **{field: None})
    store.invalidate()
    await store.refresh()
    assert not store.unusable
    before = store.by_id[room().id]
    said = Status(before.generation, status(1).conditions)
    completed = await store.save(before, before.completed().with_status(said))
    edited = completed.with_spec(RoomSpec(name="Edited", max_participants=3), room().key, "a.yaml", LATER)
    named = (await store.save(completed, edited)).with_live_name("three", LATER).with_recording(None)
    await store.save(store.by_id[room().id], named.with_next_invite_epoch())
    other = database.store()
    await other.refresh()
    assert other.by_id[room().id] == store.by_id[room().id]
    assert other.by_id[room().id].live == LiveName("three")
    assert not other.by_id[room().id].incomplete


@pytest.mark.parametrize(
    ("field", "stored"),
    [
        ("spec", {**encode(STORED)["spec"], "record_mode": "ROOM_COMPOSITE_X", "later": 1}),
        ("spec", {name: v for name, v in encode(STORED)["spec"].items() if name != "name"}),
        ("spec", "a room"),
        ("live", "two"),
        ("status", {"conditions": 7}),
        ("retired", {"name": "one"}),
        ("generation", "first"),
        ("invite_epoch", [1]),
        ("created", "yesterday"),
    ],
)
async def test_damaged_record_is_restored(database: Database, field: str, stored: Any) -> None:
    store, documents = database.store(), Documents(database)
    await store.refresh()
    await documents.put(STORED, **{field: stored})
    store.invalidate()
    await store.refresh()
    damaged = store.unusable[room().id]
    assert damaged.reason is UnusableReason.RECORD_DAMAGED
    wanted = WANTED if damaged.needs_manifest else None
    restored = await store.restore(damaged, damaged.restored(wanted, LATER))
    other = database.store()
    await other.refresh()
    assert other.by_id == store.by_id
    assert not other.unusable
    assert not store.unusable
    if field != "live":
        assert restored.live == STORED.live
    if isinstance(stored, dict) and "later" in stored:
        assert (await documents.get())["spec"]["later"] == 1


async def test_record_that_is_mended_by_hand_meanwhile_is_not_overwritten(database: Database) -> None:
    store, documents = database.store(), Documents(database)
    await store.refresh()
    await documents.put(STORED, live="two")
    store.invalidate()
    await store.refresh()
    damaged = store.unusable[room().id]
    await documents.put(STORED)
    with pytest.raises(StoreConflictError):
        await store.restore(damaged, damaged.restored(None, LATER))
    await store.refresh()
    assert store.by_id[room().id] == STORED


async def test_last_good_record_is_kept_for_guests_unless_a_newer_release_took_over(
    database: Database,
) -> None:
    store, documents = database.store(), Documents(database)
    await store.refresh()
    await store.insert(STORED)
    await documents.put(STORED, spec=7)
    store.invalidate()
    assert await store.refresh()
    assert store.by_id == {STORED.id: STORED}
    await documents.put(STORED, reader=RECORD_SCHEMA + 1)
    store.invalidate()
    assert await store.refresh()
    assert store.by_id == {}
    assert store.unusable[STORED.id].reason is UnusableReason.NEWER_RELEASE


async def test_new_record_carries_its_reader(database: Database) -> None:
    store = database.store()
    await store.refresh()
    await store.insert(room())
    assert (await Documents(database).get())["reader"] == 1
