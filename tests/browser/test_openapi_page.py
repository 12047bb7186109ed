"""The OpenAPI page on both listeners of a controller: it shows every call, and reaches no other server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.visitor import Visitor
from tests.support.controller import Site
from tests.unit.sidecar.harness import private_document, public_document

DOCUMENTS = {"public": public_document(), "private": private_document()}
CALLS = """blocks => blocks.map(block =>
  block.querySelector(".opblock-summary-method").innerText.toLowerCase()
  + " " + block.querySelector(".opblock-summary-path").dataset.path)"""


@pytest.fixture(params=DOCUMENTS)
def listener(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def reader(listener: str, chromium: Browser, house: Site, shots: Path) -> AsyncIterator[Visitor]:
    """Somebody at the page, which asks no other server for anything and writes no error on the console."""
    host = f"127.0.0.1:{house.public if listener == 'public' else house.private}"
    context = await chromium.new_context(viewport={"width": 1280, "height": 900})
    try:
        visitor = await Visitor.arriving(context, f"http://{host}", shots)
        await visitor.page.goto(f"http://{host}/openapi.json")
        yield visitor
        assert visitor.strangers({host}) == set()
        assert visitor.complaints == []
    finally:
        await context.close()


async def test_the_page_lists_every_call_of_its_listener(reader: Visitor, listener: str) -> None:
    calls = [
        f"{method} {path}" for path, methods in DOCUMENTS[listener]["paths"].items() for method in methods
    ]
    await expect(reader[".opblock"]).to_have_count(len(calls))
    assert await reader[".opblock"].evaluate_all(CALLS) == calls
    await reader.shoot(f"openapi-{listener}", ours=False)


async def test_a_call_shows_its_description_and_each_example_and_answer(
    reader: Visitor, listener: str
) -> None:
    path = "/api/conferences-public/createToken"
    operation = DOCUMENTS[listener]["paths"][path]["post"]
    block = reader[".opblock"].filter(has=reader.page.locator(f'[data-path="{path}"]'))
    await block.locator(".opblock-summary-control").click()
    await expect(block).to_contain_text(operation["description"])
    for status, response in operation["responses"].items():
        await expect(block.locator(f'.response[data-code="{status}"]')).to_contain_text(
            response["description"]
        )
    await expect(block.locator(".opblock-section-request-body")).to_contain_text('"participant-123"')
    await expect(block.locator('.response[data-code="200"]')).to_contain_text("<livekit_participant_token>")
    await reader.shoot(f"openapi-{listener}-call", ours=False)


async def test_a_call_can_be_made_from_the_page(reader: Visitor) -> None:
    block = reader[".opblock"].filter(has=reader.page.locator('[data-path="/openapi.json"]'))
    await block.locator(".opblock-summary-control").click()
    await block.get_by_role("button", name="Try it out").click()
    await block.get_by_role("button", name="Execute").click()
    await expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text("200")


async def test_the_page_follows_the_colour_scheme(reader: Visitor) -> None:
    await expect(reader[".opblock"].first).to_be_visible()
    await reader.page.emulate_media(color_scheme="dark")
    await reader.page.reload()
    await expect(reader["html.dark-mode .opblock"].first).to_be_visible()
