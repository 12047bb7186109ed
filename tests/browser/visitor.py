"""Somebody at the join page in Chromium, and what the page did while they were there."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, expect
from playwright.async_api import TimeoutError as NotThere

from tests.support.axe import violations
from tests.support.chromium import MILLISECONDS
from tests.support.wait import until

WATCH: Final = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI}`));
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};
window.notes = [];
addEventListener("DOMContentLoaded", () => {
  const note = document.getElementById("note");
  const keep = () => window.notes.push(note.textContent);
  if (note) new MutationObserver(keep).observe(note, { childList: true, characterData: true, subtree: true });
});
"""
"""Runs before the page's own scripts: tells of violations, and keeps the connections, for their figures, and
the notes, which pass."""

HEARD: Final = """async () => {
  const reports = await Promise.all(window.connections.map((each) => each.getStats()));
  return reports.flatMap((report) => [...report.values()])
    .filter((each) => each.type === "inbound-rtp" && each.kind === "audio")
    .reduce((sum, each) => sum + (each.totalAudioEnergy ?? 0), 0);
}"""

SEEN: Final = """(identity) => [...document.querySelectorAll(".tile video")]
  .filter((each) => each.closest(".tile").dataset.identity === identity && each.videoWidth > 0)
  .reduce((most, each) => Math.max(most, each.currentTime), 0)"""

TOKEN: Final = "/livekit/token"
PRESS_WITHIN: Final = 500
"""Milliseconds until a button counts as gone."""
WIDTHS: Final = {"desktop": (1280, 800), "phone": (390, 844)}
LOOKS: Final[Mapping[str, Any]] = {
    "light": {"color_scheme": "light", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "forced_colors": "none"},
    "forced": {"color_scheme": "dark", "forced_colors": "active"},
}
BUT: Final = {"forced": ("color-contrast",)}
"""axe does not see which colours the browser forces."""
INSIDE_OR_NOT: Final = re.compile("call|notice")
REFUSED: Final = "Failed to load resource"
"""So Chromium begins what it writes for each answer that is a refusal."""


@dataclass
class Visitor:
    """One browser context with one page. `complaints` is what the console was told of errors."""

    context: BrowserContext
    page: Page
    base: str
    shots: Path
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @classmethod
    async def arriving(cls, context: BrowserContext, base: str, shots: Path) -> "Visitor":
        context.set_default_timeout(MILLISECONDS)
        await context.add_init_script(WATCH)
        visitor = cls(context, await context.new_page(), base, shots)
        visitor.watch(visitor.page)
        return visitor

    def watch(self, page: Page) -> None:
        """Note what `page` asks for, and what it complains of."""
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))
        page.on("pageerror", lambda error: self.complaints.append(f"{error}"))
        page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} {message.location.get('url', '')}")

    def __getitem__(self, selector: str) -> Locator:
        return self.page.locator(selector)

    # -- ways in and out --------------------------------------------------------------------------------

    async def open(self, room_id: str, fragment: str = "") -> None:
        """The page as a link opens it, up to its lobby or its reason."""
        await self.page.goto(f"{self.base}/join/{room_id}{fragment}")

    async def join(self, room_id: str, name: str, fragment: str = "") -> None:
        """Through the lobby, at once, into the call."""
        await self.open(room_id, fragment)
        await self.enter(name)

    async def enter(self, name: str) -> None:
        """From the lobby into the call."""
        await self.view("lobby")
        await self["#name"].fill(name)
        await self["#join"].click()
        await self.view("call")

    async def tried(self, room_id: str, fragment: str = "") -> str:
        """Through the lobby to wherever that leads: `call`, or the code of the reason against it."""
        await self.open(room_id, fragment)
        await self.view("lobby")
        await self["#join"].click()
        await expect(self["body"]).to_have_attribute("data-view", INSIDE_OR_NOT)
        return await self["#sentence"].get_attribute("data-code") or "call"

    async def again(self, leads_to: str) -> None:
        """Press that button under a reason until the page shows `leads_to`, where it may come by itself."""

        async def there() -> bool:
            if await self["body"].get_attribute("data-view") == leads_to:
                return True
            with suppress(NotThere):
                await self['[data-action="again"]'].click(timeout=PRESS_WITHIN)
            return False

        await until(there)

    @asynccontextmanager
    async def asks_again(self) -> AsyncIterator[None]:
        """Leave the block when the page has been given another token."""
        async with self.page.expect_response(lambda answer: answer.url.endswith(TOKEN) and answer.ok):
            yield

    async def view(self, name: str) -> None:
        """Return when the page shows it."""
        await expect(self["body"]).to_have_attribute("data-view", name)

    async def sentence(self, code: str) -> str:
        """The reason that stands on the screen, once it is that of `code`."""
        await self.view("notice")
        await expect(self["#sentence"]).to_have_attribute("data-code", code)
        await expect(self["#sentence"]).to_be_visible()
        return await self["#sentence"].inner_text()

    # -- what they see and hear -------------------------------------------------------------------------

    async def identity(self) -> str:
        """Their own, as their tile has it."""
        own = await self[".tile.own"].get_attribute("data-identity")
        assert own is not None
        return own

    async def sees(self, identity: str) -> None:
        """Return when the picture of `identity` has a size and moves."""
        before = await self._once(SEEN, identity)
        await self._once(SEEN, identity, beyond=before)

    async def hears(self) -> None:
        """Return when there was sound, and more of it a moment later."""
        before = await self._once(HEARD)
        await self._once(HEARD, beyond=before)

    async def _once(self, script: str, given: Any = None, beyond: float = 0.0) -> float:
        """The figure, as soon as it is larger than `beyond`."""
        times = [0.0]

        async def grown() -> bool:
            times[0] = float(await self.page.evaluate(script, given))
            return times[0] > beyond

        await until(grown)
        return times[0]

    async def messages(self) -> list[str]:
        """The chat as it stands."""
        return await self["#messages > li"].all_inner_texts()

    async def send_chat(self, text: str) -> None:
        """Write it in the chat, opened where it is not."""
        if not await self["#chat"].is_visible():
            await self["#chat-open"].click()
        await self["#chat-text"].fill(text)
        await self["#chat-send"].click()

    async def noted(self, text: str) -> None:
        """Return when the page has said that in passing."""

        async def said() -> bool:
            return any(text in each for each in await self.page.evaluate("window.notes"))

        await until(said)

    # -- evidence ---------------------------------------------------------------------------------------

    async def shoot(self, state: str, *, ours: bool = True) -> None:
        """Pictures of the page as it stands, in all its looks; if it is `ours`, none breaks a rule of axe."""
        for place, (width, height) in WIDTHS.items():
            await self.page.set_viewport_size({"width": width, "height": height})
            for look, media in LOOKS.items():
                await self.page.emulate_media(**media)
                picture = self.shots / f"{state}-{place}-{look}.png"
                await self.page.screenshot(path=picture, animations="disabled")
                found = await violations(self.page, but=BUT.get(look, ())) if ours else []
                assert not found, f"{state}, {place}, {look}: {found}"
        await self.page.emulate_media(**LOOKS["light"])

    def strangers(self, allowed: set[str]) -> set[str]:
        """Hosts that the page has turned to and should not have."""
        parts = (urlsplit(url) for url in self.asked)
        return {each.netloc for each in parts if each.scheme not in ("blob", "data")} - allowed

    def errors(self) -> list[str]:
        """What the console was told of errors, but for the refusals that our own answers are."""
        return [said for said in self.complaints if not said.startswith(REFUSED)]
