"""The official JavaScript client on its own, without our page's scripts: what any embedder has."""

from dataclasses import dataclass
from typing import Final

from tests.browser.visitor import Visitor
from tests.support.wait import until

JOIN: Final = """async ([endpoint, room]) => {
  const source = LivekitClient.TokenSource.endpoint(endpoint);
  const { serverUrl, participantToken } = await source.fetch({ roomName: room });
  window.room = new LivekitClient.Room();
  await window.room.connect(serverUrl, participantToken);
  return window.room.localParticipant.identity;
}"""
REFRESH: Final = """async ([endpoint, room, identity]) => {
  const { TokenSource } = LivekitClient;
  %s
  const wanted = { roomName: room, participantIdentity: identity };
  const { serverUrl, participantToken } = await source.fetch(wanted);
  window.room = new LivekitClient.Room();
  await window.room.connect(serverUrl, participantToken);
  window.refresh = async () => (await source.fetch(wanted, true)).participantToken;
  return participantToken;
}"""
PUBLISH: Final = """async (kind) => {
  const me = window.room.localParticipant;
  try {
    await (kind === "camera" ? me.setCameraEnabled(true) : me.setMicrophoneEnabled(true));
    return "";
  } catch (error) {
    return `${error}`;
  }
}"""
MAY: Final = "(right) => window.room.localParticipant.permissions[right]"
WRITE: Final = "(text) => window.room.localParticipant.sendText(text, { topic: 'lk.chat' })"


@dataclass(frozen=True, slots=True)
class Outsider:
    """Somebody in a room by LiveKit's client alone."""

    visitor: Visitor
    identity: str

    @staticmethod
    async def arrive(visitor: Visitor) -> None:
        """Open a document of our origin that has no script but the client's."""
        await visitor.page.goto(f"{visitor.base}/join/assets/base.css")
        await visitor.page.add_script_tag(url=f"{visitor.base}/join/assets/livekit-client.umd.js")

    @classmethod
    async def inside(cls, visitor: Visitor, room_id: str) -> "Outsider":
        await cls.arrive(visitor)
        identity = await visitor.page.evaluate(JOIN, [f"{visitor.base}/livekit/token", room_id])
        return cls(visitor, str(identity))

    async def joins(self, room_id: str, source: str) -> str:
        """Join with the token source that `source` makes, a script for `endpoint`; the token."""
        script = REFRESH % source
        wanted = [f"{self.visitor.base}/livekit/token", room_id, self.identity]
        return str(await self.visitor.page.evaluate(script, wanted))

    async def refresh(self) -> str:
        """Another token from the same source, while connected."""
        return str(await self.visitor.page.evaluate("window.refresh()"))

    async def publish(self, kind: str) -> str:
        """Turn the `camera` or the `microphone` on; why that did not work."""
        return str(await self.visitor.page.evaluate(PUBLISH, kind))

    async def write(self, text: str) -> None:
        """Say it in the chat. One who may not is told nothing."""
        await self.visitor.page.evaluate(WRITE, text)

    async def until_may(self, right: str) -> None:
        """Return when LiveKit's permission of that name is given."""

        async def given() -> bool:
            return bool(await self.visitor.page.evaluate(MAY, right))

        await until(given)
