"""invite and revoke: which room is meant, what is printed for it, and two who revoke at once."""

from dataclasses import replace

import pytest

from controller.access.invites import Invite, admits_hidden, read_invite
from controller.access.policy import Role
from controller.cli.invite import egress_token, link
from controller.cli.rooms import change_record, one_room
from controller.errors import RoomctlError, StoreConflictError
from controller.records.record import LiveName, Origin, RoomRecord
from controller.room import Purpose, derive_key
from controller.settings import Settings
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.rooms import records, room

NOW = 1_795_000_000
SETTINGS = Settings(secret="a-secret-of-at-least-32-characters", public_url="https://meet.example")
API = replace(room(2), id="ab" * 12, key="api/" + "ab" * 12, origin=Origin.API, file=None)


def test_a_room_is_meant_by_its_key_or_its_id() -> None:
    known = records(room(1), API)
    for name in (room(1).key, room(1).id):
        assert one_room(known, name) == room(1)
    for name in (API.id, API.key, "api/ababab"):
        assert one_room(known, name) == API


def test_no_error_names_a_rooms_id() -> None:
    for name in ("api/" + "ab" * 11 + "aa", "evnts/room-1"):
        with pytest.raises(RoomctlError) as raised_error:
            one_room(records(room(1), API), name)
        assert "ab" * 4 not in str(raised_error.value)
    assert str(raised_error.value).endswith("did you mean events/room-1?")
    with pytest.raises(RoomctlError, match="run `roomctl get` to list the rooms"):
        one_room(records(), "x")


def test_a_removed_room_is_nobodys() -> None:
    with pytest.raises(RoomctlError, match=r'^room "events/room-1" not found'):
        one_room(records(room(1).with_tombstone(room().created)), room(1).key)


def test_a_link_holds_an_invite_of_the_rooms_epoch() -> None:
    record = room(1).with_next_invite_epoch().with_next_invite_epoch()
    invited = Invite(record.id, Role.SPEAKER, record.invite_epoch, NOW + 60, "jane")
    base, _, token = link(invited, SETTINGS, NOW).partition("#invite=")
    assert base == f"https://meet.example/join/{record.id}"
    invite = read_invite(token, derive_key(SETTINGS.secret, Purpose.INVITE), NOW)
    assert invite is not None
    assert (invite.room_id, invite.epoch, invite.identity) == (record.id, 2, "jane")
    assert invite.expires == NOW + 60


def test_an_egress_token_is_for_the_live_room_that_stands() -> None:
    record = replace(room(1), live=LiveName("the-name", "RM_1"))
    token = egress_token(record, SETTINGS.secret, NOW, 900)
    assert admits_hidden(token, record.id, "the-name", derive_key(SETTINGS.secret, Purpose.EGRESS), NOW + 899)
    for waiting in (room(1), room(1, live="the-name")):
        with pytest.raises(RoomctlError, match="roomctl wait events/room-1"):
            egress_token(waiting, SETTINGS.secret, NOW, 900)


class Contested(FakeStore):
    """A store in which somebody else is faster, `times` times."""

    def __init__(self, database: FakeDatabase, times: int) -> None:
        super().__init__(database)
        self.times = times

    async def save(self, before: RoomRecord, after: RoomRecord) -> RoomRecord:
        if self.times:
            self.times -= 1
            self.database.rooms[before.id] = self.database.rooms[before.id].with_next_invite_epoch()
            raise StoreConflictError("conflict: the record was modified by another process")
        return await super().save(before, after)


async def test_a_revoke_is_made_again_after_another_write() -> None:
    database = FakeDatabase()
    await FakeStore(database).insert(room(1))
    store = Contested(database, 3)
    await store.refresh()
    assert (await change_record(store, room(1).id, RoomRecord.with_next_invite_epoch)).key == room(1).key
    assert database.rooms[room(1).id].invite_epoch == 4


async def test_a_record_that_never_stands_still_is_said() -> None:
    database = FakeDatabase()
    await FakeStore(database).insert(room(1))
    store = Contested(database, 1000)
    await store.refresh()
    with pytest.raises(RoomctlError, match=r"^could not update events/room-1: the record keeps changing"):
        await change_record(store, room(1).key, RoomRecord.with_next_invite_epoch)
