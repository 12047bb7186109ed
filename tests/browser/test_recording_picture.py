"""How people look on a recording."""

from tests.browser.conftest import Welcome
from tests.browser.recorder import Recorder
from tests.browser.rooms import open_room
from tests.support.controller import Site
from tests.support.livekit import LiveKitServer
from tests.support.wait import until

CUT_OFF = """() => {
  const video = document.querySelector(".tile video");
  if (!video?.videoWidth) return 1;
  const { clientWidth, clientHeight } = video;
  const scale = Math.max(clientWidth / video.videoWidth, clientHeight / video.videoHeight);
  return 1 - (clientWidth * clientHeight) / (video.videoWidth * video.videoHeight * scale ** 2);
}"""
"""The part of the only picture that its tile does not show, where it fills the tile."""
DIRECTION = """() => getComputedStyle(document.querySelector(".tile .label span")).direction"""


async def test_of_somebody_alone_nothing_is_cut_off(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "alone", allow_chat=True)
    ann = await welcome()
    await ann.join(room, "Ann")
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "alone")
    await recorder.visitor.sees(await ann.identity())

    async def whole() -> bool:
        return float(await recorder.page.evaluate(CUT_OFF)) < 0.02

    await until(whole)


async def test_a_name_that_is_too_long_loses_its_end_whichever_way_it_runs(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "right-to-left")
    ann = await welcome()
    await ann.join(room, "عبد الرحمن")
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "right-to-left")
    assert await recorder.page.evaluate(DIRECTION) == "rtl"
