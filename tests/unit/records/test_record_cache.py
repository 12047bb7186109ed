"""The records in memory: by id, key and LiveKit name, whatever is written and read."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controller.records.record import LiveName, RoomRecord
from controller.records.record_cache import RecordCache
from tests.support.rooms import room

IDS = [room(number).id for number in range(4)]
NAMES = st.sampled_from([None, "one", "two", "three"])


@st.composite
def records(draw: st.DrawFn) -> RoomRecord:
    name = draw(NAMES)
    changed = replace(room(draw(st.integers(0, 3))), live=LiveName(name) if name is not None else None)
    return replace(changed, key=draw(st.sampled_from(["a", "b", "c", "d"])))


def consistent(cache: RecordCache) -> bool:
    keys = {record.key for record in cache.by_id.values()}
    names = {record.live.name for record in cache.by_id.values() if record.live is not None}
    by_key = all(cache.by_id[r.id] is r and r.key == key for key, r in cache.by_key.items())
    by_live = all(
        cache.by_id[r.id] is r and r.live is not None and r.live.name == name
        for name, r in cache.by_live.items()
    )
    return by_key and by_live and set(cache.by_key) <= keys and set(cache.by_live) <= names


@given(st.lists(st.one_of(records(), st.sampled_from(IDS)), max_size=12))
def test_each_name_leads_to_a_record_that_has_it(writes: list[RoomRecord | str]) -> None:
    cache = RecordCache()
    for write in writes:
        cache.put({write: None} if isinstance(write, str) else {write.id: write})
        assert consistent(cache)


def test_a_write_and_a_full_read_are_the_same() -> None:
    before, after = room(1, live="one"), replace(room(1, live="two"), key="moved")
    written, read = RecordCache(), RecordCache()
    for cache in (written, read):
        cache.put({before.id: before, room(2).id: room(2)})
    written.put({before.id: after})
    read.replace([after, room(2)])
    for name in ("by_id", "by_key", "by_live"):
        assert getattr(written, name) == getattr(read, name)
    assert list(written.by_id) == [before.id, room(2).id]
