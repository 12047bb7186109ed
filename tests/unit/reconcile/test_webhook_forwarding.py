"""A webhook that reaches a replica that stands by: the holder of the lease acts on it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from controller.access.policy import Role, permission_for
from controller.errors import StoreUnavailableError
from controller.live.egress import EgressStatus
from controller.live.webhook import WebhookEvent
from controller.reconcile.webhooks import (
    WatchedRooms,
    WebhookForwarder,
    is_relevant,
    needs_companion_check,
    needs_pass,
    needs_permission_check,
)
from controller.records.ports import ForwardedEvent
from tests.support.inprocess import InProcess
from tests.support.worlds import INSTANCE, desired, live_room, manifest, record
from tests.unit.reconcile.test_recordings import SPEAKER, TAPING

AUDIO = manifest("talk", mediaType="MEDIA_TYPE_AUDIO_ONLY")
STAGE = manifest("stage", record=True)
EVENTS = [
    "room_started",
    "room_finished",
    "participant_joined",
    "participant_left",
    "participant_connection_aborted",
    "track_published",
    "track_unpublished",
    "egress_started",
    "egress_updated",
    "egress_ended",
    "ingress_started",
    "ingress_ended",
]
"""All that LiveKit sends."""


def handover(process: InProcess) -> WebhookForwarder:
    act, want = process.reconciler.on_webhook, process.reconciler.want
    relay = process.store.relay
    return WebhookForwarder(act, want, process.lease, process.state, relay, instance=INSTANCE)


class Pair:
    """Two controllers on one LiveKit and one database; the second stands by."""

    def __init__(self) -> None:
        self.holder = InProcess(config=TAPING)
        self.standby = InProcess(
            self.holder.live, self.holder.store.database, time=self.holder.time, config=TAPING
        )
        self.standby.lease.held = False
        self.holder.manifests = self.standby.manifests = desired(AUDIO, STAGE)
        self.acts, self.hands_on = handover(self.holder), handover(self.standby)

    async def begin(self) -> None:
        """All is as it should be, and both have read it."""
        await self.holder.run_until_stable()
        await self.pass_by(self.standby)
        for process in (self.holder, self.standby):
            await process.store.has_remote_changes()
            await process.triggers.wait(0.0)

    async def pass_by(self, process: InProcess) -> None:
        assert await process.reconciler.reconcile(read_files=False) is None

    async def receive(self, hint: WebhookEvent) -> None:
        """LiveKit tells the standby; a second later."""
        self.hands_on.on_webhook(hint)
        await self.later()

    async def later(self) -> None:
        """The standby has written what waits, and both have asked whether another wrote."""
        writing = asyncio.create_task(self.standby.store.relay.flush_forever())
        await asyncio.sleep(0)
        writing.cancel()
        for process, side in ((self.standby, self.hands_on), (self.holder, self.acts)):
            await process.store.has_remote_changes()
            side.forward_received()


@pytest.fixture
async def pair() -> Pair:
    opened = Pair()
    await opened.begin()
    return opened


async def test_the_first_person_begins_a_recording(pair: Pair) -> None:
    name = pair.holder.name("stage")
    pair.holder.live.enter(name, "ann", SPEAKER)
    await pair.receive(WebhookEvent("participant_joined", room=name, identity="ann", kind="STANDARD"))
    assert pair.holder.triggers.woken
    await pair.holder.reconcile(read_files=False)
    assert [one.status for one in pair.holder.live.egresses.values()] == [EgressStatus.STARTING]


async def test_a_liar_is_stopped(pair: Pair) -> None:
    name = pair.holder.name("talk")
    pair.holder.live.enter(name, "liar", permission_for(Role.SPEAKER, AUDIO.spec), {"role": "speaker"})
    pair.holder.live.publish(name, "liar", "VIDEO", "MICROPHONE")
    await pair.receive(WebhookEvent("track_published", room=name, identity="liar", kind="STANDARD"))
    await pair.holder.reconcile(read_files=False)
    assert not (await pair.holder.live.participants(name))[0].tracks


async def test_a_room_that_vanished_comes_back(pair: Pair) -> None:
    name = pair.holder.name("talk")
    sid = pair.holder.record("talk").sid
    await pair.holder.live.delete_room(name)
    await pair.receive(WebhookEvent("room_finished", room=name, sid=str(sid)))
    assert pair.holder.triggers.woken
    await pair.holder.reconcile(read_files=False)
    assert name in await pair.holder.listed()


async def test_the_standby_itself_does_nothing(pair: Pair) -> None:
    await pair.receive(WebhookEvent("participant_joined", room=pair.holder.name("stage"), kind="STANDARD"))
    assert not pair.standby.triggers.woken
    assert not pair.standby.triggers.companion_checks.drain()


async def test_nobody_is_named_in_the_database(pair: Pair) -> None:
    name = pair.holder.name("stage")
    await pair.receive(
        WebhookEvent("participant_joined", "EV_1", name, "RM_1", identity="ann", kind="STANDARD")
    )
    assert pair.holder.store.database.hints == [
        ForwardedEvent("participant_joined", name, "RM_1", "STANDARD"),
    ]


async def test_a_crowd_that_a_standby_finds_is_handed_on(pair: Pair) -> None:
    name = pair.holder.name("stage")
    pair.acts.check_people(name)
    assert pair.holder.store.database.hints == []
    pair.hands_on.check_people(name)
    await pair.later()
    assert [(hint.event, hint.room) for hint in pair.holder.store.database.hints] == [
        ("participant_joined", name)
    ]


async def test_the_holder_hands_nothing_on(pair: Pair) -> None:
    pair.acts.on_webhook(WebhookEvent("participant_joined", room=pair.holder.name("stage"), kind="STANDARD"))
    assert pair.holder.triggers.woken
    assert not pair.holder.store.relay.queued


async def test_what_was_handed_on_is_not_handed_on_again(pair: Pair) -> None:
    """Neither holds the lease: its holder died, perhaps."""
    pair.holder.lease.held = False
    await pair.receive(WebhookEvent("participant_joined", room=pair.holder.name("stage"), kind="STANDARD"))
    assert len(pair.holder.store.database.hints) == 1
    assert not pair.holder.store.relay.queued
    assert not pair.standby.store.relay.queued


async def test_who_takes_the_lease_acts_on_what_is_new_from_then_on(pair: Pair) -> None:
    pair.holder.lease.held = False
    joined = WebhookEvent("participant_joined", room=pair.holder.name("stage"), kind="STANDARD")
    await pair.receive(joined)
    pair.holder.lease.held = True
    await pair.later()
    assert not pair.holder.triggers.woken
    await pair.receive(joined)
    assert pair.holder.triggers.woken


async def test_rooms_that_are_not_ours_are_not_spoken_of(pair: Pair) -> None:
    foreign = live_room(record("b"), "foreign")
    pair.standby.state.live["foreign"] = replace(
        foreign, metadata=foreign.metadata.replace("roomctl/default", "roomctl/other")
    )
    for name in ("foreign", "unheard-of", ""):
        await pair.receive(WebhookEvent("participant_joined", room=name, kind="STANDARD"))
    assert not pair.holder.store.database.hints


async def test_a_room_that_only_its_mark_shows_to_be_ours_is_spoken_of(pair: Pair) -> None:
    """The standby has listed it, and has not yet read its record."""
    pair.standby.state.live["new"] = live_room(record("b"), "new")
    await pair.receive(WebhookEvent("participant_joined", room="new", kind="STANDARD"))
    assert len(pair.holder.store.database.hints) == 1


async def test_a_room_that_came_later_is_known_by_its_record(pair: Pair) -> None:
    pair.holder.manifests = desired(AUDIO, STAGE, manifest("late", record=True))
    await pair.holder.run_until_stable()
    await pair.pass_by(pair.standby)
    pair.standby.state.live.clear()
    await pair.receive(WebhookEvent("participant_joined", room=pair.holder.name("late"), kind="STANDARD"))
    assert len(pair.holder.store.database.hints) == 1


async def test_while_the_database_is_away_a_standby_keeps_nothing(pair: Pair) -> None:
    pair.standby.store.fail = StoreUnavailableError("MongoDB is out of reach")
    with pytest.raises(StoreUnavailableError):
        await pair.standby.reconciler.reconcile(read_files=False)
    pair.hands_on.on_webhook(
        WebhookEvent("participant_joined", room=pair.holder.name("stage"), kind="STANDARD")
    )
    assert not pair.standby.store.relay.queued


@pytest.mark.parametrize("fields", [{}, {"sid": "RM_7"}, {"kind": "STANDARD"}, {"kind": "EGRESS"}])
@pytest.mark.parametrize("event", EVENTS)
def test_a_standby_drops_no_event_that_a_holder_minds(event: str, fields: dict[str, Any]) -> None:
    ours = record("a", live="ours", mediaType="MEDIA_TYPE_AUDIO_ONLY", reserved_seats=1)
    live = {"ours": live_room(ours)}
    minds = WatchedRooms({"ours": ours}, frozenset({"ours"}), lambda _: True, INSTANCE)
    hint = WebhookEvent(event, room="ours", **fields)
    minded = [ask(hint, live, minds) for ask in (needs_pass, needs_permission_check, needs_companion_check)]
    assert is_relevant(hint, live, WatchedRooms(ours={"ours": ours})) or not any(minded)


@pytest.mark.parametrize("event", ["track_unpublished", "ingress_started", "an event to come", ""])
def test_what_no_holder_minds_is_of_no_use(event: str) -> None:
    assert not is_relevant(
        WebhookEvent(event, room="ours"), {}, WatchedRooms(ours={"ours": record("a", live="ours")})
    )
