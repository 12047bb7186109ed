"""Camera, microphone and speaker: selected, plugged in and out, and what is said when one doesn't start."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.browser.visitor import Visitor
from tests.support.chromium import browser
from tests.support.controller import Site
from tests.support.wait import until

SEVERAL_CAMERAS: Final = "--use-fake-device-for-media-stream=device-count=3"
DEPTH_CAMERA: Final = "fake_device_1"
"""Chromium's second one takes pictures of 16-bit depths, which no encoder takes."""

OPTIONS: Final = "(select) => [...select.options].map((each) => [each.label, each.value])"
CAMERA_OF: Final = """(selector) => document.querySelector(selector)?.srcObject
  ?.getVideoTracks()[0]?.getSettings().deviceId ?? ''"""
MICROPHONE_SENT: Final = """() => window.connections.flatMap((each) => each.getSenders())
  .map((each) => each.track).find((each) => each?.kind === "audio")?.getSettings().deviceId ?? ''"""
SPEAKERS_USED: Final = "() => [...document.querySelectorAll('#sounds audio')].map((each) => each.sinkId)"

REFUSE: Final = """(names) => {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    for (const kind of ["audio", "video"]) {
      if (wanted[kind] && names[kind]) throw new DOMException("", names[kind]);
    }
    return open(wanted);
  };
}"""
"""The browser refuses a device with that error; the others work."""

PLUG_OUT: Final = """() => {
  const { mediaDevices } = navigator;
  const list = mediaDevices.enumerateDevices.bind(mediaDevices);
  let isPluggedIn = false;
  mediaDevices.enumerateDevices = async () => {
    const devices = await list();
    return devices.filter(({ kind, label }) => isPluggedIn || kind !== "videoinput" || label.endsWith("0"));
  };
  window.plugIn = (isIn) => {
    isPluggedIn = isIn;
    mediaDevices.dispatchEvent(new Event("devicechange"));
  };
}"""
"""A browser with its first camera alone; `plugIn(true)` plugs in the others."""


@pytest.fixture(scope="module")
async def several_cameras() -> AsyncIterator[Browser]:
    async with browser(SEVERAL_CAMERAS) as opened:
        yield opened


async def _visitor(chromium: Browser, house: Site, shots: Path, **context: object) -> Visitor:
    options = {"viewport": {"width": 1280, "height": 800}, **context}
    opened = await chromium.new_context(**options)  # type: ignore[arg-type]
    return await Visitor.arriving(opened, f"http://127.0.0.1:{house.public}", shots)


async def _becomes(visitor: Visitor, script: str, wanted: object, given: object = None) -> None:
    """Return when `script` gives `wanted`."""

    async def is_there() -> bool:
        return bool(await visitor.page.evaluate(script, given) == wanted)

    await until(is_there)


async def _other(visitor: Visitor, picker: str) -> str:
    """An option of the picker that is not selected."""
    selected = await visitor[picker].input_value()
    options: list[list[str]] = await visitor[picker].evaluate(OPTIONS)
    unwanted = (selected, "default", "communications", DEPTH_CAMERA)
    return next(value for label, value in options if label not in unwanted and value not in unwanted)


async def test_a_camera_is_changed_in_the_lobby_and_in_the_call(
    house: Site, welcome: Welcome, several_cameras: Browser, shots: Path
) -> None:
    room = await open_room(house, "cameras")
    bob = await welcome()
    await bob.join(room, "Bob")
    ann = await _visitor(several_cameras, house, shots)
    await ann.open(room)
    await ann.view("lobby")
    await expect(ann["#pick-camera"]).to_be_visible()
    second = await _other(ann, "#cameras")
    await ann["#cameras"].select_option(second)
    await _becomes(ann, CAMERA_OF, second, "#look-video")
    await ann.enter("Ann")
    await _becomes(ann, CAMERA_OF, second, ".tile.own video")
    await bob.sees(await ann.identity())

    await ann["#settings-open"].click()
    await expect(ann["#cameras"]).to_have_value(second)
    await ann.shoot("settings")
    first = await _other(ann, "#cameras")
    await ann["#cameras"].select_option(first)
    await _becomes(ann, CAMERA_OF, first, ".tile.own video")
    await bob.sees(await ann.identity())
    await ann.page.reload()
    await ann.view("call")
    await _becomes(ann, CAMERA_OF, first, ".tile.own video")


