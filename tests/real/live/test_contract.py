"""What both faces of LiveKit promise, held against a real livekit-server and against the fake alike."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final

import pytest
from livekit.rtc import TrackSource

from controller.agents import NO_AGENT
from controller.errors import (
    LiveKitNodeUnavailableError,
    LiveKitNotFoundError,
    LiveKitRejectedError,
    NoEgressServiceError,
)
from controller.live.client import ApiReader, ApiWriter, LiveKitConnection
from controller.live.ports import CompanionReader, LiveKitWriter
from controller.live.room import EMPTY_TIMEOUT_SECONDS, ON_DEMAND_TIMEOUT_SECONDS, LiveRoom, Permission, Track
from tests.support.fake_live import FakeLive
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary, guest, token
from tests.support.wait import until

GUEST = Permission(can_subscribe=True, can_publish=False, can_publish_data=True)
TALKER = Permission(can_publish=True, sources=("MICROPHONE",))


@dataclass(frozen=True, slots=True)
class Live:
    """One LiveKit by its two faces, and ways for somebody (room, identity) to be there.

    `enter` is to walk in as GUEST; `lie` to come for the microphone alone, and call a video by its name.
    """

    reader: CompanionReader
    writer: LiveKitWriter
    enter: Callable[[str, str], Awaitable[None]]
    lie: Callable[[str, str], Awaitable[None]]


@pytest.fixture(params=["server", "fake"])
async def live(request: pytest.FixtureRequest, livekit: LiveKitServer) -> AsyncIterator[Live]:
    if request.param == "fake":
        fake = FakeLive()
        for call in ("recordings", "recording", "recordings_of", "stop_recording"):
            fake.fail[call] = NoEgressServiceError("the fake runs without Redis")

        async def walk_in(room: str, identity: str) -> None:
            fake.enter(room, identity, GUEST, {"role": "guest"})

        async def publish(room: str, identity: str) -> None:
            fake.enter(room, identity, TALKER)
            fake.publish(room, identity, "VIDEO", "MICROPHONE")

        yield Live(fake, fake, walk_in, publish)
        return
    async with (
        LiveKitConnection(livekit.access) as connection,
        AsyncExitStack() as people,
    ):

        async def join(room: str, identity: str) -> None:
            pass_ = token(
                livekit, room, identity,
                attributes={"role": "guest"}, can_publish=False, can_subscribe=True, can_publish_data=True,
            )  # fmt: skip
            await people.enter_async_context(canary(livekit.ws_url, pass_))

        async def show(room: str, identity: str) -> None:
            pass_ = token(
                livekit, room, identity,
                can_publish=True, can_publish_sources=["microphone"], can_publish_data=False,
            )  # fmt: skip
            liar = await people.enter_async_context(guest(livekit.ws_url, pass_))
            await liar.show_camera(called=TrackSource.SOURCE_MICROPHONE)

        yield Live(ApiReader(connection), ApiWriter(connection), join, show)


@pytest.fixture
def name() -> str:
    return str(uuid.uuid4())


async def test_a_room_is_made_as_asked_to_stay_when_empty(live: Live, name: str) -> None:
    made = await live.writer.create_room(name, "first", 5)
    assert made.sid.startswith("RM_")
    assert (made.name, made.metadata, made.max_participants) == (name, "first", 5)
    assert made.empty_timeout == made.departure_timeout == EMPTY_TIMEOUT_SECONDS
    assert made.created_at > 1_600_000_000_000
    assert made in await live.reader.rooms()


async def test_a_room_is_made_to_be_closed_when_it_has_been_empty(live: Live, name: str) -> None:
    made = await live.writer.create_room(name, "", 5, ON_DEMAND_TIMEOUT_SECONDS)
    assert made.empty_timeout == made.departure_timeout == ON_DEMAND_TIMEOUT_SECONDS
    assert await live.reader.is_listed(name)
    await live.writer.delete_room(name)
    assert not await live.reader.is_listed(name)


async def test_creating_a_live_room_changes_nothing_of_it(live: Live, name: str) -> None:
    made = await live.writer.create_room(name, "first", 5)
    assert await live.writer.create_room(name, "second", 9) == made


async def test_a_room_that_comes_back_has_a_sid_of_its_own(live: Live, name: str) -> None:
    first = await live.writer.create_room(name, "", 5)
    await live.writer.delete_room(name)
    assert (await live.writer.create_room(name, "", 5)).sid != first.sid


async def test_a_deleted_room_is_listed_no_more(live: Live, name: str) -> None:
    await live.writer.create_room(name, "", 5)
    await live.writer.delete_room(name)
    assert name not in {room.name for room in await live.reader.rooms()}


async def test_deleting_what_is_not_there_is_done_already(live: Live, name: str) -> None:
    await live.writer.delete_room(name)


async def test_who_is_listed_is_asked_for_without_a_change(live: Live, name: str) -> None:
    await live.writer.create_room(name, "", 5)
    await live.enter(name, "ada")
    before = await live.reader.participants(name)
    assert await live.reader.is_connected(name, "ada")
    assert not await live.reader.is_connected(name, "eve")
    assert await live.reader.participants(name) == before


async def test_an_unchanged_room_is_the_same_object_in_the_next_listing(live: Live, name: str) -> None:
    await live.writer.create_room(name, "", 5)
    first = {room.name: room for room in await live.reader.rooms()}
    second = {room.name: room for room in await live.reader.rooms()}
    assert second[name] is first[name]


async def test_metadata_is_replaced_and_cleared_in_place(live: Live, name: str) -> None:
    """The server's listing follows an update by some milliseconds."""
    made = await live.writer.create_room(name, "first", 5)
    for metadata in ("second", ""):
        await live.writer.update_metadata(name, metadata)
        updated = replace(made, metadata=metadata)

        async def listed(updated: LiveRoom = updated) -> bool:
            return updated in await live.reader.rooms()

        await until(listed)


