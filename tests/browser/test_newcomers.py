"""What somebody writes in the moment they come in: it is here before LiveKit tells anybody of them."""

from typing import Final

from playwright.async_api import Locator, expect

from tests.browser.conftest import Welcome
from tests.browser.recorder import Recorder
from tests.browser.rooms import open_room
from tests.support.controller import Site
from tests.support.livekit import LiveKitServer
from tests.support.participants import guest, token

NEWCOMERS: Final = 12
COME: Final = """async ([endpoint, room, number, sends]) => {
  const source = LivekitClient.TokenSource.endpoint(endpoint);
  const participantName = `Newcomer ${number}`;
  const { serverUrl, participantToken } = await source.fetch({ roomName: room, participantName });
  const inside = new LivekitClient.Room();
  await inside.connect(serverUrl, participantToken);
  const me = inside.localParticipant;
  if (sends === "packets") {
    const message = JSON.stringify({ id: `${number}`, timestamp: 0, message: `${number} first` });
    await me.publishData(new TextEncoder().encode(message), { reliable: true, topic: "lk-chat-topic" });
    await me.sendChatMessage(`${number} second`);
  } else for (const word of ["first", "second"]) await me.sendText(`${number} ${word}`, { topic: "lk.chat" });
}"""
EXPECTED: Final = sorted(f"{number} {word}" for number in range(NEWCOMERS) for word in ("first", "second"))


async def newcomers(welcome: Welcome, room: str, sends: str) -> None:
    """One after the other they come, and write twice as soon as they are in."""
    visitor = await welcome()
    await visitor.page.goto(f"{visitor.base}/join/assets/base.css")
    await visitor.page.add_script_tag(url=f"{visitor.base}/join/assets/livekit-client.umd.js")
    for number in range(NEWCOMERS):
        await visitor.page.evaluate(COME, [f"{visitor.base}/livekit/token", room, number, sends])


async def all_there(texts: Locator) -> None:
    """Every message stands there, once, and of each newcomer the first before the second."""
    await expect(texts).to_have_count(len(EXPECTED))
    said = await texts.all_inner_texts()
    assert sorted(said) == EXPECTED
    assert all(said.index(f"{n} first") < said.index(f"{n} second") for n in range(NEWCOMERS))


async def test_what_newcomers_write_at_once_is_recorded(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "newcomers", allow_chat=True, max_participants=50)
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "newcomers")
    await newcomers(welcome, room, "streams")
    await all_there(recorder.visitor["#messages p"])
    assert "Newcomer" in await recorder.visitor["#messages"].inner_text()


async def test_what_newcomers_write_at_once_stands_in_the_chat(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "arriving", allow_chat=True, max_participants=50)
    ann = await welcome()
    await ann.join(room, "Ann")
    await newcomers(welcome, room, "streams")
    await ann["#chat-open"].click()
    await all_there(ann["#messages p"])
    assert "Newcomer" in await ann["#messages"].inner_text()


async def test_newcomers_with_older_clients_are_recorded_too(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "veterans", allow_chat=True, max_participants=50)
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "veterans")
    await newcomers(welcome, room, "packets")
    await all_there(recorder.visitor["#messages p"])


async def test_who_is_never_announced_is_a_guest_and_holds_nobody_back_for_long(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "unseen", allow_chat=True)
    ann = await welcome()
    await ann.join(room, "Ann")
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "unseen")
    hidden = token(livekit, await house.room_name("unseen"), "unseen", hidden=True, can_publish_data=True)
    async with guest(livekit.ws_url, hidden) as unseen:
        await unseen.room.local_participant.send_text("from nowhere", topic="lk.chat")
        await ann.send_chat("from Ann")
        await expect(recorder.visitor["#messages p"]).to_have_count(2)
    assert "Guest" in await recorder.visitor["#messages"].inner_text()