async def test_microphone_and_speaker_are_changed_in_the_call(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "sounds")
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob"))
    await asyncio.gather(ann.hears(), bob.hears())
    await ann["#settings-open"].click()
    microphone = await _other(ann, "#microphones")
    await ann["#microphones"].select_option(microphone)
    await _becomes(ann, MICROPHONE_SENT, microphone)
    speaker = await _other(ann, "#speakers")
    await ann["#speakers"].select_option(speaker)
    await _becomes(ann, SPEAKERS_USED, [speaker])
    await asyncio.gather(ann.hears(), bob.hears())
    await ann.page.keyboard.press("Escape")
    await expect(ann["#settings"]).to_be_hidden()
    await expect(ann["#settings-open"]).to_be_focused()


async def test_the_lobby_shows_how_loud_the_microphone_is(house: Site, welcome: Welcome) -> None:
    ann = await welcome()
    await ann.open(await open_room(house, "level"))
    await ann.view("lobby")

    async def moves() -> bool:
        return float(await ann["#level"].evaluate("(meter) => meter.value")) > 0

    await until(moves)
    await ann["#look-mic"].click()
    await expect(ann["#level"]).to_be_hidden()


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("NotAllowedError", "allow the camera"),
        ("NotFoundError", "Connect one"),
        ("NotReadableError", "Close that app"),
    ],
)
async def test_a_camera_that_does_not_start_says_why_though_the_microphone_works(
    house: Site, welcome: Welcome, error: str, advice: str
) -> None:
    room = await open_room(house, "refused-camera")
    ann, bob = await welcome(), await welcome()
    await bob.join(room, "Bob")
    await ann.page.add_init_script(f"({REFUSE})({{ video: '{error}' }})")
    await ann.open(room)
    await ann.view("lobby")
    await expect(ann["#look-mic"]).to_have_attribute("aria-pressed", "true")
    await expect(ann["#camera-note"]).to_contain_text(advice)
    await expect(ann["#mic-note"]).to_be_empty()
    await ann.shoot(f"camera-{error}")
    await ann.enter("Ann")
    await bob.hears()
    await ann["#camera"].click()
    await ann.noted(advice)


async def test_each_device_has_its_own_note(house: Site, welcome: Welcome) -> None:
    ann = await welcome()
    await ann.page.add_init_script(f"({REFUSE})({{ audio: 'NotReadableError', video: 'NotAllowedError' }})")
    await ann.open(await open_room(house, "refused-both"))
    await ann.view("lobby")
    await expect(ann["#mic-note"]).to_contain_text("Another app is using your microphone")
    await expect(ann["#camera-note"]).to_contain_text("Your browser blocks the camera")
    await ann.shoot("both-refused")


async def test_devices_are_plugged_in_and_out_in_the_call(
    house: Site, several_cameras: Browser, shots: Path
) -> None:
    ann = await _visitor(several_cameras, house, shots)
    await ann.page.add_init_script(f"({PLUG_OUT})()")
    await ann.join(await open_room(house, "plugged"), "Ann")
    await ann["#settings-open"].click()
    await expect(ann["#pick-camera"]).to_be_hidden()
    await ann.page.evaluate("window.plugIn(true)")
    await expect(ann["#pick-camera"]).to_be_visible()
    await ann.noted("Connected: ")
    await ann.page.evaluate("window.plugIn(false)")
    await expect(ann["#pick-camera"]).to_be_hidden()
    await ann.noted("Disconnected: ")


async def test_a_phone_switches_to_the_camera_on_its_other_side(
    house: Site, welcome: Welcome, several_cameras: Browser, shots: Path
) -> None:
    room = await open_room(house, "phone")
    bob = await welcome()
    await bob.join(room, "Bob")
    ann = await _visitor(
        several_cameras, house, shots, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    await ann.page.add_init_script(
        """window.asked = [];
        const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = (wanted) => {
          window.asked.push(JSON.stringify(wanted.video?.facingMode ?? ""));
          return open(wanted);
        };"""
    )
    await ann.open(room)
    await ann.view("lobby")
    await ann["#look-flip"].tap()
    await _becomes(ann, "() => window.asked.at(-1)", '"environment"')
    await expect(ann["#look-video"]).to_be_visible()
    await ann.enter("Ann")
    await bob.sees(await ann.identity())
    await ann.page.evaluate("window.asked = []")
    await ann["#flip"].tap()
    await _becomes(ann, "() => window.asked.at(-1)", '"environment"')
    await bob.sees(await ann.identity())
