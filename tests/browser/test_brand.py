"""The page with the operator's own look."""

import json
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.rooms import open_room
from tests.browser.visitor import Visitor
from tests.support.controller import Site
from tests.support.embedded import secantus
from tests.support.livekit import LiveKitServer
from tests.support.livekit_client import livekit_client

LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40" width="120" height="40">
  <rect width="120" height="40" rx="8" fill="#7a1fa2"/><circle cx="20" cy="20" r="10" fill="#fff"/>
</svg>"""
STYLE = """:root { --accent: rgb(122, 31, 162); --accent-text: #fff; }
@media (prefers-color-scheme: dark) { :root { --accent: rgb(225, 190, 231); --accent-text: #2a0a35; } }"""


async def test_logo_colours_and_the_way_out_are_the_operators(
    chromium: Browser, livekit: LiveKitServer, shots: Path, tmp_path: Path
) -> None:
    livekit_client()
    brand = tmp_path / "brand"
    brand.mkdir()
    (brand / "brand.css").write_text(STYLE)
    (brand / "logo.svg").write_text(LOGO)
    async with (
        secantus(tmp_path / "mongodb") as mongodb,
        Site(tmp_path, livekit, mongodb=mongodb.uri, ROOMCTL_BRAND_DIR=str(brand)) as site,
    ):
        base = f"http://127.0.0.1:{site.public}"
        (brand / "brand.json").write_text(json.dumps({"name": "Example", "leave_url": f"{base}/join/bye"}))
        async with site.run():
            room = await open_room(site, "branded")
            context = await chromium.new_context(viewport={"width": 1280, "height": 800})
            ann = await Visitor.arriving(context, base, shots)
            await ann.open(room)
            await ann.view("lobby")
            await expect(ann["#brand"]).to_have_accessible_name("Example")
            await expect(ann["#brand"]).to_have_js_property("naturalWidth", 120)
            await expect(ann["#join"]).to_have_css("background-color", "rgb(122, 31, 162)")
            await ann.shoot("brand")
            await ann.enter("Ann")
            await ann["#leave"].click()
            await ann.page.wait_for_url(f"{base}/join/bye")
            assert ann.errors() == []
            await context.close()