async def test_metadata_of_a_missing_room_is_not_found(live: Live, name: str) -> None:
    with pytest.raises(LiveKitNotFoundError):
        await live.writer.update_metadata(name, "x")


async def test_nobody_is_inside_an_empty_or_a_missing_room(live: Live, name: str) -> None:
    assert await live.reader.participants(name) == []
    await live.writer.create_room(name, "", 5)
    assert await live.reader.participants(name) == []


async def test_who_is_inside_is_known_at_once(live: Live, name: str) -> None:
    await live.writer.create_room(name, "", 5)
    await live.enter(name, "ada")
    (ada,) = await live.reader.participants(name, within=30)
    assert (ada.identity, ada.kind, ada.recorder) == ("ada", "STANDARD", False)
    assert ada.sid.startswith("PA_")
    assert ada.attributes == {"role": "guest"}
    assert ada.permission == GUEST


async def test_a_permission_is_replaced_whole_and_read_back_equal(live: Live, name: str) -> None:
    await live.writer.create_room(name, "", 5)
    await live.enter(name, "ada")
    for permission in (
        Permission(can_publish=True, sources=("CAMERA", "SCREEN_SHARE", "SCREEN_SHARE_AUDIO")),
        Permission(can_subscribe=False, can_publish_data=True),
    ):
        await live.writer.update_permission(name, "ada", permission)
        (ada,) = await live.reader.participants(name)
        assert ada.permission == permission


async def test_sources_are_read_in_canonical_order_however_written(live: Live, name: str) -> None:
    await live.writer.create_room(name, "", 5)
    await live.enter(name, "ada")
    await live.writer.update_permission(
        name, "ada", Permission(can_publish=True, sources=("SCREEN_SHARE", "CAMERA"))
    )
    (ada,) = await live.reader.participants(name)
    assert ada.permission.sources == ("CAMERA", "SCREEN_SHARE")


@pytest.mark.parametrize("left", [Permission(), Permission(can_publish=True, sources=("CAMERA",))])
async def test_a_track_is_what_it_carries_and_ends_with_the_right_to_its_source(
    live: Live, name: str, left: Permission
) -> None:
    await live.writer.create_room(name, "", 5)
    await live.lie(name, "ada")

    async def tracks() -> tuple[Track, ...]:
        (ada,) = await live.reader.participants(name)
        return ada.tracks

    async def published() -> bool:
        return await tracks() == (Track("VIDEO", "MICROPHONE"),)

    async def ended() -> bool:
        return await tracks() == ()

    await until(published)
    await live.writer.update_permission(name, "ada", TALKER)
    assert await published(), "to be given what one has ends nothing"
    await live.writer.update_permission(name, "ada", left)
    await until(ended)


