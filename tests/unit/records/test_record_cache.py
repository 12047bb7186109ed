"""What this process knows of the records."""

from dataclasses import replace

from controller.records.record_cache import RecordCache
from tests.support.rooms import room


def test_both_ways_of_finding_a_record_agree() -> None:
    memory = RecordCache()
    memory.put({room(1).id: room(1), room(2).id: room(2)})
    moved = replace(room(1), key="moved")
    memory.put({moved.id: moved, room(2).id: None})
    assert memory.by_id == {moved.id: moved}
    assert memory.by_key == {"moved": moved}


def test_each_state_has_news_of_its_own() -> None:
    memory = RecordCache()
    first = memory.next_change
    memory.put({room(1).id: room(1)})
    assert first.is_set()
    second = memory.next_change
    assert not memory.replace([room(1)])
    assert not second.is_set()
    assert memory.replace([])
    assert second.is_set()
    assert not memory.next_change.is_set()


def test_a_key_may_pass_from_one_record_to_another_in_one_batch() -> None:
    memory = RecordCache()
    memory.put({room(1).id: room(1)})
    heir = replace(room(2), key=room(1).key)
    memory.put({room(1).id: replace(room(1), key="moved"), heir.id: heir})
    assert memory.by_key == {room(1).key: heir, "moved": replace(room(1), key="moved")}


def test_an_equal_record_stays_the_object_it_was() -> None:
    memory = RecordCache()
    first = room(1)
    memory.put({first.id: first})
    assert not memory.replace([room(1)])
    assert memory.by_id[first.id] is first
    assert memory.replace([room(1), room(2)])
    assert memory.by_id[first.id] is first


def test_what_a_read_does_not_show_is_gone() -> None:
    memory = RecordCache()
    memory.put({room(1).id: room(1)})
    assert memory.replace([])
    assert not memory.by_id
    assert not memory.by_key
