"""hold and release by two people at once: each says, and records, what it ended."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.cli.hold import _place, put_hold
from controller.cli.release import _end
from controller.records.record import Hold
from controller.settings import SettingGroup, Settings
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.rooms import room
from tests.support.settings import load_settings

TOMORROW = datetime(2096, 1, 1, tzinfo=UTC)
ANN, BOB = Hold("ann", "the show is on", TOMORROW), Hold("bob", "freeze", TOMORROW + timedelta(hours=1))
KEY = room(1).key


@pytest.fixture(name="database")
async def _database() -> FakeDatabase:
    database = FakeDatabase()
    await FakeStore(database).insert(room(1))
    return database


async def opened(database: FakeDatabase) -> FakeStore:
    store = FakeStore(database)
    await store.refresh()
    return store


async def test_each_ends_the_hold_that_is_there_and_not_the_one_it_had_read(database: FakeDatabase) -> None:
    ann, bob = await opened(database), await opened(database)
    assert (await put_hold(ann, KEY, ANN))[1] is None
    assert (await put_hold(bob, KEY, BOB))[1] == ANN
    released, ended = await put_hold(ann, KEY, None)
    assert (released.hold, ended) == (None, BOB)


async def test_a_hold_says_what_it_replaces(
    database: FakeDatabase, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for targets in ([KEY], []):
        await _place(await opened(database), settings, targets, ANN)
        await _place(await opened(database), settings, targets, BOB)
        first, second = capsys.readouterr().err.splitlines()
        assert first.endswith(f"held {ANN}")
        assert second.endswith(f"held {BOB}; this replaces the hold {ANN}")
    over = replace(ANN, until=datetime(2026, 1, 1, tzinfo=UTC))
    await put_hold(await opened(database), KEY, over)
    await _place(await opened(database), settings, [KEY], BOB)
    assert "replaces" not in capsys.readouterr().err


async def test_a_release_records_the_hold_that_it_ended(database: FakeDatabase, settings: Settings) -> None:
    await put_hold(await opened(database), KEY, ANN)
    late = await opened(database)
    await put_hold(await opened(database), KEY, BOB)
    await _end(late, settings, [KEY])
    (event,) = await late.events.find()
    assert event.reason == f"held {BOB}"


@pytest.fixture(name="settings")
def _settings() -> Settings:
    return load_settings({}, {}, SettingGroup(0))