async def test_attributes_are_set_beside_a_permission_and_the_others_stay(live: Live, name: str) -> None:
    await live.writer.create_room(name, "", 5)
    await live.enter(name, "ada")
    for attributes, left in (
        ({"media": "withdrawn"}, {"role": "guest", "media": "withdrawn"}),
        (None, {"role": "guest", "media": "withdrawn"}),
        ({"media": ""}, {"role": "guest"}),
    ):
        await live.writer.update_permission(name, "ada", GUEST, attributes)
        (ada,) = await live.reader.participants(name)
        assert (ada.attributes, ada.permission) == (left, GUEST)


async def test_removed_participant_is_out_and_the_others_stay(live: Live, name: str) -> None:
    await live.writer.create_room(name, "", 5)
    await live.enter(name, "ada")
    await live.enter(name, "ben")
    await live.writer.remove_participant(name, "ada")

    async def only_ben() -> bool:
        return [one.identity for one in await live.reader.participants(name)] == ["ben"]

    await until(only_ben)


@pytest.mark.parametrize("exists", [True, False])
async def test_removal_of_somebody_missing_is_not_found(live: Live, name: str, exists: bool) -> None:
    if exists:
        await live.writer.create_room(name, "", 5)
    with pytest.raises(LiveKitNotFoundError):
        await live.writer.remove_participant(name, "nobody")


@pytest.mark.parametrize("exists", [True, False])
async def test_a_permission_of_somebody_missing_is_not_found(live: Live, name: str, exists: bool) -> None:
    if exists:
        await live.writer.create_room(name, "", 5)
    with pytest.raises(LiveKitNotFoundError):
        await live.writer.update_permission(name, "nobody", GUEST)


async def test_deleting_a_room_puts_everybody_out(live: Live, name: str) -> None:
    await live.writer.create_room(name, "", 5)
    await live.enter(name, "ada")
    await live.writer.delete_room(name)
    assert await live.reader.participants(name) == []


# Start is not among them: it looks for a worker for half a minute, and then misses that alone
RECORDING_CALLS: Final[dict[str, Callable[[Live, str], Awaitable[object]]]] = {
    "recordings": lambda live, _: live.reader.recordings(),
    "recording": lambda live, _: live.reader.recording("EG_unknown"),
    "recordings_of": lambda live, name: live.reader.recordings_of(name),
    "stop": lambda live, _: live.writer.stop_recording("EG_unknown"),
}


@pytest.mark.parametrize("call", RECORDING_CALLS)
async def test_without_redis_there_is_no_egress_service(live: Live, name: str, call: str) -> None:
    with pytest.raises(NoEgressServiceError) as refused:
        await RECORDING_CALLS[call](live, name)
    assert "Redis" in str(refused.value)


async def test_a_name_that_is_too_long_is_rejected(live: Live) -> None:
    with pytest.raises(LiveKitRejectedError):
        await live.writer.create_room("x" * 257, "", 5)


async def test_each_call_of_an_agent_is_listed_until_it_is_taken_back(live: Live, name: str) -> None:
    await live.writer.create_room(name, "", 3, calls_agents=True)
    assert [each.agent for each in await live.reader.dispatches(name)] == [NO_AGENT]
    for _ in range(2):
        await live.writer.call_agent(name, "helper", "metadata")
    calls = [each for each in await live.reader.dispatches(name) if each.agent == "helper"]
    assert [each.job_count for each in calls] == [0, 0]
    assert len({each.id for each in calls}) == 2
    for call in (*calls, calls[0]):
        await live.writer.delete_dispatch(name, call.id)
    assert [each.agent for each in await live.reader.dispatches(name)] == [NO_AGENT]


async def test_a_room_that_is_not_live_has_no_agents(live: Live, name: str) -> None:
    with pytest.raises(LiveKitNodeUnavailableError):
        await live.reader.dispatches(name)
    with pytest.raises(LiveKitNodeUnavailableError):
        await live.writer.call_agent(name, "helper", "")
